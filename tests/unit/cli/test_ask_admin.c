#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/un.h>

#include "cli/ask_admin.h"
#include "http/scripted_server.h"

/* Generous for those that answer, and short for the one that does not. */
enum { TIMEOUT_MS = 3000 };

struct fixture {
    struct scripted_server server;
    struct config_address address;
    char host[16];
    struct buffer body;
    struct error err;
    unsigned status;
};

static struct fixture fixture;

static int setup(void **state)
{
    struct fixture *f = *state = &fixture;
    scripted_start(&f->server, answer_with);
    (void)snprintf(f->host, sizeof(f->host), "127.0.0.1");
    f->address =
        (struct config_address){.text = f->host, .host = f->host, .port = (uint16_t)f->server.port};
    buffer_init(&f->body, 4096);
    f->err.text[0] = '\0';
    f->status = 0;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    scripted_stop(&f->server);
    buffer_done(&f->body);
    return 0;
}

static int ask(struct fixture *f, const char *answer)
{
    f->server.answer = answer;
    return ask_admin(&f->address, "/readyz?verbose", TIMEOUT_MS, &f->status, &f->body, &f->err);
}

static void an_answer_is_taken_whole(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "HTTP/1.1 503 Service Unavailable\r\nX: y\r\n\r\nnot\r\n\r\nready"), 0);
    assert_int_equal(f->status, 503);
    assert_string_equal(buffer_string(&f->body), "not\r\n\r\nready");
    assert_string_equal(f->server.requests[0], "GET /readyz?verbose HTTP/1.1\r\nHost: localhost\r\n"
                                               "Connection: close\r\n\r\n");
}

static void an_answer_without_body_is_one(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "HTTP/1.1 204 No Content\r\n\r\n"), 0);
    assert_int_equal(f->status, 204);
    assert_int_equal(buffer_size(&f->body), 0);
}

static void what_is_no_answer_is_refused(void **state)
{
    static const char *const answers[] = {
        "",
        "HTTP/1.1 200 OK\r\nX: y\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 ok\r\n\r\n",
        "HTTP/1.1 20",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        assert_int_equal(ask(f, answers[i]), -1);
        assert_non_null(strstr(f->err.text, "127.0.0.1 gives no proper answer"));
    }
    assert_int_equal(f->status, 0);
}

static void a_listener_that_is_silent_is_given_up(void **state)
{
    struct fixture *f = *state;
    f->server.script = answer_never;
    assert_int_equal(ask_admin(&f->address, "/", TIMEOUT_MS, &f->status, &f->body, &f->err), -1);
    assert_non_null(strstr(f->err.text, "timed out"));
}

static void nobody_there_is_told(void **state)
{
    struct fixture *f = *state;
    f->address.port = 1;
    assert_int_equal(ask(f, ""), -1);
    assert_non_null(strstr(f->err.text, "refused"));
}

static void *serve_once(void *arg)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\n\r\nhello";
    char request[512];
    int fd = accept(*(const int *)arg, NULL, NULL);
    if (recv(fd, request, sizeof(request), 0) > 0)
        scripted_send(fd, answer, strlen(answer));
    (void)close(fd);
    return NULL;
}

static void a_unix_socket_is_asked_too(void **state)
{
    struct fixture *f = *state;
    char folder[] = "/tmp/bearerd-ask-XXXXXX";
    struct sockaddr_un bound = {.sun_family = AF_UNIX};
    pthread_t thread;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(bound.sun_path, sizeof(bound.sun_path), "%s/s", folder);
    struct config_address address = {.text = f->host, .unix_path = bound.sun_path};
    assert_int_equal(ask_admin(&address, "/", TIMEOUT_MS, &f->status, &f->body, &f->err), -1);
    assert_non_null(strstr(f->err.text, "No such file"));

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&bound, sizeof(bound)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve_once, &fd), 0);
    assert_int_equal(ask_admin(&address, "/", TIMEOUT_MS, &f->status, &f->body, &f->err), 0);
    assert_string_equal(buffer_string(&f->body), "hello");
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(fd);
    (void)unlink(bound.sun_path);
    (void)rmdir(folder);
}

static void addresses_for_all_are_asked_on_loopback(void **state)
{
    (void)state;
    assert_string_equal(ask_admin_host("0.0.0.0"), "127.0.0.1");
    assert_string_equal(ask_admin_host("::"), "::1");
    assert_string_equal(ask_admin_host("10.0.0.1"), "10.0.0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_is_taken_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_without_body_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_answer_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_listener_that_is_silent_is_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_unix_socket_is_asked_too, setup, teardown),
        cmocka_unit_test(addresses_for_all_are_asked_on_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
