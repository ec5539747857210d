#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/live_token.h"
#include "http/scripted_server.h"

#define OK "HTTP/1.1 200 OK\r\n\r\n"

static struct scripted_server server;
static struct buffer out;

static int setup(void **state)
{
    (void)state;
    scripted_start(&server, answer_with);
    buffer_init(&out, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scripted_stop(&server);
    buffer_done(&out);
    return 0;
}

/* What is said of the provider `idp` when the instance answers this. */
static const char *said(const char *answer)
{
    char host[] = "127.0.0.1", text[] = "here:1", name[] = "idp";
    struct config_address address = {.text = text, .host = host, .port = (uint16_t)server.port};
    struct provider_config provider = {.name = name};
    struct config config = {.providers = &provider, .provider_count = 1};
    config.server.admin_listen = (struct config_addresses){.items = &address, .count = 1};
    server.answer = answer;
    buffer_clear(&out);
    live_token_write(&config, 0, &out);
    assert_non_null(buffer_string(&out));
    return buffer_string(&out);
}

static void a_token_is_described_by_its_times(void **state)
{
    (void)state;
    assert_string_equal(
        said(OK "{\"providers\":[{\"name\":\"other\",\"token\":null},{\"name\":\"idp\",\"state\":"
                "\"ready\",\"token\":{\"expires_in\":119.5,\"lifetime\":3600.0,\"refresh_in\":"
                "7300},\"failure\":null}]}"),
        "the running instance has one, good for 119 s of 60 min; it is renewed in 2 h");
}

static void without_a_token_the_reason_is_told(void **state)
{
    (void)state;
    assert_string_equal(
        said(OK "{\"providers\":[{\"name\":\"idp\",\"state\":\"failed\",\"token\":null,\"failure\":"
                "{\"kind\":\"refused\",\"reason\":\"no\\u001b[2J\\n\",\"retry_in\":30}}]}"),
        "the running instance has none; the last attempt failed: no?[2J?; the next may begin in "
        "30 s");
    assert_string_equal(
        said(OK "{\"providers\":[{\"name\":\"idp\",\"state\":\"stopped\",\"token\":null,"
                "\"failure\":{\"reason\":null,\"retry_in\":null}}]}"),
        "the running instance has none; the last attempt failed: it does not say why");
    assert_string_equal(
        said(OK "{\"providers\":[{\"name\":\"idp\",\"state\":\"empty\",\"token\":null}]}"),
        "the running instance has none yet; the first request makes it ask for one");
    assert_string_equal(said(OK "{\"providers\":[{\"name\":\"idp\",\"state\":\"fetching\"}]}"),
                        "the running instance is asking for one now");
}

static void a_token_that_could_not_be_renewed_has_both(void **state)
{
    (void)state;
    assert_string_equal(
        said(OK
             "{\"providers\":[{\"name\":\"idp\",\"state\":\"retrying\",\"token\":{\"expires_in\":"
             "60},\"failure\":{\"reason\":\"down\",\"retry_in\":1}}]}"),
        "the running instance has one, good for 60 s; the last attempt failed: down; the next may "
        "begin in 1 s");
}

static void strangers_are_no_instance(void **state)
{
    static const char *const answers[] = {OK "hello", OK "{}", OK "[1]",
                                          "HTTP/1.1 404 No\r\n\r\n<html>"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        assert_string_equal(said(answers[i]), "not known: what answers on here:1 is no bearerd");
    assert_string_equal(said(OK "{\"providers\":[]}"),
                        "not known: the instance on here:1 has no provider idp; reload it");
    assert_string_equal(said("no HTTP"), "not known: no instance answers on here:1");
}

static void silence_is_not_waited_for(void **state)
{
    (void)state;
    server.script = answer_never;
    assert_string_equal(said(""), "not known: no instance answers on here:1");
}

static void without_a_listener_nobody_is_asked(void **state)
{
    struct config config = {.provider_count = 1};
    (void)state;
    buffer_init(&out, 4096);
    live_token_write(&config, 0, &out);
    assert_non_null(strstr(buffer_string(&out), "admin_listen is off"));
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_token_is_described_by_its_times, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_token_the_reason_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_token_that_could_not_be_renewed_has_both, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(strangers_are_no_instance, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_is_not_waited_for, setup, teardown),
        cmocka_unit_test(without_a_listener_nobody_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
