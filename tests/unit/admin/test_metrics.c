#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "admin/admin_testing.h"
#include "admin/metrics.h"

static const char *page_of(struct stage *s)
{
    buffer_clear(&s->page);
    metrics_write(&s->state, &s->page);
    return stage_page(s);
}

static void every_promised_name_is_there(void **state)
{
    static const char *const names[] = {
        "bearerd_requests_total counter",
        "bearerd_caller_requests_total counter",
        "bearerd_request_duration_seconds histogram",
        "bearerd_upstream_duration_seconds histogram",
        "bearerd_requests_in_flight gauge",
        "bearerd_client_connections gauge",
        "bearerd_access_log_lines_dropped_total counter",
        "bearerd_upstream_connections gauge",
        "bearerd_token_requests_total counter",
        "bearerd_token_request_duration_seconds histogram",
        "bearerd_token_expiry_timestamp_seconds gauge",
        "bearerd_token_waiters gauge",
        "bearerd_token_rejections_total counter",
        "bearerd_replays_total counter",
        "bearerd_errors_total counter",
        "bearerd_config_last_reload_successful gauge",
        "bearerd_build_info gauge",
        "process_cpu_seconds_total counter",
        "process_start_time_seconds gauge",
    };
    const char *page = page_of(*state);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_has(page, names[i]);
}

static void figures_come_from_all_workers(void **state)
{
    struct stage *s = *state;
    stats_add(&stage_route(s, "pay", 0)->by_status[200], 3);
    stats_add(&stage_route(s, "pay", 1)->by_status[200], 2);
    stats_add(&stage_route(s, "pay", 1)->by_status[502], 1);
    stats_add(&stage_route(s, "pay", 1)->idle, 4);
    stats_add(&stage_route(s, "open", 0)->replays, 7);
    stats_observe(&stage_route(s, "pay", 0)->duration, 1000);
    stats_add(&stats_provider(s->state.stats, "idp")[1].waiters, 9);
    stats_add(&stats_worker(s->state.stats, 0)->errors[PROBLEM_overloaded], 6);
    stats_add(&stats_worker(s->state.stats, 1)->in_flight, 5);
    stats_add(&stats_caller(s->state.stats, "shop")[0].by_status[429], 3);
    stats_add(&stats_caller(s->state.stats, "shop")[1].by_status[429], 4);
    const char *page = page_of(s);
    assert_has(page, "bearerd_caller_requests_total{caller=\"shop\",code=\"429\"} 7\n");
    assert_has(page, "bearerd_requests_total{route=\"pay\",code=\"200\"} 5\n");
    assert_has(page, "bearerd_requests_total{route=\"pay\",code=\"502\"} 1\n");
    assert_has_not(page, "code=\"404\"");
    assert_has(page, "bearerd_request_duration_seconds_bucket{route=\"pay\",le=\"0.0005\"} 0\n");
    assert_has(page, "bearerd_request_duration_seconds_bucket{route=\"pay\",le=\"0.001\"} 1\n");
    assert_has(page, "bearerd_upstream_connections{route=\"pay\",state=\"idle\"} 4\n");
    assert_has(page, "bearerd_replays_total{route=\"open\"} 7\n");
    assert_has(page, "bearerd_token_waiters{provider=\"idp\"} 9\n");
    assert_has(page, "bearerd_token_waiters{provider=\"other\"} 0\n");
    assert_has(page, "bearerd_errors_total{error=\"overloaded\"} 6\n");
    assert_has(page, "bearerd_requests_in_flight 5\n");
}

static void token_requests_are_counted_by_result(void **state)
{
    struct stage *s = *state;
    stage_fail_provider(s, 1);
    const char *page = page_of(s);
    assert_has(page, "bearerd_token_requests_total{provider=\"other\",result=\"unreachable\"} 1\n");
    assert_has(page, "bearerd_token_requests_total{provider=\"idp\",result=\"unreachable\"} 0\n");
    assert_has(page, "bearerd_token_request_duration_seconds_count{provider=\"other\"} 1\n");
    assert_has_not(page, "bearerd_token_expiry_timestamp_seconds{");
    assert_has_not(page, "the-secret-of-the-test");
}

static void a_failed_reload_shows(void **state)
{
    struct stage *s = *state;
    assert_has(page_of(s), "bearerd_config_last_reload_successful 1\n");
    s->state.reload_failed = true;
    assert_has(page_of(s), "bearerd_config_last_reload_successful 0\n");
}

static void the_start_is_a_moment(void **state)
{
    assert_has(page_of(*state), "process_start_time_seconds 1736942400.000000\n");
    assert_has(page_of(*state), "bearerd_build_info{version=\"" BEARERD_VERSION "\"} 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_promised_name_is_there, stage_setup, stage_teardown),
        cmocka_unit_test_setup_teardown(figures_come_from_all_workers, stage_setup, stage_teardown),
        cmocka_unit_test_setup_teardown(token_requests_are_counted_by_result, stage_setup,
                                        stage_teardown),
        cmocka_unit_test_setup_teardown(a_failed_reload_shows, stage_setup, stage_teardown),
        cmocka_unit_test_setup_teardown(the_start_is_a_moment, stage_setup, stage_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
