#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/scripted_server.h"
#include "oauth/oauth_testing.h"
#include "oauth/token_once.h"

static struct scripted_server server;
static struct config *config;
static struct token_once once;

static int setup(void **state)
{
    (void)state;
    log_configure(LOG_ERROR, LOG_TEXT);
    scripted_start(&server, answer_with);
    once = (struct token_once){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    token_once_done(&once);
    config_unref(config);
    config = NULL;
    scripted_stop(&server);
    return 0;
}

static void get(const char *answer, const char *lines)
{
    char text[1024];
    struct error err = {""};
    server.answer = answer;
    (void)snprintf(text, sizeof(text),
                   "[provider other]\ntoken_url = http://127.0.0.1:1/\nclient_id = literal:a\n"
                   "client_secret = literal:b\n"
                   "[provider idp]\ntoken_url = http://127.0.0.1:%u/token\n"
                   "client_id = literal:a\nclient_secret = literal:b\n%s",
                   server.port, lines);
    config = config_of_text(text);
    if (token_once_get(config, 1, &once, &err))
        fail_msg("%s", err.text);
}

static void a_token_comes_with_what_is_known_of_it(void **state)
{
    (void)state;
    get("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        "{\"access_token\":\"t\",\"expires_in\":\"3599\",\"scope\":\"a "
        "b\",\"refresh_token\":\"r\"}",
        "");
    assert_true(secret_equal(once.token, TEXT("t")));
    assert_int_equal(once.lifetime_ms, 3599000);
    assert_string_equal(once.scope, "a b");
    assert_true(once.has_refresh);
    assert_true(once.asked);
    assert_int_equal(once.last.result, TOKEN_SUCCESS_REPLY);
    assert_true(once.last.total_us > 0 && once.last.first_byte_us > 0);
    assert_int_equal(atomic_load(&server.count), 1);
}

static void a_refusal_says_why(void **state)
{
    (void)state;
    get("HTTP/1.1 401 No\r\nConnection: close\r\n\r\n{\"error\":\"invalid_client\"}", "");
    assert_null(once.token);
    assert_string_equal(once.reason, "status 401: invalid_client");
    assert_int_equal(once.last.result, TOKEN_REFUSED_REPLY);
}

static void silence_ends_with_the_timeout(void **state)
{
    (void)state;
    server.script = answer_never;
    get("", "token_timeout = 200ms\n");
    assert_null(once.token);
    assert_int_equal(once.last.result, TOKEN_TIMEOUT_REPLY);
}

static void a_refresh_that_fails_is_followed_by_the_grant(void **state)
{
    (void)state;
    get("HTTP/1.1 400 No\r\nConnection: close\r\n\r\n{\"error\":\"invalid_grant\"}",
        "refresh_token = literal:old\n");
    assert_null(once.token);
    assert_int_equal(atomic_load(&server.count), 2);
    assert_non_null(strstr(server.requests[0], "grant_type=refresh_token&refresh_token=old"));
    assert_non_null(strstr(server.requests[1], "grant_type=client_credentials"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_token_comes_with_what_is_known_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_ends_with_the_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refresh_that_fails_is_followed_by_the_grant, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
