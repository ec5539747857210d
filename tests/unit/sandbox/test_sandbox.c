/* The sandbox on a real socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "sandbox/sandbox.h"

enum { WAIT_MS = 10000 };

static struct sandbox *open_sandbox(struct loop **ret_loop, const char *listen, struct error *err)
{
    *ret_loop = loop_new(err);
    assert_non_null(*ret_loop);
    return sandbox_new(*ret_loop, &(struct sandbox_options){listen, "--listen", 0}, err);
}

static int port_of(const struct sandbox *s)
{
    return (int)strtol(strrchr(sandbox_address(s), ':') + 1, NULL, 10);
}

static int connect_to(const struct sandbox *s)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port_of(s)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* Turns the loop until the answer ends with `last`. */
static void talk(struct loop *loop, struct sandbox *s, const char *request, const char *last,
                 struct buffer *answer)
{
    int fd = connect_to(s);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    int64_t deadline = clock_monotonic_ms() + WAIT_MS;
    while (!text_ends_with_nocase(buffer_text(answer), text_of(last))) {
        assert_true(clock_monotonic_ms() < deadline);
        loop_turn(loop, 1);
        sandbox_turn(s);
        char *to = buffer_reserve(answer, 1024);
        assert_non_null(to);
        ssize_t size = recv(fd, to, 1024, MSG_DONTWAIT);
        if (size > 0)
            buffer_written(answer, (size_t)size);
        else
            assert_true(size < 0 && errno == EAGAIN);
    }
    close(fd);
}

static void it_answers_over_http(void **state UNUSED)
{
    struct error err = {""};
    struct loop *loop;
    struct sandbox *s = open_sandbox(&loop, "127.0.0.1:0", &err);
    assert_non_null(s);
    assert_int_not_equal(port_of(s), 0);
    CLEANUP(buffer_done) struct buffer answer;
    buffer_init(&answer, 64 * 1024);
    talk(loop, s,
         "GET /kra/v1/token/generate?grant_type=client_credentials HTTP/1.1\r\nHost: x\r\n"
         "Authorization: Basic c2FuZGJveC1rcmE6a3JhK3NlY3JldC8x\r\n\r\n",
         "\"3599\"}\n", &answer);
    const char *text = buffer_string(&answer);
    assert_non_null(strstr(text, "HTTP/1.1 200"));
    assert_non_null(strstr(text, "Content-Type: application/json"));
    assert_non_null(strstr(text, "Cache-Control: no-store"));
    sandbox_free(s);
    loop_free(loop);
}

static void an_empty_answer_has_no_type(void **state UNUSED)
{
    struct error err = {""};
    struct loop *loop;
    struct sandbox *s = open_sandbox(&loop, "127.0.0.1:0", &err);
    assert_non_null(s);
    CLEANUP(buffer_done) struct buffer answer;
    buffer_init(&answer, 64 * 1024);
    talk(loop, s, "GET /kra/v1/token/generate HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\n", &answer);
    const char *text = buffer_string(&answer);
    assert_non_null(strstr(text, "HTTP/1.1 400"));
    assert_null(strstr(text, "Content-Type"));
    sandbox_free(s);
    loop_free(loop);
}

static void ipv6_has_brackets(void **state UNUSED)
{
    struct error err = {""};
    struct loop *loop;
    struct sandbox *s = open_sandbox(&loop, "[::1]:0", &err);
    if (!s && strstr(err.text, "Cannot assign")) { /* a machine without IPv6 */
        loop_free(loop);
        skip();
    }
    assert_non_null(s);
    assert_memory_equal(sandbox_address(s), "[::1]:", 6);
    sandbox_free(s);
    loop_free(loop);
}

static void a_busy_address_is_named_with_the_remedy(void **state UNUSED)
{
    struct error err = {""};
    struct loop *loop, *other;
    struct sandbox *s = open_sandbox(&loop, "127.0.0.1:0", &err);
    assert_non_null(s);
    assert_null(open_sandbox(&other, sandbox_address(s), &err));
    assert_non_null(strstr(err.text, sandbox_address(s)));
    assert_non_null(strstr(err.text, "in use"));
    assert_non_null(strstr(err.text, "--listen"));
    sandbox_free(s);
    loop_free(loop);
    loop_free(other);
}

static void what_is_no_address_is_refused(void **state UNUSED)
{
    static const char *const wrong[] = {
        "", "8090", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999999", "::1:8090", "a b:1"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct error err = {""};
        struct loop *loop;
        assert_null(open_sandbox(&loop, wrong[i], &err));
        assert_true(strlen(err.text) > 0);
        loop_free(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_answers_over_http),
        cmocka_unit_test(an_empty_answer_has_no_type),
        cmocka_unit_test(ipv6_has_brackets),
        cmocka_unit_test(a_busy_address_is_named_with_the_remedy),
        cmocka_unit_test(what_is_no_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
