#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/admin.h"
#include "admin/admin_testing.h"

/* A listener over the stage, one worker that answers unless it sleeps, and a client. */
struct fixture {
    struct stage stage;
    struct pulse *pulse;
    struct admin *admin;
    int listen_fd, client_fd;
    bool asleep;
};

static uint64_t ask_worker(void *ctx, size_t i)
{
    (void)ctx;
    (void)i;
    return 1;
}

static bool has_answered(void *ctx, size_t i, uint64_t ticket)
{
    (void)i;
    (void)ticket;
    return !((struct fixture *)ctx)->asleep;
}

static void connect_client(struct fixture *f)
{
    struct sockaddr_in to;
    socklen_t size = sizeof(to);
    assert_int_equal(getsockname(f->listen_fd, (struct sockaddr *)&to, &size), 0);
    f->client_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(f->client_fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct error err;
    assert_non_null(f);
    stage_open(&f->stage);
    const struct pulse_members members = {
        .ctx = f, .count = 1, .ask = ask_worker, .has_answered = has_answered};
    f->pulse = pulse_new(f->stage.loop, &members, &err);
    assert_non_null(f->pulse);
    f->admin = admin_new(f->stage.loop, &f->stage.state, f->pulse, &err);
    assert_non_null(f->admin);
    f->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(f->listen_fd, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(listen(f->listen_fd, 8), 0);
    assert_int_equal(
        admin_listen_only(f->admin, &(struct http_socket){.fd = f->listen_fd}, 1, &err), 0);
    connect_client(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    (void)close(f->client_fd);
    admin_free(f->admin);
    (void)close(f->listen_fd);
    pulse_free(f->pulse);
    stage_close(&f->stage);
    free(f);
    return 0;
}

static void send_request(struct fixture *f, const char *line, const char *fields)
{
    char text[512];
    int size =
        snprintf(text, sizeof(text), "%s HTTP/1.1\r\nConnection: close\r\n%s\r\n", line, fields);
    assert_int_equal(send(f->client_fd, text, (size_t)size, MSG_NOSIGNAL), size);
}

static void turn(struct fixture *f)
{
    loop_turn(f->stage.loop, 10);
    token_registry_run(f->stage.state.tokens);
    admin_turn(f->admin);
}

/* Everything up to the end of the connection. */
static const char *read_answer(struct fixture *f)
{
    int64_t until = clock_monotonic_ms() + STAGE_WAIT_MS;
    buffer_clear(&f->stage.page);
    while (clock_monotonic_ms() < until) {
        char piece[4096];
        turn(f);
        ssize_t size = recv(f->client_fd, piece, sizeof(piece), MSG_DONTWAIT);
        if (size == 0)
            return stage_page(&f->stage);
        if (size > 0)
            (void)buffer_add(&f->stage.page, piece, (size_t)size);
    }
    fail_msg("no whole answer: %s", stage_page(&f->stage));
    return "";
}

static const char *ask(struct fixture *f, const char *line)
{
    send_request(f, line, "Host: localhost\r\n");
    return read_answer(f);
}

static void it_lives_while_the_loops_turn(void **state)
{
    assert_has(ask(*state, "GET /livez"), "200 OK");
}

static void a_stuck_worker_is_no_life(void **state)
{
    struct fixture *f = *state;
    f->asleep = true;
    const char *answer = ask(f, "GET /livez");
    assert_has(answer, " 503 ");
    assert_has(answer, "worker");
}

static void figures_come_even_from_a_stuck_worker(void **state)
{
    struct fixture *f = *state;
    f->asleep = true;
    assert_has(ask(f, "GET /metrics"), "bearerd_build_info");
}

static void it_is_ready_or_says_why_not(void **state)
{
    struct fixture *f = *state;
    stage_fail_provider(&f->stage, 1);
    const char *answer = ask(f, "GET /readyz?verbose");
    assert_has(answer, " 503 ");
    assert_has(answer, "[-] provider other: ");
    assert_has(answer, "\nnot ready\n");
}

static void ready_is_short(void **state)
{
    const char *answer = ask(*state, "GET /readyz");
    assert_has(answer, "200 OK");
    assert_has(answer, "\r\n\r\nready\n");
}

static void metrics_say_what_they_are(void **state)
{
    const char *answer = ask(*state, "GET /metrics");
    assert_has(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    assert_has(answer, "Cache-Control: no-store\r\n");
}

static void status_is_json(void **state)
{
    const char *answer = ask(*state, "GET /status.json");
    assert_has(answer, "Content-Type: application/json\r\n");
    assert_has(answer, "\"providers\":[{");
}

static void the_page_comes_with_its_policy(void **state)
{
    const char *answer = ask(*state, "GET /status");
    assert_has(answer, "Content-Type: text/html; charset=utf-8\r\n");
    assert_has(answer, "Content-Security-Policy: default-src 'none'; ");
    assert_has(answer, "Cache-Control: no-store\r\n");
    assert_has(answer, "</html>\n");
}

static void the_page_tells_of_a_stuck_worker(void **state)
{
    struct fixture *f = *state;
    f->asleep = true;
    assert_has(ask(f, "GET /status"), "A worker does not answer");
}

static void head_is_get_without_a_body(void **state)
{
    const char *answer = ask(*state, "HEAD /readyz");
    assert_has(answer, "200 OK");
    assert_has(answer, "Content-Length: 6\r\n");
    assert_has_not(answer, "\r\n\r\nready");
}

static void other_paths_are_a_problem(void **state)
{
    const char *answer = ask(*state, "GET /secret/thing");
    assert_has(answer, " 404 ");
    assert_has(answer, "Content-Type: application/problem+json\r\n");
    assert_has(answer, "Proxy-Status: bearerd; error=");
    assert_has(answer, "There is no /secret/thing here");
}

static void other_methods_are_a_problem(void **state)
{
    const char *answer = ask(*state, "POST /livez");
    assert_has(answer, " 405 ");
    assert_has(answer, "Allow: GET, HEAD\r\n");
}

static void a_refresh_that_fails_is_502_with_the_reason(void **state)
{
    const char *answer = ask(*state, "POST /providers/idp/refresh");
    assert_has(answer, " 502 ");
    assert_has(answer, "\"code\":\"token_unavailable\"");
    assert_has(answer, "127.0.0.1");
    assert_has_not(answer, "the-secret-of-the-test");
}

static void a_token_can_be_dropped(void **state)
{
    assert_has(ask(*state, "DELETE /providers/idp/token"), " 204 ");
}

static void an_unknown_provider_is_404(void **state)
{
    assert_has(ask(*state, "POST /providers/nobody/refresh"), "There is no provider nobody here");
}

static void an_unknown_order_is_404(void **state)
{
    assert_has(ask(*state, "POST /providers/idp/sell"), " 404 ");
}

static void an_order_wants_its_method(void **state)
{
    const char *answer = ask(*state, "GET /providers/idp/refresh");
    assert_has(answer, " 405 ");
    assert_has(answer, "Allow: POST\r\n");
}

static void strange_hosts_are_turned_away(void **state)
{
    struct fixture *f = *state;
    send_request(f, "GET /status.json", "Host: rebound.example.com\r\n");
    assert_has(read_answer(f), " 421 ");
}

static void strange_origins_are_turned_away(void **state)
{
    struct fixture *f = *state;
    send_request(f, "POST /providers/idp/refresh",
                 "Host: localhost:8081\r\nOrigin: http://evil.example.com\r\n");
    assert_has(read_answer(f), " 403 ");
}

static void its_own_pages_may_call(void **state)
{
    struct fixture *f = *state;
    send_request(f, "DELETE /providers/idp/token",
                 "Host: localhost:8081\r\nOrigin: http://localhost:8081\r\n");
    assert_has(read_answer(f), " 204 ");
}

static void its_end_frees_calls_that_wait(void **state)
{
    struct fixture *f = *state;
    f->asleep = true;
    send_request(f, "GET /livez", "Host: localhost\r\n");
    for (int i = 0; i < 10; i++)
        turn(f); /* teardown frees it, and the sanitizer looks whether all is gone */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_lives_while_the_loops_turn),
        TEST(a_stuck_worker_is_no_life),
        TEST(figures_come_even_from_a_stuck_worker),
        TEST(it_is_ready_or_says_why_not),
        TEST(ready_is_short),
        TEST(metrics_say_what_they_are),
        TEST(status_is_json),
        TEST(the_page_comes_with_its_policy),
        TEST(the_page_tells_of_a_stuck_worker),
        TEST(head_is_get_without_a_body),
        TEST(other_paths_are_a_problem),
        TEST(other_methods_are_a_problem),
        TEST(a_refresh_that_fails_is_502_with_the_reason),
        TEST(a_token_can_be_dropped),
        TEST(an_unknown_provider_is_404),
        TEST(an_unknown_order_is_404),
        TEST(an_order_wants_its_method),
        TEST(strange_hosts_are_turned_away),
        TEST(strange_origins_are_turned_away),
        TEST(its_own_pages_may_call),
        TEST(its_end_frees_calls_that_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
