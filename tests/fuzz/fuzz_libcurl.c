/*
 * A whole answer, read by us and by libcurl from the same bytes. We are the stricter one: what we
 * take for complete, libcurl must take for complete too, with the same status and the same payload;
 * and what we take for cut, libcurl must not take for complete.
 *
 * No claim is made about what we refuse. Known to be refused by us alone: bare LF and CR, NUL,
 * folded lines, blanks in and behind names, chunks in HTTP/1.0, Content-Length beside
 * Transfer-Encoding, codings other than chunked, 101, more than 16 interim answers, signs and
 * blanks around numbers, a 1xx that announces a body. Known to be read otherwise by libcurl, and
 * left out: lengths past 63 bits (it reads to the end of the connection), heads that are cut (it
 * may take the end of the connection for their end), and trailers that only lack their last LF.
 */
#include "fuzz.h"

#include <curl/curl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/response_parser.h"

enum { INPUT_MAX = 60000, INTERIM_MAX = 16, TIMEOUT_MS = 2000 };

enum verdict { REFUSED, CUT, COMPLETE };

struct reading {
    enum verdict verdict;
    long status;
    char payload[INPUT_MAX];
    size_t size;
};

/* ---- ours ---- */

static enum verdict read_chunks(struct reading *r)
{
    struct chunk_decoder decoder = {0};
    size_t payload, extra;
    enum parse_result result = chunk_decode(&decoder, r->payload, r->size, &payload, &extra);
    r->size = payload;
    return result == PARSE_DONE ? COMPLETE : result == PARSE_MORE ? CUT : REFUSED;
}

static enum verdict read_body(struct reading *r, const struct response_head *head)
{
    switch (head->framing) {
    case BODY_NONE:
        r->size = 0;
        return COMPLETE;
    case BODY_LENGTH:
        if (head->length > INT64_MAX)
            return REFUSED;
        if (r->size < head->length)
            return CUT;
        r->size = (size_t)head->length;
        return COMPLETE;
    case BODY_CHUNKED:
        return read_chunks(r);
    case BODY_UNTIL_CLOSE:
        return COMPLETE;
    }
    return REFUSED;
}

static void read_by_us(struct reading *r, struct text bytes)
{
    static struct response_head head;
    r->verdict = REFUSED;
    for (int interim = 0; interim <= INTERIM_MAX; interim++) {
        size_t scanned = 0;
        enum parse_result result = response_head_parse(bytes, false, &scanned, &head);
        if (result != PARSE_DONE)
            return;
        bytes = (struct text){bytes.at + head.size, bytes.size - head.size};
        if (head.status < 200)
            continue;
        r->status = head.status;
        r->size = bytes.size;
        if (bytes.size)
            memcpy(r->payload, bytes.at, bytes.size);
        r->verdict = read_body(r, &head);
        return;
    }
}

/* ---- libcurl's ---- */

#define SOCKET_NAME "bearerd-fuzz-libcurl-%ld"

static int listener = -1;
static char socket_name[64]; /* in the abstract namespace: it ends with the process */

static void listen_once(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (listener >= 0)
        return;
    (void)snprintf(socket_name, sizeof(socket_name), SOCKET_NAME, (long)getpid());
    memcpy(address.sun_path + 1, socket_name, strlen(socket_name));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(socket_name));
    REQUIRE(listener >= 0 && bind(listener, (struct sockaddr *)&address, size) == 0);
    REQUIRE(listen(listener, 1) == 0);
}

static size_t take_payload(char *data, size_t one, size_t count, void *ctx)
{
    struct reading *r = ctx;
    REQUIRE(one * count <= sizeof(r->payload) - r->size);
    memcpy(r->payload + r->size, data, one * count);
    r->size += one * count;
    return one * count;
}

static CURL *prepared(struct reading *r)
{
    static CURL *curl;
    if (!curl)
        curl = curl_easy_init();
    REQUIRE(curl);
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, "http://127.0.0.1/");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_ABSTRACT_UNIX_SOCKET, socket_name);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_payload);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(curl, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    return curl;
}

/* The whole answer and the end of the connection, as soon as there is one. -1: not yet. */
static int answer(struct text bytes)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return -1;
    REQUIRE(bytes.size == 0 || write(fd, bytes.at, bytes.size) == (ssize_t)bytes.size);
    REQUIRE(shutdown(fd, SHUT_WR) == 0);
    return fd;
}

static void read_by_libcurl(struct reading *r, struct text bytes)
{
    static CURLM *multi;
    int running = 1, fd = -1, left;
    listen_once();
    if (!multi)
        multi = curl_multi_init();
    r->size = 0;
    CURL *curl = prepared(r);
    REQUIRE(multi && curl_multi_add_handle(multi, curl) == CURLM_OK);
    while (running) {
        REQUIRE(curl_multi_perform(multi, &running) == CURLM_OK);
        if (fd < 0)
            fd = answer(bytes);
        else if (running)
            REQUIRE(curl_multi_poll(multi, NULL, 0, TIMEOUT_MS, NULL) == CURLM_OK);
    }
    const CURLMsg *done = curl_multi_info_read(multi, &left);
    REQUIRE(done && fd >= 0);
    r->verdict = done->data.result == CURLE_OK ? COMPLETE : REFUSED;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &r->status);
    (void)curl_multi_remove_handle(multi, curl);
    (void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reading ours, theirs;
    if (size > INPUT_MAX)
        return 0;
    char *copy = fuzz_copy(data, size);
    struct text bytes = {copy, size};
    read_by_us(&ours, bytes);
    bool lacks_lf = size > 0 && data[size - 1] == '\r';
    if (ours.verdict == COMPLETE || (ours.verdict == CUT && !lacks_lf)) {
        read_by_libcurl(&theirs, bytes);
        REQUIRE((ours.verdict == COMPLETE) == (theirs.verdict == COMPLETE));
        if (ours.verdict == COMPLETE) {
            REQUIRE(ours.status == theirs.status);
            REQUIRE(ours.size == theirs.size);
            REQUIRE(memcmp(ours.payload, theirs.payload, ours.size) == 0);
        }
    }
    free(copy);
    return 0;
}
