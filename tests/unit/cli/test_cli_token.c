#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/capture.h"
#include "cli/cli_token.h"
#include "http/scripted_server.h"

#define GOOD                                                                                       \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"               \
    "{\"access_token\":\"the-token-itself\",\"expires_in\":5400,\"scope\":\"read write\","         \
    "\"refresh_token\":\"the-refresh-token\"}"

static struct capture capture;
static struct scripted_server server;

static int token(const char *provider, bool show, const char *answer)
{
    char ini[512];
    (void)snprintf(ini, sizeof(ini),
                   "[provider idp]\ntoken_url = http://127.0.0.1:%u/token\n"
                   "client_id = literal:an-id\nclient_secret = literal:the-secret-of-the-test\n"
                   "[route all]\nprovider = idp\nupstream = http://127.0.0.1:1\n",
                   server.port);
    capture_open(&capture, ini);
    server.answer = answer;
    capture_begin(&capture);
    int status = cli_token(capture.config, provider, show);
    capture_end(&capture);
    capture_close(&capture);
    assert_has_not(capture.out, "the-secret-of-the-test");
    assert_has_not(capture.errors, "the-secret-of-the-test");
    return status;
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

static void a_token_is_described(void **state)
{
    (void)state;
    assert_int_equal(token("idp", false, GOOD), 0);
    assert_has(capture.out, "provider  idp\n");
    assert_has(capture.out, "lifetime  5400 s (1 h 30 min)\n");
    assert_has(capture.out, "scope     read write\n");
    assert_has(capture.out, "refresh   a refresh token is at hand\n");
    assert_has(capture.out, "timings   ");
    assert_has(capture.out, " ms\n");
    assert_has_not(capture.out, "the-token-itself");
    assert_has_not(capture.out, "the-refresh-token");
    assert_int_equal(atomic_load(&server.count), 1);
}

static void it_is_shown_on_request(void **state)
{
    (void)state;
    assert_int_equal(token("idp", true, GOOD), 0);
    assert_has(capture.out, "token     the-token-itself\n");
    assert_has_not(capture.out, "the-refresh-token");
}

static void a_refusal_is_told_in_one_line(void **state)
{
    (void)state;
    assert_int_equal(token("idp", true,
                           "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n"
                           "Connection: close\r\n\r\n{\"error\":\"invalid_client\"}"),
                     1);
    assert_string_equal(capture.out, "");
    assert_has(capture.errors, "idp gave no token");
    assert_has(capture.errors, "invalid_client");
    assert_one_line(capture.errors);
    assert_int_equal(atomic_load(&server.count), 1);
}

static void an_unknown_provider_gets_a_suggestion(void **state)
{
    (void)state;
    assert_int_equal(token("ipd", false, GOOD), 64);
    assert_has(capture.errors, "has no [provider ipd]; did you mean idp?\n");
    assert_int_equal(atomic_load(&server.count), 0);
}

static void a_bad_file_is_78(void **state)
{
    (void)state;
    capture_open(&capture, "[provider p]\ntoken_ur = x\n");
    capture_begin(&capture);
    int status = cli_token(capture.config, "p", false);
    capture_end(&capture);
    capture_close(&capture);
    assert_int_equal(status, 78);
    assert_has(capture.errors, "did you mean token_url?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_token_is_described, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_shown_on_request, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_is_told_in_one_line, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_provider_gets_a_suggestion, setup, teardown),
        cmocka_unit_test(a_bad_file_is_78),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
