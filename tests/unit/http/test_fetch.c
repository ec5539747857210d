#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "http/fetch.h"
#include "http/scripted_server.h"

enum { LONG_MS = 10000, BRIEF_MS = 300 };

/* What a callback saw, copied, since the response is good during the call only. */
struct outcome {
    int calls;
    enum fetch_result result;
    unsigned status;
    char content_type[64], retry_after[64], detail[256];
    struct buffer body;
    int64_t total_us;
};

struct bed {
    struct scripted_server server;
    struct loop *loop;
    struct fetcher *fetcher;
    struct outcome outcome;
};

static int setup(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    assert_non_null(bed);
    scripted_start(&bed->server, answer_with);
    bed->loop = loop_new(NULL);
    assert_non_null(bed->loop);
    bed->fetcher = fetcher_new(bed->loop, NULL);
    assert_non_null(bed->fetcher);
    buffer_init(&bed->outcome.body, (size_t)FETCH_BODY_MAX * 2);
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    struct bed *bed = *state;
    fetcher_free(bed->fetcher);
    loop_free(bed->loop);
    scripted_stop(&bed->server);
    buffer_done(&bed->outcome.body);
    free(bed);
    return 0;
}

static void on_done(void *arg, const struct fetch_response *r)
{
    struct outcome *o = arg;
    o->calls++;
    o->result = r->result;
    o->status = r->status;
    o->total_us = r->total_us;
    (void)snprintf(o->content_type, sizeof(o->content_type), "%.*s", TEXT_ARG(r->content_type));
    (void)snprintf(o->retry_after, sizeof(o->retry_after), "%.*s", TEXT_ARG(r->retry_after));
    (void)snprintf(o->detail, sizeof(o->detail), "%s", r->detail);
    assert_int_equal(buffer_add_text(&o->body, r->body), 0);
}

static struct fetch_request request_to(const struct bed *bed, char url[64])
{
    (void)snprintf(url, 64, "http://127.0.0.1:%u/token", bed->server.port);
    return (struct fetch_request){.method = "GET", .url = text_of(url), .timeout_ms = LONG_MS};
}

static void finish(struct bed *bed)
{
    int64_t deadline = clock_monotonic_ms() + 2 * LONG_MS;
    while (bed->outcome.calls == 0) {
        assert_true(clock_monotonic_ms() < deadline);
        loop_turn(bed->loop, 100);
    }
    assert_int_equal(bed->outcome.calls, 1);
}

static const struct outcome *fetch(struct bed *bed, const struct fetch_request *request)
{
    struct error err = {""};
    if (!fetch_start(bed->fetcher, request, on_done, &bed->outcome, &err))
        fail_msg("%s", err.text);
    assert_int_equal(bed->outcome.calls, 0);
    finish(bed);
    return &bed->outcome;
}

static const struct outcome *get(struct bed *bed)
{
    char url[64];
    struct fetch_request request = request_to(bed, url);
    return fetch(bed, &request);
}

/* ---- what is sent ---- */

static void nothing_is_added_but_host(void **state)
{
    struct bed *bed = *state;
    bed->server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    (void)get(bed);
    char expected[128];
    (void)snprintf(expected, sizeof(expected), "GET /token HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
                   bed->server.port);
    assert_string_equal(bed->server.requests[0], expected);
}

static void fields_and_body_go_out_as_given(void **state)
{
    struct bed *bed = *state;
    char url[64];
    struct field fields[] = {
        {TEXT("Accept"), TEXT("application/json")},
        {TEXT("X-Empty"), TEXT("")},
        {TEXT("Content-Type"), TEXT("application/json")},
        {TEXT("X-Twice"), TEXT("1")},
        {TEXT("X-Twice"), TEXT("2")},
    };
    struct fetch_request request = request_to(bed, url);
    request.method = "POST";
    request.fields = fields;
    request.field_count = ARRAY_SIZE(fields);
    request.body = TEXT("{\"a\":\"b\"}");
    bed->server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    (void)fetch(bed, &request);
    const char *sent = bed->server.requests[0];
    assert_non_null(strstr(sent, "\r\nAccept: application/json\r\n"));
    assert_non_null(strstr(sent, "\r\nX-Empty:\r\n"));
    assert_non_null(strstr(sent, "\r\nX-Twice: 1\r\nX-Twice: 2\r\n"));
    assert_non_null(strstr(sent, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(sent, "\r\nContent-Length: 9\r\n"));
    assert_non_null(strstr(sent, "\r\n\r\n{\"a\":\"b\"}"));
}

static void a_post_without_body_says_so(void **state)
{
    struct bed *bed = *state;
    char url[64];
    struct fetch_request request = request_to(bed, url);
    request.method = "POST";
    bed->server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    (void)fetch(bed, &request);
    assert_non_null(strstr(bed->server.requests[0], "POST /token HTTP/1.1\r\n"));
    assert_non_null(strstr(bed->server.requests[0], "\r\nContent-Length: 0\r\n"));
    assert_null(strstr(bed->server.requests[0], "Content-Type"));
    assert_null(strstr(bed->server.requests[0], "Expect"));
}

static void what_would_break_out_of_a_field_is_refused(void **state)
{
    struct bed *bed = *state;
    const struct field bad[] = {
        {TEXT("X-A"), TEXT("x\r\nX-B: y")}, {TEXT("X-A"), TEXT("x\ny")},
        {TEXT("X-A"), TEXT("x\0y")},        {TEXT("X A"), TEXT("x")},
        {TEXT("X-A: b\r\nX"), TEXT("x")},   {TEXT(""), TEXT("x")},
    };
    char url[64];
    struct fetch_request request = request_to(bed, url);
    request.field_count = 1;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err = {""};
        request.fields = &bad[i];
        assert_null(fetch_start(bed->fetcher, &request, on_done, &bed->outcome, &err));
        assert_string_not_equal(err.text, "");
    }
    assert_int_equal(bed->outcome.calls, 0);
}

static void credentials_in_the_url_are_refused(void **state)
{
    struct bed *bed = *state;
    char text[64], url[64];
    struct fetch_request request = request_to(bed, url);
    (void)snprintf(text, sizeof(text), "http://a:b@127.0.0.1:%u/", bed->server.port);
    request.url = text_of(text);
    assert_int_not_equal(fetch(bed, &request)->result, FETCH_OK);
    assert_int_equal(atomic_load(&bed->server.count), 0);
}

static void proxies_of_the_environment_are_not_asked(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    bed->server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_int_equal(get(bed)->result, FETCH_OK);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("ALL_PROXY"), 0);
}

static void a_configured_proxy_is(void **state)
{
    struct bed *bed = *state;
    char url[64], proxy[64];
    struct fetch_request request = request_to(bed, url);
    (void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", bed->server.port);
    request.url = TEXT("http://idp.invalid/token");
    request.proxy = proxy;
    bed->server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_int_equal(setenv("no_proxy", "*", 1), 0);
    if (fetch(bed, &request)->result != FETCH_OK)
        fail_msg("%s", bed->outcome.detail);
    assert_int_equal(unsetenv("no_proxy"), 0);
    assert_non_null(strstr(bed->server.requests[0], "GET http://idp.invalid/token HTTP/1.1\r\n"));
}

/* ---- what comes back ---- */

static void a_response_comes_whole_whatever_its_status(void **state)
{
    struct bed *bed = *state;
    bed->server.answer = "HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\nRetry-After:  7 \r\n"
                         "Content-Length: 5\r\n\r\nhello";
    const struct outcome *o = get(bed);
    assert_int_equal(o->result, FETCH_OK);
    assert_int_equal(o->status, 503);
    assert_string_equal(o->content_type, "text/plain");
    assert_string_equal(o->retry_after, "7");
    assert_true(text_equal(buffer_text(&o->body), TEXT("hello")));
    assert_string_equal(o->detail, "");
    assert_true(o->total_us > 0);
}

static void interim_responses_do_not_count(void **state)
{
    struct bed *bed = *state;
    bed->server.answer = "HTTP/1.1 103 Early\r\nRetry-After: 9\r\n\r\n"
                         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const struct outcome *o = get(bed);
    assert_int_equal(o->status, 200);
    assert_string_equal(o->retry_after, "");
}

static void redirects_are_not_followed(void **state)
{
    struct bed *bed = *state;
    bed->server.answer = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";
    assert_int_equal(get(bed)->status, 302);
    assert_int_equal(atomic_load(&bed->server.count), 1);
}

static void content_codings_are_left_alone(void **state)
{
    struct bed *bed = *state;
    bed->server.answer = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
                         "\x1f\x8b\x08\x01";
    const struct outcome *o = get(bed);
    assert_int_equal(o->result, FETCH_OK);
    assert_true(text_equal(buffer_text(&o->body), TEXT("\x1f\x8b\x08\x01")));
}

static void chunks_are_joined(void **state)
{
    struct bed *bed = *state;
    bed->server.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n";
    const struct outcome *o = get(bed);
    assert_true(text_equal(buffer_text(&o->body), TEXT("abcde")));
}

/* ---- failures ---- */

static void a_closed_port_is_unreachable(void **state)
{
    struct bed *bed = *state;
    char url[64];
    struct fetch_request request = request_to(bed, url);
    request.url = TEXT("http://127.0.0.1:1/token");
    const struct outcome *o = fetch(bed, &request);
    assert_int_equal(o->result, FETCH_UNREACHABLE);
    assert_int_equal(o->status, 0);
    assert_string_equal(o->detail, "127.0.0.1:1: connection refused");
}

static void plain_text_where_tls_should_be_is_a_tls_failure(void **state)
{
    struct bed *bed = *state;
    char text[64], url[64];
    struct fetch_request request = request_to(bed, url);
    (void)snprintf(text, sizeof(text), "https://127.0.0.1:%u/", bed->server.port);
    request.url = text_of(text);
    request.ca_file = "/nonexistent/ca.pem";
    assert_int_equal(fetch(bed, &request)->result, FETCH_TLS);
}

static void a_cut_body_is_broken(void **state)
{
    struct bed *bed = *state;
    bed->server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"access_token\":\"x\"}";
    const struct outcome *o = get(bed);
    assert_int_equal(o->result, FETCH_BROKEN);
    assert_int_equal(o->status, 0);
}

static void what_is_no_http_is_broken(void **state)
{
    struct bed *bed = *state;
    bed->server.answer = "secret-garbage\r\n\r\n";
    const struct outcome *o = get(bed);
    assert_int_equal(o->result, FETCH_BROKEN);
    assert_null(strstr(o->detail, "secret"));
}

static void an_early_end_is_broken(void **state)
{
    struct bed *bed = *state;
    bed->server.answer = "";
    assert_int_equal(get(bed)->result, FETCH_BROKEN);
    assert_int_equal(atomic_load(&bed->server.count), 1);
}

static void assert_times_out(struct bed *bed)
{
    char url[64];
    struct fetch_request request = request_to(bed, url);
    request.timeout_ms = BRIEF_MS;
    int64_t start = clock_monotonic_ms();
    assert_int_equal(fetch(bed, &request)->result, FETCH_TIMEOUT);
    assert_in_range(clock_monotonic_ms() - start, BRIEF_MS, LONG_MS);
}

static void silence_times_out(void **state)
{
    struct bed *bed = *state;
    bed->server.script = answer_never;
    assert_times_out(bed);
}

static void answer_head_only(struct scripted_server *s, int fd, int index)
{
    s->answer = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{";
    answer_with(s, fd, index);
    answer_never(s, fd, index);
}

static void a_body_that_stops_times_out(void **state)
{
    struct bed *bed = *state;
    bed->server.script = answer_head_only;
    assert_times_out(bed);
}

/* A byte now and then, for ever: progress that must not count. */
static void answer_dripping(struct scripted_server *s, int fd, int index UNUSED)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    scripted_send(fd, head, strlen(head));
    struct pollfd peer = {.fd = fd, .events = POLLIN};
    while (scripted_wait(s, -1, 20) && poll(&peer, 1, 0) == 0)
        scripted_send(fd, " ", 1);
}

static void dripping_times_out(void **state)
{
    struct bed *bed = *state;
    bed->server.script = answer_dripping;
    assert_times_out(bed);
}

static void answer_bytes(int fd, size_t size)
{
    char head[64], block[1024];
    memset(block, 'x', sizeof(block));
    int length =
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
    scripted_send(fd, head, (size_t)length);
    for (; size > 0; size -= size < sizeof(block) ? size : sizeof(block))
        scripted_send(fd, block, size < sizeof(block) ? size : sizeof(block));
}

static void answer_limit(struct scripted_server *s UNUSED, int fd, int index)
{
    answer_bytes(fd, (size_t)FETCH_BODY_MAX + (index > 0 ? 1 : 0));
}

static void the_body_has_a_limit(void **state)
{
    struct bed *bed = *state;
    bed->server.script = answer_limit;
    assert_int_equal(get(bed)->result, FETCH_OK);
    assert_int_equal(buffer_size(&bed->outcome.body), FETCH_BODY_MAX);
    buffer_clear(&bed->outcome.body);
    bed->outcome.calls = 0;
    assert_int_equal(get(bed)->result, FETCH_TOO_LARGE);
}

static void answer_endless_fields(struct scripted_server *s, int fd, int index UNUSED)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n", line[] = "X-Filler: 0123456789abcdef\r\n";
    scripted_send(fd, head, strlen(head));
    struct pollfd peer = {.fd = fd, .events = POLLIN};
    for (int i = 0; i < 100000 && scripted_wait(s, -1, 0) && poll(&peer, 1, 0) == 0; i++)
        scripted_send(fd, line, strlen(line));
}

static void endless_fields_are_cut_off(void **state)
{
    struct bed *bed = *state;
    bed->server.script = answer_endless_fields;
    assert_int_equal(get(bed)->result, FETCH_TOO_LARGE);
}

static void answer_endless_interim(struct scripted_server *s, int fd, int index UNUSED)
{
    static const char interim[] = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    struct pollfd peer = {.fd = fd, .events = POLLIN};
    for (int i = 0; i < 100000 && scripted_wait(s, -1, 0) && poll(&peer, 1, 0) == 0; i++)
        scripted_send(fd, interim, strlen(interim));
}

static void endless_interim_responses_are_cut_off(void **state)
{
    struct bed *bed = *state;
    bed->server.script = answer_endless_interim;
    assert_int_equal(get(bed)->result, FETCH_TOO_LARGE);
}

/* ---- ending early ---- */

static void a_cancelled_fetch_does_not_call_back(void **state)
{
    struct bed *bed = *state;
    char url[64];
    struct fetch_request request = request_to(bed, url);
    bed->server.script = answer_never;
    struct fetch *f = fetch_start(bed->fetcher, &request, on_done, &bed->outcome, NULL);
    assert_non_null(f);
    while (atomic_load(&bed->server.count) == 0)
        loop_turn(bed->loop, 10);
    fetch_cancel(f);
    fetch_cancel(NULL);
    loop_turn(bed->loop, 10);
    assert_int_equal(bed->outcome.calls, 0);
}

static void freeing_the_fetcher_cancels(void **state)
{
    struct bed *bed = *state;
    char url[64];
    struct fetch_request request = request_to(bed, url);
    bed->server.script = answer_never;
    assert_non_null(fetch_start(bed->fetcher, &request, on_done, &bed->outcome, NULL));
    assert_non_null(fetch_start(bed->fetcher, &request, on_done, &bed->outcome, NULL));
    loop_turn(bed->loop, 10);
    fetcher_free(bed->fetcher);
    bed->fetcher = NULL;
    loop_turn(bed->loop, 10);
    assert_int_equal(bed->outcome.calls, 0);
}

struct again {
    struct bed *bed;
    struct fetch_request request;
};

static void start_again(void *arg, const struct fetch_response *r)
{
    struct again *again = arg;
    assert_int_equal(r->status, 200);
    assert_non_null(
        fetch_start(again->bed->fetcher, &again->request, on_done, &again->bed->outcome, NULL));
}

static void a_new_fetch_may_start_in_the_callback(void **state)
{
    struct bed *bed = *state;
    char url[64];
    struct again again = {.bed = bed, .request = request_to(bed, url)};
    bed->server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_non_null(fetch_start(bed->fetcher, &again.request, start_again, &again, NULL));
    finish(bed);
    assert_int_equal(atomic_load(&bed->server.count), 2);
}

#define BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(nothing_is_added_but_host),
        BED(fields_and_body_go_out_as_given),
        BED(a_post_without_body_says_so),
        BED(what_would_break_out_of_a_field_is_refused),
        BED(credentials_in_the_url_are_refused),
        BED(proxies_of_the_environment_are_not_asked),
        BED(a_configured_proxy_is),
        BED(a_response_comes_whole_whatever_its_status),
        BED(interim_responses_do_not_count),
        BED(redirects_are_not_followed),
        BED(content_codings_are_left_alone),
        BED(chunks_are_joined),
        BED(a_closed_port_is_unreachable),
        BED(plain_text_where_tls_should_be_is_a_tls_failure),
        BED(a_cut_body_is_broken),
        BED(what_is_no_http_is_broken),
        BED(an_early_end_is_broken),
        BED(silence_times_out),
        BED(a_body_that_stops_times_out),
        BED(dripping_times_out),
        BED(the_body_has_a_limit),
        BED(endless_fields_are_cut_off),
        BED(endless_interim_responses_are_cut_off),
        BED(a_cancelled_fetch_does_not_call_back),
        BED(freeing_the_fetcher_cancels),
        BED(a_new_fetch_may_start_in_the_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
