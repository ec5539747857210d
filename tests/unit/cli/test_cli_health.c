#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/capture.h"
#include "cli/cli_health.h"
#include "http/scripted_server.h"

static struct capture capture;
static struct scripted_server server;

/* The command against a file whose admin_listen is this; the server answers if it is asked. */
static int health(const char *admin_listen, const char *rest, const char *answer)
{
    char ini[512];
    (void)snprintf(ini, sizeof(ini), "[server]\nadmin_listen = %s\n%s", admin_listen, rest);
    capture_open(&capture, ini);
    server.answer = answer;
    capture_begin(&capture);
    int status = cli_health(capture.config);
    capture_end(&capture);
    capture_close(&capture);
    return status;
}

static const char *own_address(void)
{
    static char text[32];
    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", server.port);
    return text;
}

static int setup(void **state)
{
    (void)state;
    scripted_start(&server, answer_with);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scripted_stop(&server);
    return 0;
}

static void ready_is_0(void **state)
{
    (void)state;
    assert_int_equal(health(own_address(), "", "HTTP/1.1 200 OK\r\n\r\nready\n"), 0);
    assert_string_equal(capture.out, "ready\n");
    assert_string_equal(capture.errors, "");
    assert_has(server.requests[0], "GET /readyz ");
}

static void not_ready_is_1_and_says_why(void **state)
{
    (void)state;
    assert_int_equal(health(own_address(), "",
                            "HTTP/1.1 503 No\r\n\r\n[+] listening\n[-] provider a: no\033[2J\n"
                            "[-] provider b: never\nnot ready\n"),
                     1);
    assert_string_equal(capture.out, "");
    assert_has(capture.errors, "is not ready (503): provider a: no?[2J; provider b: never\n");
    assert_one_line(capture.errors);
}

/* A probe must not depend on secrets, nor on mistakes that the running process has not read. */
static void only_the_server_section_matters(void **state)
{
    (void)state;
    assert_int_equal(health(own_address(),
                            "[provider p]\nclient_secret = file:/nonexistent/secret\ntoken_ur = x\n"
                            "[nonsense]\n",
                            "HTTP/1.1 200 OK\r\n\r\n"),
                     0);
    assert_string_equal(capture.errors, "");
}

static void nobody_there_is_1(void **state)
{
    (void)state;
    assert_int_equal(health("127.0.0.1:1", "", ""), 1);
    assert_has(capture.errors, "cannot be asked at 127.0.0.1:1");
    assert_one_line(capture.errors);
}

static void off_is_1(void **state)
{
    (void)state;
    assert_int_equal(health("off", "", ""), 1);
    assert_has(capture.errors, "admin_listen");
    assert_one_line(capture.errors);
}

static void an_absent_file_is_78(void **state)
{
    (void)state;
    capture_open(&capture, "");
    capture_begin(&capture);
    int status = cli_health("/nonexistent/bearerd.ini");
    capture_end(&capture);
    capture_close(&capture);
    assert_int_equal(status, 78);
    assert_has(capture.errors, "/nonexistent/bearerd.ini");
    assert_one_line(capture.errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ready_is_0, setup, teardown),
        cmocka_unit_test_setup_teardown(not_ready_is_1_and_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(only_the_server_section_matters, setup, teardown),
        cmocka_unit_test(nobody_there_is_1),
        cmocka_unit_test(off_is_1),
        cmocka_unit_test(an_absent_file_is_78),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
