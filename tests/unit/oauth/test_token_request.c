#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/token_request.h"

#include "base/json.h"
#include "oauth/oauth_testing.h"

/* One request, built and kept until free_built. */
struct built {
    struct config *config;
    struct secret *refresh_token;
    struct token_request request;
};

static void build(struct built *b, const char *lines, const char *refresh_token)
{
    struct error err = {""};
    *b = (struct built){.config = config_of_text(lines)};
    if (refresh_token)
        b->refresh_token = secret_new(text_of(refresh_token));
    struct token_request_input input = {
        .provider = &b->config->providers[0],
        .refresh_token = b->refresh_token,
        .wall_ms = INT64_C(1736965800000), /* 2025-01-15T18:30:00Z, 2025-01-16 in India */
        .timeout_ms = 1234,
    };
    if (token_request_build(&b->request, &input, &err))
        fail_msg("%s", err.text);
    assert_int_equal(b->request.fetch.timeout_ms, 1234);
}

static void free_built(struct built *b)
{
    token_request_done(&b->request);
    secret_unref(b->refresh_token);
    config_unref(b->config);
}

static void assert_field(const struct built *b, const char *name, const char *value)
{
    const struct fetch_request *r = &b->request.fetch;
    const struct field *f = field_find(r->fields, r->field_count, text_of(name));
    if (!value && f)
        fail_msg("%s: \"%.*s\" should not be there", name, TEXT_ARG(f->value));
    if (value && (!f || !text_equal(f->value, text_of(value))))
        fail_msg("%s: \"%.*s\" instead of \"%s\"", name, f ? (int)f->value.size : 0,
                 f ? f->value.at : "", value);
}

static void assert_sent(const struct built *b, const char *method, const char *url,
                        const char *body)
{
    const struct fetch_request *r = &b->request.fetch;
    assert_string_equal(r->method, method);
    if (!text_equal(r->url, text_of(url)))
        fail_msg("URL %.*s instead of %s", TEXT_ARG(r->url), url);
    if (!text_equal(r->body, text_of(body)))
        fail_msg("body %.*s instead of %s", TEXT_ARG(r->body), body);
}

#define IDP(lines)                                                                                 \
    "[provider idp]\ntoken_url = https://idp.example/token\n"                                      \
    "client_id = literal:id:x\nclient_secret = literal:p:w%+d &=/\n" lines

static void the_plain_grant_is_rfc_6749(void **state)
{
    (void)state;
    struct built b;
    build(&b, IDP("scope = read write\n"), NULL);
    assert_sent(&b, "POST", "https://idp.example/token",
                "grant_type=client_credentials&scope=read+write");
    assert_field(&b, "Accept", "application/json");
    assert_field(&b, "User-Agent", "bearerd/" BEARERD_VERSION);
    assert_field(&b, "Content-Type", "application/x-www-form-urlencoded");
    /* id%3Ax:p%3Aw%25%2Bd+%26%3D%2F */
    assert_field(&b, "Authorization", "Basic aWQlM0F4OnAlM0F3JTI1JTJCZCslMjYlM0QlMkY=");
    free_built(&b);
}

static void raw_basic_joins_as_they_are(void **state)
{
    (void)state;
    struct built b;
    build(&b, IDP("basic_encoding = raw\n"), NULL);
    assert_field(&b, "Authorization", "Basic aWQ6eDpwOnclK2QgJj0v"); /* id:x:p:w%+d &=/ */
    free_built(&b);
}

static void post_puts_the_client_into_the_body(void **state)
{
    (void)state;
    struct built b;
    build(&b, IDP("client_auth = client_secret_post\n"), NULL);
    assert_sent(&b, "POST", "https://idp.example/token",
                "grant_type=client_credentials&client_id=id%3Ax&"
                "client_secret=p%3Aw%25%2Bd+%26%3D%2F");
    assert_field(&b, "Authorization", NULL);
    free_built(&b);
}

static void query_puts_only_the_client_into_the_url(void **state)
{
    (void)state;
    struct built b;
    build(&b, IDP("client_auth = client_secret_query\n"), NULL);
    assert_sent(&b, "POST",
                "https://idp.example/token?client_id=id%3Ax&client_secret=p%3Aw%25%2Bd%20%26%3D%2F",
                "grant_type=client_credentials");
    free_built(&b);
}

static void json_bodies_carry_strings(void **state)
{
    (void)state;
    struct built b;
    build(&b, IDP("token_body = json\nclient_auth = client_secret_post\ntoken_param.n = 1\n"),
          NULL);
    assert_sent(&b, "POST", "https://idp.example/token",
                "{\"grant_type\":\"client_credentials\",\"client_id\":\"id:x\","
                "\"client_secret\":\"p:w%+d &=/\",\"n\":\"1\"}");
    assert_field(&b, "Content-Type", "application/json");
    free_built(&b);
}

/* KRA: GET, the grant in the query, no body and nothing that describes one */
static void get_puts_the_grant_into_the_query(void **state)
{
    (void)state;
    struct built b;
    build(&b, IDP("token_method = GET\nscope = a b\n"), NULL);
    assert_sent(&b, "GET", "https://idp.example/token?grant_type=client_credentials&scope=a%20b",
                "");
    assert_field(&b, "Content-Type", NULL);
    free_built(&b);
}

/* MTN MoMo: a POST that must have no body */
static void a_post_without_body_uses_the_query_too(void **state)
{
    (void)state;
    struct built b;
    build(&b, IDP("token_body = none\ngrant_type = none\n"), NULL);
    assert_sent(&b, "POST", "https://idp.example/token", "");
    assert_field(&b, "Content-Type", NULL);
    free_built(&b);
}

static void a_query_of_the_url_is_kept(void **state)
{
    (void)state;
    struct built b;
    build(&b,
          "[provider idp]\ntoken_url = https://idp.example/token?v=2\ngrant_type = none\n"
          "client_id = literal:i\nclient_secret = literal:s\n"
          "token_query.grant_type = client_credentials\n",
          NULL);
    assert_sent(&b, "POST", "https://idp.example/token?v=2&grant_type=client_credentials", "");
    free_built(&b);
}

static void everything_else_goes_along(void **state)
{
    (void)state;
    struct built b;
    build(&b,
          IDP("grant_type = password\nusername = literal:u\npassword = literal:p\n"
              "audience = https://api/\nresource = https://a, https://b\n"
              "token_param.child_Key = {client_id}\n"),
          NULL);
    assert_sent(&b, "POST", "https://idp.example/token",
                "grant_type=password&username=u&password=p&audience=https%3A%2F%2Fapi%2F&"
                "resource=https%3A%2F%2Fa&resource=https%3A%2F%2Fb&child_Key=id%3Ax");
    free_built(&b);
}

static void configured_header_fields_replace_ours(void **state)
{
    (void)state;
    struct built b;
    build(&b,
          IDP("token_header.accept = */*\ntoken_header.X-Key = k-{client_id}\n"
              "token_header.User-Agent = other/1\n"),
          NULL);
    assert_field(&b, "Accept", "*/*");
    assert_field(&b, "User-Agent", "other/1");
    assert_field(&b, "X-Key", "k-id:x");
    assert_int_equal(b.request.fetch.field_count, 5);
    free_built(&b);
}

static void a_client_without_secret_names_itself(void **state)
{
    (void)state;
    struct built b;
    build(&b,
          "[provider idp]\ntoken_url = https://idp.example/token\nclient_auth = none\n"
          "client_id = literal:public\n",
          NULL);
    assert_sent(&b, "POST", "https://idp.example/token",
                "grant_type=client_credentials&client_id=public");
    free_built(&b);
}

/* Finicity: no grant, names of its own */
static void a_configuration_that_places_the_client_itself_is_left_alone(void **state)
{
    (void)state;
    struct built b;
    build(&b,
          IDP("client_auth = none\ngrant_type = none\ntoken_body = json\n"
              "token_param.partnerId = {client_id}\ntoken_param.partnerSecret = {client_secret}\n"),
          NULL);
    assert_sent(&b, "POST", "https://idp.example/token",
                "{\"partnerId\":\"id:x\",\"partnerSecret\":\"p:w%+d &=/\"}");
    free_built(&b);
}

static void a_refresh_sends_what_it_must_and_no_more(void **state)
{
    (void)state;
    struct built b;
    build(&b,
          IDP("scope = s\naudience = a\nresource = r\ntoken_param.p = 1\ntoken_query.q = 1\n"
              "refresh_param.extra = e\ntoken_header.X-Key = k\n"),
          "the/refresh+token");
    assert_sent(&b, "POST", "https://idp.example/token",
                "grant_type=refresh_token&refresh_token=the%2Frefresh%2Btoken&extra=e");
    assert_field(&b, "X-Key", "k");
    assert_field(&b, "Authorization", "Basic aWQlM0F4OnAlM0F3JTI1JTJCZCslMjYlM0QlMkY=");
    free_built(&b);
}

/* WeTix */
static void a_refresh_has_its_own_url_and_the_body_of_the_grant(void **state)
{
    (void)state;
    struct built b;
    build(&b,
          IDP("token_body = json\nrefresh_url = https://idp.example/refresh\n"
              "basic_encoding = raw\n"),
          "rt");
    assert_sent(&b, "POST", "https://idp.example/refresh",
                "{\"grant_type\":\"refresh_token\",\"refresh_token\":\"rt\"}");
    free_built(&b);
}

static void a_refresh_by_post_names_the_client_in_the_body(void **state)
{
    (void)state;
    struct built b;
    build(&b, IDP("client_auth = client_secret_post\n"), "rt");
    assert_sent(&b, "POST", "https://idp.example/token",
                "grant_type=refresh_token&refresh_token=rt&client_id=id%3Ax&"
                "client_secret=p%3Aw%25%2Bd+%26%3D%2F");
    free_built(&b);
}

static void each_request_has_a_uuid_of_its_own(void **state)
{
    (void)state;
    struct built a, b;
    build(&a, IDP("token_header.X-Id = {uuid}\ntoken_param.id = {uuid}\n"), NULL);
    build(&b, IDP("token_header.X-Id = {uuid}\ntoken_param.id = {uuid}\n"), NULL);
    struct text id = token_params_get(&a.request.headers, "X-Id");
    assert_int_equal(id.size, 36);
    assert_true(text_equal(id, token_params_get(&a.request.params, "id")));
    assert_false(text_equal(id, token_params_get(&b.request.headers, "X-Id")));
    free_built(&a);
    free_built(&b);
}

static void the_transport_is_the_providers(void **state)
{
    (void)state;
    struct built b;
    build(&b, IDP("proxy = http://127.0.0.1:3128\n"), NULL);
    assert_string_equal(b.request.fetch.proxy, "http://127.0.0.1:3128");
    assert_null(b.request.fetch.ca_file);
    free_built(&b);
}

#define AIRPAY(lines)                                                                              \
    "[provider idp]\ntoken_url = https://idp.example/oauth2/\n"                                    \
    "client_id = literal:4b88dc\nclient_secret = literal:51d68722cca2b4bb096262c326bd24bb\n"       \
    "client_auth = client_secret_post\nenvelope = airpay-v4\n"                                     \
    "envelope_username = literal:demoUser01\nenvelope_password = literal:demoPass01\n"             \
    "token_param.merchant_id = 456\n" lines

static void the_envelope_hides_all_but_the_merchant(void **state)
{
    (void)state;
    struct built b;
    build(&b, AIRPAY(""), NULL);
    struct text body = b.request.fetch.body;
    assert_true(text_starts_with(body, TEXT("merchant_id=456&encdata=")));
    assert_false(text_contains_nocase(body, TEXT("4b88dc")));
    assert_false(text_contains_nocase(body, TEXT("client_credentials")));
    /* the test vector's fields on 2025-01-16: the time is past midnight in India */
    assert_true(text_ends_with_nocase(
        body, TEXT("&checksum=6b4a04f7438b5dfe74a734f4968450b35e5cc10455497a97b629c7b8f4d2a434")));
    assert_field(&b, "Content-Type", "application/x-www-form-urlencoded");
    free_built(&b);
}

static void the_envelopes_date_can_be_utcs(void **state)
{
    (void)state;
    struct built b = {.config = config_of_text(AIRPAY(""))};
    struct token_request_input input = {.provider = &b.config->providers[0],
                                        .wall_ms = INT64_C(1736965800000),
                                        .timeout_ms = 1,
                                        .utc_date = true};
    assert_int_equal(token_request_build(&b.request, &input, NULL), 0);
    assert_true(text_ends_with_nocase(
        b.request.fetch.body,
        TEXT("&checksum=5cf13f5259607c684d46a7dfcb02bcb2fe3c7de6b11ae8bcdeb68d766d24e7bf")));
    free_built(&b);
}

static void some_providers_have_no_grant_but_refresh(void **state)
{
    (void)state;
    struct config *only = config_of_text(IDP("refresh = only\nrefresh_token = literal:r\n"));
    struct config *grant =
        config_of_text(IDP("grant_type = refresh_token\nrefresh_token = literal:r\n"));
    struct config *both = config_of_text(IDP("refresh_token = literal:r\n"));
    assert_true(provider_needs_refresh_token(&only->providers[0]));
    assert_true(provider_needs_refresh_token(&grant->providers[0]));
    assert_false(provider_needs_refresh_token(&both->providers[0]));
    config_unref(only);
    config_unref(grant);
    config_unref(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_grant_is_rfc_6749),
        cmocka_unit_test(raw_basic_joins_as_they_are),
        cmocka_unit_test(post_puts_the_client_into_the_body),
        cmocka_unit_test(query_puts_only_the_client_into_the_url),
        cmocka_unit_test(json_bodies_carry_strings),
        cmocka_unit_test(get_puts_the_grant_into_the_query),
        cmocka_unit_test(a_post_without_body_uses_the_query_too),
        cmocka_unit_test(a_query_of_the_url_is_kept),
        cmocka_unit_test(everything_else_goes_along),
        cmocka_unit_test(configured_header_fields_replace_ours),
        cmocka_unit_test(a_client_without_secret_names_itself),
        cmocka_unit_test(a_configuration_that_places_the_client_itself_is_left_alone),
        cmocka_unit_test(a_refresh_sends_what_it_must_and_no_more),
        cmocka_unit_test(a_refresh_has_its_own_url_and_the_body_of_the_grant),
        cmocka_unit_test(a_refresh_by_post_names_the_client_in_the_body),
        cmocka_unit_test(each_request_has_a_uuid_of_its_own),
        cmocka_unit_test(the_transport_is_the_providers),
        cmocka_unit_test(the_envelope_hides_all_but_the_merchant),
        cmocka_unit_test(the_envelopes_date_can_be_utcs),
        cmocka_unit_test(some_providers_have_no_grant_but_refresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
