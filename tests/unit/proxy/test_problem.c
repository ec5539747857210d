#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/json.h"
#include "proxy/problem.h"

static struct json *written(const struct problem *p, const char *request_id)
{
    struct buffer b;
    buffer_init(&b, 8192);
    problem_write(&b, p, text_of(request_id));
    struct json *j = json_parse(buffer_text(&b), NULL);
    if (!j)
        fail_msg("no JSON: %s", buffer_string(&b));
    buffer_done(&b);
    return j;
}

static void assert_member(const struct json *j, const char *name, const char *expected)
{
    const char *value = json_string(json_at(j, text_of(name)));
    if (!value || strcmp(value, expected) != 0)
        fail_msg("%s is \"%s\" instead of \"%s\"", name, value ? value : "(none)", expected);
}

/* The table of the contract: what each code answers. */
static void every_code_has_its_status(void **state)
{
    (void)state;
    static const struct {
        enum problem_code code;
        const char *name;
        unsigned status;
    } table[] = {
        {PROBLEM_bad_request, "bad_request", 400},
        {PROBLEM_caller_unknown, "caller_unknown", 401},
        {PROBLEM_caller_forbidden, "caller_forbidden", 403},
        {PROBLEM_origin_forbidden, "origin_forbidden", 403},
        {PROBLEM_no_route, "no_route", 404},
        {PROBLEM_method_not_allowed, "method_not_allowed", 405},
        {PROBLEM_body_too_large, "body_too_large", 413},
        {PROBLEM_host_not_accepted, "host_not_accepted", 421},
        {PROBLEM_rate_limited, "rate_limited", 429},
        {PROBLEM_loop_detected, "loop_detected", 508},
        {PROBLEM_token_refused, "token_refused", 502},
        {PROBLEM_token_unavailable, "token_unavailable", 503},
        {PROBLEM_token_timeout, "token_timeout", 504},
        {PROBLEM_upstream_unreachable, "upstream_unreachable", 502},
        {PROBLEM_upstream_tls, "upstream_tls", 502},
        {PROBLEM_upstream_protocol, "upstream_protocol", 502},
        {PROBLEM_upstream_timeout, "upstream_timeout", 504},
        {PROBLEM_overloaded, "overloaded", 503},
        {PROBLEM_draining, "draining", 503},
        {PROBLEM_internal, "internal", 500},
    };
    assert_int_equal(ARRAY_SIZE(table), PROBLEM_COUNT - 1);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct problem p;
        assert_int_equal(problem_set(&p, table[i].code, "do %s", "this"), -1);
        assert_int_equal(p.status, table[i].status);
        assert_string_equal(problem_name(table[i].code), table[i].name);
        assert_string_equal(p.detail, "do this");
        assert_false(p.close || p.allow || p.retry_after_s || p.rate_policy || p.connection_error);
    }
    assert_string_equal(problem_name(PROBLEM_NONE), "");
}

static void the_body_is_json_with_all_members(void **state)
{
    (void)state;
    struct problem p;
    (void)problem_set(&p, PROBLEM_no_route, "say \"%s\"\n", "caf\xc3\xa9");
    struct json *j = written(&p, "id-1");
    double status = 0;
    assert_member(j, "type", "urn:bearerd:problem:no_route");
    assert_member(j, "title", "No route");
    assert_int_equal(json_number(json_at(j, TEXT("status")), &status), 0);
    assert_true(status > 403.5 && status < 404.5);
    assert_member(j, "detail", "say \"caf\xc3\xa9\"\n");
    assert_member(j, "code", "no_route");
    assert_member(j, "request_id", "id-1");
    json_free(j);
}

static void another_status_than_the_codes_is_told(void **state)
{
    (void)state;
    struct problem p;
    double status = 0;
    (void)problem_set(&p, PROBLEM_bad_request, "x");
    p.status = 417;
    struct json *j = written(&p, "");
    assert_int_equal(json_number(json_at(j, TEXT("status")), &status), 0);
    assert_true(status > 416.5 && status < 417.5);
    assert_null(json_at(j, TEXT("request_id")));
    json_free(j);
}

static void the_longest_and_oddest_detail_is_still_json(void **state)
{
    (void)state;
    char odd[PROBLEM_DETAIL_SIZE * 2], id[129];
    memset(odd, '\x01', sizeof(odd) - 1);
    odd[sizeof(odd) - 1] = '\0';
    memset(id, '\\', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    struct problem p;
    (void)problem_set(&p, PROBLEM_internal, "%s", odd);
    assert_int_equal(strlen(p.detail), PROBLEM_DETAIL_SIZE - 1);
    struct json *j = written(&p, id);
    assert_member(j, "detail", p.detail);
    assert_member(j, "request_id", id);
    json_free(j);
}

static void proxy_status_names_the_kind_of_error(void **state)
{
    (void)state;
    char text[PROXY_STATUS_SIZE];
    struct problem p;
    (void)problem_set(&p, PROBLEM_upstream_timeout, "x");
    assert_string_equal(problem_proxy_status(text, &p), "bearerd; error=http_response_timeout");
    p.connection_error = "connection_timeout";
    assert_string_equal(problem_proxy_status(text, &p), "bearerd; error=connection_timeout");
    for (int code = PROBLEM_NONE + 1; code < PROBLEM_COUNT; code++) {
        (void)problem_set(&p, (enum problem_code)code, "x");
        (void)problem_proxy_status(text, &p);
        assert_true(strlen(text) > strlen("bearerd; error=") + 5);
        assert_true(strlen(text) < PROXY_STATUS_SIZE - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_status),
        cmocka_unit_test(the_body_is_json_with_all_members),
        cmocka_unit_test(another_status_than_the_codes_is_told),
        cmocka_unit_test(the_longest_and_oddest_detail_is_still_json),
        cmocka_unit_test(proxy_status_names_the_kind_of_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
