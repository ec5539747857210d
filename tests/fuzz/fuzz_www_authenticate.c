/*
 * WWW-Authenticate of an answer that refuses a token: a new token is no help where the scope is
 * missing (RFC 6750 3.1), whatever stands around those words. Read from a whole head, as it comes.
 */
#include "fuzz.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>

#include "http/response_parser.h"
#include "proxy/relay.h"

static bool has_words(struct text value)
{
    static const char words[] = "insufficient_scope";
    size_t size = sizeof(words) - 1;
    for (size_t i = 0; i + size <= value.size; i++) {
        size_t same = 0;
        while (same < size && tolower((unsigned char)value.at[i + same]) == words[same])
            same++;
        if (same == size)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct response_head head;
    static const char status[] = "HTTP/1.1 401 No\r\n";
    size_t scanned = 0, before = sizeof(status) - 1;
    char *bytes = malloc(before + size);
    REQUIRE(bytes);
    memcpy(bytes, status, before);
    if (size)
        memcpy(bytes + before, data, size);
    if (response_head_parse((struct text){bytes, before + size}, false, &scanned, &head) ==
        PARSE_DONE) {
        bool expected = false;
        for (size_t i = 0; i < head.field_count; i++)
            expected =
                expected || (text_equal_nocase(head.fields[i].name, TEXT("WWW-Authenticate")) &&
                             has_words(head.fields[i].value));
        REQUIRE(relay_lacks_scope(&head) == expected);
    }
    free(bytes);
    return 0;
}
