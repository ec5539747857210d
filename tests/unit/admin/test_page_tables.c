#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "admin/admin_testing.h"
#include "admin/page_tables.h"
#include "admin/page_testing.h"

static const char *write_with(struct stage *s,
                              void (*add)(const struct page_view *v, struct buffer *out))
{
    const struct page_view v = {.state = &s->state, .now = now_read(), .alive = true};
    buffer_clear(&s->page);
    add(&v, &s->page);
    assert_balanced(stage_page(s));
    return stage_page(s);
}

static void providers_that_were_not_asked(void **state)
{
    const char *rows = write_with(*state, page_add_providers);
    assert_has(rows, "<th scope=\"row\" role=\"rowheader\">idp</th>");
    assert_has(rows, "<span class=\"badge idle\">empty</span>");
    assert_has(rows, "<span class=\"sub\">no token</span>");
    assert_has(rows, "<summary>0 token requests so far</summary>");
    assert_has(rows, "0 waiting");
}

static void a_failure_has_its_reason_and_its_history(void **state)
{
    struct stage *s = *state;
    stage_fail_provider(s, 1);
    const char *rows = write_with(s, page_add_providers);
    assert_has(rows, "<span class=\"badge fails\">failed</span><p class=\"why\">");
    assert_has(rows, "next attempt in ");
    assert_has(rows, "<summary>1 token request, the last ");
    assert_has(rows, "<caption>The last token requests of other</caption>");
    assert_has(rows, "<td role=\"cell\">unreachable</td>");
}

static void hostile_names_stay_names(void **state)
{
    struct stage *s = *state;
    stage_make_hostile(s);
    stage_fail_provider(s, 0);
    const char *rows = write_with(s, page_add_providers);
    assert_has(rows, "requests of " HOSTILE_ESCAPED "</caption>");
    assert_has(rows, "preset " HOSTILE_ESCAPED "</span>");
    assert_has_not(rows, "<script");
    rows = write_with(s, page_add_routes);
    assert_has(rows, "token of " HOSTILE_ESCAPED "</span>");
    assert_has(rows, HOSTILE_ESCAPED HOSTILE_ESCAPED " → https://api.example.com/v1/");
    assert_has_not(rows, "<script");
    assert_has_not(rows, "<b onclick");
}

static void routes_have_their_figures(void **state)
{
    struct stage *s = *state;
    stats_add(&stage_route(s, "pay", 0)->by_status[200], 6);
    stats_add(&stage_route(s, "pay", 1)->by_status[502], 3);
    stats_observe(&stage_route(s, "pay", 0)->duration, 300);
    stats_add(&stage_route(s, "pay", 1)->idle, 4);
    const char *rows = write_with(s, page_add_routes);
    assert_has(rows, "<b>9</b>");
    assert_has(rows, "<b>3</b>");
    assert_has(rows, "p50 <b>0.25 ms</b>");
    assert_has(rows, "0 active <span class=\"sub\">4 idle, 0 connecting</span>");
    assert_has(rows, "open.example.com/ → https://open.example.com");
    assert_has(rows, "without a token");
}

static void callers_have_their_answers(void **state)
{
    struct stage *s = *state;
    struct caller_stats *stats = caller_table_at(s->snapshot->callers, 0)->stats;
    stats_add(&stats[0].by_status[200], 5);
    stats_add(&stats[1].by_status[0], 2);
    const char *rows = write_with(s, page_add_callers);
    assert_has(rows, "shop</th>");
    assert_has(rows, "no answer: 2 200: 5 </td><td role=\"cell\">7</td>");
}

static void the_process_has_figures(void **state)
{
    struct stage *s = *state;
    stats_add(&stats_worker(s->state.stats, 1)->client_connections, 7);
    const char *figures = write_with(s, page_add_figures);
    assert_has(figures, "<dd id=\"clients\">7</dd>");
    assert_has(figures, "<dd id=\"workers\">2</dd>");
}

static void own_errors_are_counted(void **state)
{
    struct stage *s = *state;
    assert_has(write_with(s, page_add_errors), ">none<");
    stats_add(&stats_worker(s->state.stats, 1)->errors[PROBLEM_no_route], 2);
    const char *rows = write_with(s, page_add_errors);
    assert_has(rows, "no_route</th><td role=\"cell\">2</td>");
    assert_has_not(rows, "none");
}

#define TEST_OF(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OF(providers_that_were_not_asked), TEST_OF(a_failure_has_its_reason_and_its_history),
        TEST_OF(hostile_names_stay_names),      TEST_OF(routes_have_their_figures),
        TEST_OF(callers_have_their_answers),    TEST_OF(the_process_has_figures),
        TEST_OF(own_errors_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
