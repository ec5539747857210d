/*
 * proxy_testing.h - what the tests of the proxy's small parts share: a configuration from text, and
 * a client's request as the server would have parsed it, without a server.
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_PROXY_TESTING_H
#define TESTS_PROXY_TESTING_H

#include <stdio.h>
#include <stdlib.h>

#include "http/server_internal.h"
#include "proxy/admission.h"
#include "proxy/route_plan.h"

#define PROVIDER                                                                                   \
    "[provider idp]\n"                                                                             \
    "token_url = https://id.example/token\n"                                                       \
    "client_id = literal:the-id\n"                                                                 \
    "client_secret = literal:the-secret\n"

static inline struct config *config_of_text(const char *ini)
{
    struct config_messages messages;
    struct config *c = config_load_text("test.ini", text_of(ini), &messages);
    for (size_t i = 0; !c && i < messages.count; i++)
        print_error("%s\n", messages.lines[i]);
    config_messages_done(&messages);
    assert_non_null(c);
    return c;
}

/* ---- a request ---- */

enum { REQUEST_FIELDS = 300, REQUEST_BYTES = 32768 };

/* The bytes live in `text`; fields are slices of it, as the server's are of its memory. */
struct sample_request {
    struct http_request request;
    struct client client;
    char text[REQUEST_BYTES];
    struct field fields[REQUEST_FIELDS];
};

static inline struct text next_line(struct text *rest)
{
    struct text line = text_cut(*rest, '\n', rest);
    if (line.size > 0 && line.at[line.size - 1] == '\r')
        line.size--;
    return line;
}

/*
 * Takes "METHOD target HTTP/1.x\r\nName: value\r\n…" apart without judging it. The caller ends it
 * with request_done.
 */
static inline void request_parse_bytes(struct sample_request *s, const char *head, size_t size)
{
    assert_true(size < sizeof(s->text));
    memcpy(s->text, head, size);
    s->client = (struct client){0};
    s->request = (struct http_request){.client = &s->client, .fields = s->fields, .minor = 1};
    buffer_init(&s->request.target, REQUEST_BYTES);
    struct text rest = {s->text, size};
    struct text line = next_line(&rest);
    s->request.method = text_cut(line, ' ', &line);
    assert_int_equal(buffer_add_text(&s->request.target, text_cut(line, ' ', &line)), 0);
    s->request.minor = text_equal(line, TEXT("HTTP/1.0")) ? 0 : 1;
    while (rest.size > 0) {
        struct text value, name = text_cut(next_line(&rest), ':', &value);
        if (name.size == 0)
            continue;
        assert_true(s->request.field_count < REQUEST_FIELDS);
        s->fields[s->request.field_count++] = (struct field){name, text_trim(value)};
    }
}

static inline void request_parse(struct sample_request *s, const char *head)
{
    request_parse_bytes(s, head, strlen(head));
}

static inline void request_done(struct sample_request *s)
{
    buffer_done(&s->request.target);
}

#endif
