#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "http/endpoint.h"

enum { WAIT_MS = 10000, MAX_BODY = 1000 };

/* An endpoint with a handler that notes what it saw, a client of it, and what came back. */
struct fixture {
    struct loop *loop;
    struct endpoint *endpoint;
    int listen_fd, client_fd;
    struct buffer answer;

    int calls;
    char method[16], path[64], query[64], body[MAX_BODY + 1];
    size_t field_count;
    bool later;                 /* the handler keeps the call instead of answering */
    struct endpoint_call *kept; /* until it is answered */
    unsigned status;
};

static void copy(char *to, size_t size, struct text from)
{
    assert_true(from.size < size);
    memcpy(to, from.at, from.size);
    to[from.size] = '\0';
}

static void answer_call(struct fixture *f, struct endpoint_call *call)
{
    const struct field extra = {TEXT("X-Extra"), TEXT("yes")};
    endpoint_answer(call, &(struct endpoint_response){.status = f->status,
                                                      .content_type = "text/plain",
                                                      .fields = &extra,
                                                      .field_count = 1,
                                                      .body = TEXT("answered\n")});
}

static void handle(void *ctx, const struct endpoint_request *r, struct endpoint_call *call)
{
    struct fixture *f = ctx;
    f->calls++;
    copy(f->method, sizeof(f->method), r->method);
    copy(f->path, sizeof(f->path), r->path);
    copy(f->query, sizeof(f->query), r->query);
    copy(f->body, sizeof(f->body), r->body);
    f->field_count = r->field_count;
    if (f->later)
        f->kept = call;
    else
        answer_call(f, call);
}

static int connect_client(const struct fixture *f)
{
    struct sockaddr_in to;
    socklen_t size = sizeof(to);
    assert_int_equal(getsockname(f->listen_fd, (struct sockaddr *)&to, &size), 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->status = 200;
    buffer_init(&f->answer, 64 * 1024);
    struct error err = {""};
    f->loop = loop_new(&err);
    const struct endpoint_config config = {.max_body = MAX_BODY, .max_connections = 10};
    f->endpoint = endpoint_new(f->loop, &config, handle, f, &err);
    assert_non_null(f->endpoint);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    f->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(f->listen_fd, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(listen(f->listen_fd, 10), 0);
    assert_int_equal(endpoint_listen(f->endpoint, f->listen_fd, &err), 0);
    f->client_fd = connect_client(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    endpoint_free(f->endpoint);
    loop_free(f->loop);
    close(f->client_fd);
    close(f->listen_fd);
    buffer_done(&f->answer);
    free(f);
    return 0;
}

static void turn(struct fixture *f)
{
    loop_turn(f->loop, 1);
    endpoint_turn(f->endpoint);
}

/* Takes what has arrived; true at the end of the connection. */
static bool take(struct fixture *f)
{
    char *to = buffer_reserve(&f->answer, 1024);
    assert_non_null(to);
    ssize_t size = recv(f->client_fd, to, 1024, MSG_DONTWAIT);
    if (size > 0)
        buffer_written(&f->answer, (size_t)size);
    else
        assert_true(size == 0 || errno == EAGAIN || errno == ECONNRESET);
    return size == 0 || (size < 0 && errno == ECONNRESET);
}

static void send_text(const struct fixture *f, const char *s)
{
    assert_int_equal(send(f->client_fd, s, strlen(s), MSG_NOSIGNAL), strlen(s));
}

static bool answer_has(struct fixture *f, const char *words)
{
    const char *text = buffer_string(&f->answer);
    return text && strstr(text, words);
}

/* Turns the loop until the words have come back. */
static void await(struct fixture *f, const char *words)
{
    int64_t deadline = clock_monotonic_ms() + WAIT_MS;
    while (!answer_has(f, words)) {
        if (clock_monotonic_ms() > deadline)
            fail_msg("no \"%s\" in: %s", words, buffer_string(&f->answer));
        turn(f);
        (void)take(f);
    }
}

static void await_end(struct fixture *f)
{
    int64_t deadline = clock_monotonic_ms() + WAIT_MS;
    while (!take(f)) {
        assert_true(clock_monotonic_ms() < deadline);
        turn(f);
    }
}

static void await_kept(struct fixture *f)
{
    int64_t deadline = clock_monotonic_ms() + WAIT_MS;
    while (!f->kept) {
        assert_true(clock_monotonic_ms() < deadline);
        turn(f);
    }
}

static void the_handler_sees_the_whole_request(void **state)
{
    struct fixture *f = *state;
    send_text(f,
              "POST /a%20b?x=1&y HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nContent-Length: 5\r\n\r\nhe");
    for (int i = 0; i < 20; i++)
        turn(f);
    assert_int_equal(f->calls, 0); /* half of the body is missing */
    send_text(f, "llo");
    await(f, "answered\n");
    assert_int_equal(f->calls, 1);
    assert_string_equal(f->method, "POST");
    assert_string_equal(f->path, "/a%20b");
    assert_string_equal(f->query, "x=1&y");
    assert_string_equal(f->body, "hello");
    assert_int_equal(f->field_count, 3);
}

static void the_answer_has_status_type_fields_and_body(void **state)
{
    struct fixture *f = *state;
    f->status = 418;
    send_text(f, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await(f, "answered\n");
    assert_true(answer_has(f, "HTTP/1.1 418"));
    assert_true(answer_has(f, "Content-Type: text/plain\r\n"));
    assert_true(answer_has(f, "X-Extra: yes\r\n"));
    assert_true(answer_has(f, "Content-Length: 9\r\n"));
}

static void a_connection_serves_one_request_after_the_other(void **state)
{
    struct fixture *f = *state;
    send_text(f, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
    await(f, "answered\n");
    buffer_clear(&f->answer);
    send_text(f, "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    await(f, "answered\n");
    assert_int_equal(f->calls, 2);
    assert_string_equal(f->path, "/2");
}

static void head_gets_the_length_and_no_body(void **state)
{
    struct fixture *f = *state;
    send_text(f, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    await(f, "answered\n");
    const char *first = strstr(buffer_string(&f->answer), "\r\n\r\n");
    assert_memory_equal(first + 4, "HTTP/1.1 200", 12); /* the next answer, at once */
    assert_true(answer_has(f, "Content-Length: 9\r\n"));
}

static void no_content_has_no_body(void **state)
{
    struct fixture *f = *state;
    f->status = 204;
    send_text(f, "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n");
    await(f, "\r\n\r\n");
    assert_true(answer_has(f, "HTTP/1.1 204"));
    assert_false(answer_has(f, "answered"));
    assert_false(answer_has(f, "Content-Length"));
}

static void an_answer_may_come_later(void **state)
{
    struct fixture *f = *state;
    f->later = true;
    send_text(f, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await_kept(f);
    for (int i = 0; i < 20; i++)
        turn(f);
    (void)take(f);
    assert_int_equal(buffer_size(&f->answer), 0);
    answer_call(f, f->kept);
    await(f, "answered\n");
}

static void a_call_outlives_its_client(void **state)
{
    struct fixture *f = *state;
    f->later = true;
    send_text(f, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await_kept(f);
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(f->client_fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    close(f->client_fd);
    for (int i = 0; i < 50; i++)
        turn(f);
    answer_call(f, f->kept); /* goes nowhere, and frees the call */
    f->later = false;
    f->client_fd = connect_client(f);
    send_text(f, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await(f, "answered\n");
}

static void a_call_outlives_the_endpoint(void **state)
{
    struct fixture *f = *state;
    f->later = true;
    send_text(f, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await_kept(f);
    endpoint_free(f->endpoint);
    f->endpoint = NULL;
    answer_call(f, f->kept);
}

static void too_long_a_body_is_refused_unseen(void **state)
{
    struct fixture *f = *state;
    send_text(f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n");
    await(f, "HTTP/1.1 413");
    await_end(f);
    assert_true(answer_has(f, "too large"));
    assert_int_equal(f->calls, 0);
}

static void too_long_a_chunked_body_is_refused(void **state)
{
    struct fixture *f = *state;
    send_text(f, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n");
    char piece[0x400 + 1];
    memset(piece, 'x', 0x400);
    piece[0x400] = '\0';
    send_text(f, piece);
    send_text(f, "\r\n400\r\n");
    send_text(f, piece);
    send_text(f, "\r\n0\r\n\r\n");
    await(f, "HTTP/1.1 413");
    await_end(f);
    assert_int_equal(f->calls, 0);
}

static void a_body_of_just_the_limit_is_taken(void **state)
{
    struct fixture *f = *state;
    send_text(f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
    char body[MAX_BODY + 1];
    memset(body, 'y', MAX_BODY);
    body[MAX_BODY] = '\0';
    send_text(f, body);
    await(f, "answered\n");
    assert_string_equal(f->body, body);
}

static void malformed_requests_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {
        "GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        close(f->client_fd);
        f->client_fd = connect_client(f);
        buffer_clear(&f->answer);
        send_text(f, wrong[i]);
        await_end(f);
        assert_true(answer_has(f, "HTTP/1.1 400"));
    }
    assert_int_equal(f->calls, 0);
}

static void draining_ends_the_connection_after_the_answer(void **state)
{
    struct fixture *f = *state;
    f->later = true;
    send_text(f, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await_kept(f);
    endpoint_drain(f->endpoint);
    answer_call(f, f->kept);
    await_end(f);
    assert_true(answer_has(f, "Connection: close"));
    assert_true(answer_has(f, "answered\n"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_handler_sees_the_whole_request),
        TEST(the_answer_has_status_type_fields_and_body),
        TEST(a_connection_serves_one_request_after_the_other),
        TEST(head_gets_the_length_and_no_body),
        TEST(no_content_has_no_body),
        TEST(an_answer_may_come_later),
        TEST(a_call_outlives_its_client),
        TEST(a_call_outlives_the_endpoint),
        TEST(too_long_a_body_is_refused_unseen),
        TEST(too_long_a_chunked_body_is_refused),
        TEST(a_body_of_just_the_limit_is_taken),
        TEST(malformed_requests_are_refused),
        TEST(draining_ends_the_connection_after_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
