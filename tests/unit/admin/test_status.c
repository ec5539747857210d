#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "admin/admin_testing.h"
#include "admin/status.h"

/* The document, which must be JSON and hold no secret. */
static struct json *document_of(struct stage *s)
{
    struct error err;
    buffer_clear(&s->page);
    status_write(&s->state, true, &s->page);
    assert_has_not(stage_page(s), "the-secret-of-the-test");
    struct json *j = json_parse(buffer_text(&s->page), &err);
    if (!j)
        fail_msg("%s: %s", err.text, stage_page(s));
    return j;
}

static void assert_text(const struct json *j, const char *path, const char *expected)
{
    const struct json *value = json_at(j, text_of(path));
    assert_non_null(value);
    assert_string_equal(json_string(value), expected);
}

static void assert_number(const struct json *j, const char *path, double expected)
{
    double number = -1;
    const struct json *value = json_at(j, text_of(path));
    assert_non_null(value);
    assert_int_equal(json_number(value, &number), 0);
    assert_float_equal(number, expected, 0.0001);
}

static void providers_and_routes_are_told(void **state)
{
    struct json *j = document_of(*state);
    assert_text(j, "version", BEARERD_VERSION);
    assert_text(j, "configuration", "test.ini");
    assert_text(j, "started", "2025-01-15T12:00:00.000Z");
    assert_text(j, "providers.0.name", "idp");
    assert_text(j, "providers.0.state", "empty");
    assert_text(j, "providers.1.name", "other");
    assert_text(j, "routes.0.name", "pay");
    assert_text(j, "routes.0.provider", "idp");
    assert_text(j, "routes.0.path", "/pay");
    assert_text(j, "routes.0.upstream", "https://api.example.com/v1/");
    assert_text(j, "routes.1.host", "open.example.com");
    assert_null(json_string(json_at(j, TEXT("routes.1.provider"))));
    assert_number(j, "workers", STAGE_WORKERS);
    json_free(j);
}

static void a_failure_is_told_in_words(void **state)
{
    struct stage *s = *state;
    stage_fail_provider(s, 0);
    struct json *j = document_of(s);
    assert_text(j, "providers.0.state", "failed");
    assert_text(j, "providers.0.failure.kind", "unavailable");
    assert_has(json_string(json_at(j, TEXT("providers.0.failure.reason"))), "127.0.0.1");
    assert_text(j, "providers.0.history.0.result", "unreachable");
    assert_number(j, "providers.0.requests.unreachable", 1);
    assert_number(j, "providers.1.requests.unreachable", 0);
    json_free(j);
}

static void routes_have_their_figures(void **state)
{
    struct stage *s = *state;
    stats_add(&stage_route(s, "pay", 0)->by_status[200], 6);
    stats_add(&stage_route(s, "pay", 1)->by_status[502], 3);
    stats_add(&stage_route(s, "pay", 1)->by_status[0], 1);
    stats_observe(&stage_route(s, "pay", 0)->duration, 300);
    stats_observe(&stage_route(s, "pay", 1)->duration, 100);
    stats_add(&stage_route(s, "pay", 1)->active, 2);
    struct json *j = document_of(s);
    assert_number(j, "routes.0.requests", 10);
    assert_number(j, "routes.0.errors", 4);
    assert_number(j, "routes.0.by_status.502", 3);
    assert_number(j, "routes.0.latency.mean", 0.0002);
    assert_number(j, "routes.0.latency.p50", 0.00025);
    assert_number(j, "routes.0.latency.buckets.0", 2);
    assert_number(j, "routes.0.latency.buckets.14", 0);
    assert_number(j, "latency_bounds.0", 0.0005);
    assert_number(j, "routes.0.connections.active", 2);
    assert_null(json_at(j, TEXT("routes.1.latency.mean")));
    json_free(j);
}

static void callers_have_their_figures(void **state)
{
    struct stage *s = *state;
    stats_add(&stats_caller(s->state.stats, "shop")[0].by_status[200], 2);
    stats_add(&stats_caller(s->state.stats, "shop")[1].by_status[429], 1);
    struct json *j = document_of(s);
    assert_text(j, "callers.0.name", "shop");
    assert_number(j, "callers.0.requests", 3);
    assert_number(j, "callers.0.by_status.429", 1);
    assert_null(json_at(j, TEXT("callers.1")));
    json_free(j);
}

static void own_errors_and_a_reload_are_told(void **state)
{
    struct stage *s = *state;
    stats_add(&stats_worker(s->state.stats, 1)->errors[PROBLEM_no_route], 2);
    s->state.reload_wall_ms = INT64_C(1736942460000);
    s->state.reload_failed = true;
    struct json *j = document_of(s);
    assert_number(j, "own_errors.no_route", 2);
    assert_text(j, "last_reload.at", "2025-01-15T12:01:00.000Z");
    assert_has(stage_page(s), "\"successful\":false");
    json_free(j);
}

static void concerns_and_the_process_are_told(void **state)
{
    struct stage *s = *state;
    double number = 0;
    s->state.reload_failed = true;
    struct json *j = document_of(s);
    assert_has(json_string(json_at(j, TEXT("concerns.0.text"))), "The last reload failed");
    assert_has(stage_page(s), "\"alive\":true");
    assert_int_equal(json_number(json_at(j, TEXT("process.resident_bytes")), &number), 0);
    assert_true(number > 1 << 20);
    json_free(j);
}

static void one_provider_stands_alone(void **state)
{
    struct stage *s = *state;
    struct error err;
    status_write_provider(&s->state, 1, &s->page);
    struct json *j = json_parse(buffer_text(&s->page), &err);
    assert_non_null(j);
    assert_text(j, "name", "other");
    json_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(providers_and_routes_are_told, stage_setup, stage_teardown),
        cmocka_unit_test_setup_teardown(a_failure_is_told_in_words, stage_setup, stage_teardown),
        cmocka_unit_test_setup_teardown(routes_have_their_figures, stage_setup, stage_teardown),
        cmocka_unit_test_setup_teardown(callers_have_their_figures, stage_setup, stage_teardown),
        cmocka_unit_test_setup_teardown(own_errors_and_a_reload_are_told, stage_setup,
                                        stage_teardown),
        cmocka_unit_test_setup_teardown(concerns_and_the_process_are_told, stage_setup,
                                        stage_teardown),
        cmocka_unit_test_setup_teardown(one_provider_stands_alone, stage_setup, stage_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
