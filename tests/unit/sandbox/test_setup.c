#include "sandbox/ask.h"
#include "sandbox/setup.h"

static const char *ini(struct buffer *out)
{
    buffer_init(out, 64 * 1024);
    assert_int_equal(sandbox_add_ini("127.0.0.1:4711", out), 0);
    return buffer_string(out);
}

static void each_provider_has_a_section_and_a_route(void **state UNUSED)
{
    struct buffer out;
    const char *text = ini(&out);
    static const char *const names[] = {"kra", "truphone", "bambora", "wetix", "airpay"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "[provider %s]\n", names[i]);
        assert_non_null(strstr(text, line));
        (void)snprintf(line, sizeof(line), "[route %s]\n", names[i]);
        assert_non_null(strstr(text, line));
        (void)snprintf(line, sizeof(line), "upstream = http://127.0.0.1:4711/%s/", names[i]);
        assert_non_null(strstr(text, line));
    }
    assert_null(strchr(text, '@'));
    buffer_done(&out);
}

/* Every token_url of the text leads to something that knows POST or GET, and is no 404. */
static void the_addresses_are_the_sandbox_s(void **state)
{
    struct ask *a = *state;
    struct buffer out;
    const char *at = ini(&out);
    int count = 0;
    while ((at = strstr(at, "_url")) != NULL) {
        at = strstr(at, "http://127.0.0.1:4711/");
        assert_non_null(at);
        at += strlen("http://127.0.0.1:4711");
        char path[128];
        (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(at, "\n"), at);
        assert_int_not_equal(ask(a, "POST", path, ""), 404);
        count++;
    }
    assert_int_equal(count, 6); /* WeTix has a refresh_url */
    buffer_done(&out);
}

static void too_small_a_buffer_is_a_failure(void **state UNUSED)
{
    struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(sandbox_add_ini("127.0.0.1:4711", &out), -1);
    buffer_done(&out);
}

static void a_sample_is_a_curl_command(void **state UNUSED)
{
    CLEANUP(buffer_done) struct buffer out;
    buffer_init(&out, 1024);
    assert_int_equal(
        sandbox_sample_add_curl(&sandbox_samples[SANDBOX_BAMBORA], "127.0.0.1:8080", &out), 0);
    assert_string_equal(buffer_string(&out),
                        "curl http://127.0.0.1:8080/bambora/payments -H 'Content-Type: "
                        "application/json' -d '{\"amount\": 100}'");
    buffer_clear(&out);
    assert_int_equal(
        sandbox_sample_add_curl(&sandbox_samples[SANDBOX_TRUPHONE], "127.0.0.1:8080", &out), 0);
    assert_string_equal(buffer_string(&out), "curl http://127.0.0.1:8080/truphone/v1/sims");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_provider_has_a_section_and_a_route),
        ASK_TEST(the_addresses_are_the_sandbox_s),
        cmocka_unit_test(too_small_a_buffer_is_a_failure),
        cmocka_unit_test(a_sample_is_a_curl_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
