#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proxy/caller_gate.h"
#include "proxy/proxy_testing.h"

#define FILE_TEXT                                                                                  \
    "[server]\nlisten = unix:/x\naccept_hosts = *\n"                                               \
    "[route open]\npath = /open\nprovider = none\nupstream = https://a.example\n"                  \
    "[route shut]\npath = /shut\nprovider = none\nupstream = https://a.example\n"                  \
    "callers = shop\n"                                                                             \
    "[caller shop]\napi_key = literal:key-of-the-shop-1\napi_key_next = "                          \
    "literal:key-of-the-shop-2\n"                                                                  \
    "[caller till]\napi_key = literal:key-of-the-till-1\nrate = 2/s\nburst = 1\n"                  \
    "[caller user]\nunix_uid = 7\n"                                                                \
    "[caller group]\nunix_gid = 8\n"                                                               \
    "[caller both]\napi_key = literal:key-of-the-both-1\nunix_uid = 7\nunix_gid = 8\n"

/* As user:password in base64. */
#define BASIC_SHOP   "Basic eDprZXktb2YtdGhlLXNob3AtMQ=="
#define BASIC_SHOP_2 "Basic eDprZXktb2YtdGhlLXNob3AtMg=="
#define BASIC_TILL   "Basic eDprZXktb2YtdGhlLXRpbGwtMQ=="

#define SECOND (MS_PER_S * NS_PER_MS)

static struct {
    struct config *config;
    struct router *router;
    struct stats *stats;
    struct caller_table *table;
    struct sample_request sample;
    struct client client;
    struct problem problem;
    const struct caller_entry *known;
    const struct caller *caller;
} bed;

static int setup_with(const char *ini)
{
    bed.config = config_of_text(ini);
    bed.router = router_new(bed.config);
    bed.stats = stats_new(1);
    bed.table = caller_table_new(bed.config, bed.stats, NULL);
    assert_non_null(bed.table);
    bed.client = (struct client){0};
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(FILE_TEXT);
}

static int teardown(void **state)
{
    (void)state;
    caller_table_free(bed.table);
    stats_free(bed.stats);
    router_free(bed.router);
    config_unref(bed.config);
    return 0;
}

static void come_from(uid_t uid, gid_t gid)
{
    bed.client.is_unix = true;
    bed.client.uid = uid;
    bed.client.gid = gid;
}

static int ask_at(int64_t now_ns, const char *target, const char *fields)
{
    char head[8192];
    struct admission a = {0};
    (void)snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", target, fields);
    request_parse(&bed.sample, head);
    bed.sample.request.client = &bed.client;
    bed.known = NULL;
    int refused =
        admission_check(&bed.sample.request, &bed.config->server, bed.router, &a, &bed.problem);
    if (refused)
        fail_msg("not admitted: %s", bed.problem.detail);
    refused =
        caller_gate_admit(bed.table, &bed.sample.request, &a, now_ns, &bed.known, &bed.problem);
    bed.caller = bed.known ? bed.known->caller : NULL;
    request_done(&bed.sample);
    return refused;
}

static void assert_caller(const char *fields, const char *name)
{
    if (ask_at(SECOND, "/open", fields))
        fail_msg("refused: %s", fields);
    assert_string_equal(bed.caller->config->name, name);
}

static void assert_unknown(const char *fields)
{
    static char detail[PROBLEM_DETAIL_SIZE];
    if (!ask_at(SECOND, "/open", fields))
        fail_msg("let in: %s", fields);
    assert_null(bed.caller);
    assert_int_equal(bed.problem.code, PROBLEM_caller_unknown);
    assert_int_equal(bed.problem.status, 401);
    if (!*detail)
        memcpy(detail, bed.problem.detail, sizeof(detail));
    assert_string_equal(bed.problem.detail, detail); /* nothing tells what was wrong */
}

static void keys_come_in_three_places(void **state)
{
    (void)state;
    assert_caller("X-Api-Key: key-of-the-shop-1\r\n", "shop");
    assert_caller("x-api-key:key-of-the-shop-2\r\n", "shop");
    assert_caller("Authorization: " BASIC_SHOP "\r\n", "shop");
    assert_caller("Proxy-Authorization: " BASIC_SHOP "\r\n", "shop");
    assert_caller("authorization: bAsIc eDprZXktb2YtdGhlLXNob3AtMQ==\r\n", "shop");
    assert_caller("X-Api-Key: key-of-the-shop-1\r\nAuthorization: " BASIC_SHOP "\r\n"
                  "Proxy-Authorization: " BASIC_SHOP "\r\nX-Api-Key: key-of-the-shop-1\r\n",
                  "shop");
    assert_caller("Authorization: Bearer own\r\nX-Api-Key: key-of-the-shop-1\r\n", "shop");
}

static void what_is_not_right_is_not_known(void **state)
{
    (void)state;
    assert_unknown("");
    assert_unknown("X-Api-Key: key-of-the-shop-3\r\n");
    assert_unknown("X-Api-Key: \r\n");
    assert_unknown("X-Api-Key: KEY-OF-THE-SHOP-1\r\n");
    assert_unknown("X-Api-Key: key-of-the-shop-1,key-of-the-shop-1\r\n");
    assert_unknown("X_Api_Key: key-of-the-shop-1\r\n");
    assert_unknown("Authorization: Bearer key-of-the-shop-1\r\n");
    assert_unknown("Authorization: Basic\r\n");
    assert_unknown("Authorization: Basic eDo=\r\n");
    assert_unknown("Authorization: Basic %%%\r\n");
    assert_unknown("Authorization: Basic a2V5LW9mLXRoZS1zaG9wLTE=\r\n"); /* no colon */
    assert_unknown("Authorization: Basic a2V5LW9mLXRoZS1zaG9wLTE6\r\n"); /* key: */
}

static void keys_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    assert_unknown("X-Api-Key: key-of-the-shop-1\r\nAuthorization: " BASIC_TILL "\r\n");
    assert_unknown("X-Api-Key: key-of-the-shop-1\r\nX-Api-Key: key-of-the-till-1\r\n");
    assert_unknown("X-Api-Key: key-of-the-shop-1\r\nAuthorization: " BASIC_SHOP_2 "\r\n");
    assert_unknown("X-Api-Key: key-of-the-shop-1\r\nX-Api-Key: wrong\r\n");
    assert_unknown("X-Api-Key: wrong\r\nX-Api-Key: key-of-the-shop-1\r\n");
    assert_unknown("X-Api-Key: key-of-the-shop-1\r\nAuthorization: Basic %%%\r\n");
    assert_unknown("Authorization: Basic %%%\r\nX-Api-Key: key-of-the-shop-1\r\n");
}

static void peers_are_known_by_the_kernel(void **state)
{
    (void)state;
    assert_unknown("");
    come_from(9, 9);
    assert_unknown("");
    come_from(7, 9);
    assert_caller("", "user");
    come_from(9, 8);
    assert_caller("", "group");
    come_from(7, 8);
    assert_caller("", "both");
    assert_caller("X-Api-Key: key-of-the-shop-1\r\n", "shop");
    assert_unknown("X-Api-Key: wrong\r\n");
    assert_unknown("Authorization: Basic %%%\r\n");
}

static void show_certificate(char *subject, unsigned char first)
{
    static struct http_peer_certificate c;
    c = (struct http_peer_certificate){.subject = subject, .fingerprint = {first}};
    bed.client.certificate = &c;
}

#define ZEROS "00000000000000000000000000000000000000000000000000000000000000"

static int setup_certificates(void **state)
{
    (void)state;
    return setup_with(
        "[server]\naccept_hosts = *\n"
        "[route a]\nprovider = none\nupstream = https://a.example\n"
        "[caller named]\napi_key = literal:key-of-the-named\ntls_subject = CN=shop,O=Example\n"
        "[caller pinned]\napi_key = literal:key-of-the-pinned\ntls_fingerprint = 01" ZEROS
        ", 02" ZEROS "\n"
        "[caller both]\napi_key = literal:key-of-the-both-1\ntls_subject = "
        "CN=till\ntls_fingerprint "
        "= 03" ZEROS "\n"
        "[caller keyed]\napi_key = literal:key-of-the-shop-1\n");
}

static void certificates_are_known_by_subject_or_fingerprint(void **state)
{
    (void)state;
    assert_unknown("");
    show_certificate((char[]){"2.5.4.3=shop,2.5.4.10=Example"}, 9);
    assert_caller("", "named");
    show_certificate((char[]){"2.5.4.3=shop,2.5.4.10=Example"}, 1);
    assert_caller("", "pinned"); /* the closer look counts */
    show_certificate((char[]){"2.5.4.3=whoever"}, 2);
    assert_caller("", "pinned");
    assert_string_equal(bed.known->identity.key, "tls_fingerprint");
    show_certificate((char[]){"2.5.4.3=till"}, 3);
    assert_caller("", "both");
    assert_caller("X-Api-Key: key-of-the-shop-1\r\n", "keyed");
    assert_string_equal(bed.known->identity.key, "api_key");
    assert_unknown("X-Api-Key: wrong\r\n");
    show_certificate((char[]){"2.5.4.3=till"}, 9);
    assert_unknown("");
    show_certificate((char[]){"2.5.4.3=shop,2.5.4.10=Example"}, 3);
    assert_unknown("");
    show_certificate((char[]){"2.5.4.3=shop,2.5.4.10=Exampl"}, 9);
    assert_unknown("");
    show_certificate((char[]){""}, 9);
    assert_unknown("");
}

static void a_proxy_client_gets_407(void **state)
{
    (void)state;
    assert_int_equal(ask_at(SECOND, "http://h/open", ""), -1);
    assert_int_equal(bed.problem.code, PROBLEM_caller_unknown);
    assert_int_equal(bed.problem.status, 407);
    assert_int_equal(ask_at(SECOND, "http://h/open", "Proxy-Authorization: " BASIC_SHOP "\r\n"), 0);
}

static void a_rate_is_held(void **state)
{
    (void)state;
    static const char fields[] = "X-Api-Key: key-of-the-till-1\r\n";
    assert_int_equal(ask_at(SECOND, "/open", fields), 0);
    assert_int_equal(ask_at(SECOND, "/open", fields), -1);
    assert_int_equal(bed.problem.code, PROBLEM_rate_limited);
    assert_int_equal(bed.problem.status, 429);
    assert_int_equal(bed.problem.retry_after_s, 1);
    assert_string_equal(bed.problem.rate_policy, "\"caller\";q=2;w=1");
    assert_string_equal(bed.caller->config->name, "till"); /* for counters and log */
    assert_int_equal(ask_at(SECOND, "/open", "X-Api-Key: key-of-the-shop-1\r\n"), 0);
    assert_int_equal(ask_at(SECOND + SECOND / 2, "/open", fields), 0);
}

static void routes_say_whom_they_let_in(void **state)
{
    (void)state;
    assert_caller("X-Api-Key: key-of-the-till-1\r\n", "till");
    assert_int_equal(caller_gate_enter(bed.table, bed.caller, 0, &bed.problem), 0);
    assert_int_equal(caller_gate_enter(bed.table, bed.caller, 1, &bed.problem), -1);
    assert_int_equal(bed.problem.code, PROBLEM_caller_forbidden);
    assert_int_equal(bed.problem.status, 403);
    assert_caller("X-Api-Key: key-of-the-shop-1\r\n", "shop");
    assert_int_equal(caller_gate_enter(bed.table, bed.caller, 1, &bed.problem), 0);
}

static int setup_without(void **state)
{
    (void)state;
    return setup_with("[server]\naccept_hosts = *\n"
                      "[route a]\nprovider = none\nupstream = https://a.example\n");
}

static void without_callers_all_come_in(void **state)
{
    (void)state;
    assert_int_equal(ask_at(SECOND, "/open", "X-Api-Key: whatever\r\nAuthorization: Basic %\r\n"),
                     0);
    assert_null(bed.caller);
    assert_int_equal(caller_gate_enter(bed.table, NULL, 0, &bed.problem), 0);
}

static int setup_peers(void **state)
{
    (void)state;
    return setup_with("[server]\nlisten = unix:/x\naccept_hosts = *\n"
                      "[route a]\nprovider = none\nupstream = https://a.example\n"
                      "[caller user]\nunix_uid = 7\n");
}

/* X-Api-Key is the API's then, and Basic whatever the program still sends. */
static void where_nobody_has_a_key_none_is_looked_for(void **state)
{
    (void)state;
    come_from(7, 9);
    assert_caller("X-Api-Key: whatever\r\nAuthorization: Basic %\r\n", "user");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_come_in_three_places),
        TEST(what_is_not_right_is_not_known),
        TEST(keys_that_contradict_each_other_are_refused),
        TEST(peers_are_known_by_the_kernel),
        TEST(a_proxy_client_gets_407),
        cmocka_unit_test_setup_teardown(certificates_are_known_by_subject_or_fingerprint,
                                        setup_certificates, teardown),
        TEST(a_rate_is_held),
        TEST(routes_say_whom_they_let_in),
        cmocka_unit_test_setup_teardown(without_callers_all_come_in, setup_without, teardown),
        cmocka_unit_test_setup_teardown(where_nobody_has_a_key_none_is_looked_for, setup_peers,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
