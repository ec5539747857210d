#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/presets.h"
#include "config_testing.h"

static void names_are_found(void **state)
{
    (void)state;
    static const char *const names[] = {"airpay",   "bambora", "kra-etims",    "kra-etims-sandbox",
                                        "truphone", "wetix",   "wetix-sandbox"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const struct embedded_preset *p = preset_find(text_of(names[i]));
        if (!p)
            fail_msg("%s", names[i]);
        assert_int_equal(strlen(p->text), p->size);
        assert_int_equal(p->text[0], '#'); /* `bearerd presets` shows the first line */
    }
    assert_null(preset_find(TEXT("bambor")));
    assert_null(preset_find(TEXT("")));
}

/* Loads a preset with its credentials and the given lines; the caller unloads. */
static struct loaded load_preset(const char *name, const char *lines)
{
    char text[2048];
    (void)snprintf(text, sizeof(text),
                   "[provider p]\npreset = %s\nclient_id = literal:id\n"
                   "client_secret = literal:secret\n%s" ROUTE,
                   name, lines);
    return load_sound(text);
}

static const char *header(const struct config_fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (strcmp(fields->items[i].name, name) == 0)
            return template_source(fields->items[i].value);
    return NULL;
}

/* GET with the grant in the query, Basic of the joined texts (KRA's SDK). */
static void kra(void **state)
{
    (void)state;
    static const char *const names[] = {"kra-etims", "kra-etims-sandbox"};
    static const char *const urls[] = {"https://api.kra.go.ke/v1/token/generate",
                                       "https://sbx.kra.go.ke/v1/token/generate"};
    for (size_t i = 0; i < 2; i++) {
        struct loaded l = load_preset(names[i], "var.tin = P051\nvar.bhf_id = 00\n");
        const struct provider_config *p = &l.config->providers[0];
        assert_string_equal(p->token_url, urls[i]);
        assert_int_equal(p->token_method, TOKEN_METHOD_GET);
        assert_int_equal(p->token_body, TOKEN_BODY_NONE);
        assert_int_equal(p->client_auth, CLIENT_AUTH_BASIC);
        assert_int_equal(p->basic_encoding, BASIC_ENCODING_RAW);
        assert_string_equal(p->grant_type, "client_credentials");
        assert_int_equal(p->header.count, 2); /* unset variables leave their field out */
        assert_string_equal(header(&p->header, "tin"), "P051");
        assert_string_equal(header(&p->header, "bhfId"), "00");
        assert_string_equal(p->reject_match[0].text, "access token expired");
        assert_int_equal(p->reject_match[0].status, 0);
        unload(&l);
    }
    struct loaded l = load_preset("kra-etims", "var.host = kra.example\nvar.cmc_key = k\n"
                                               "var.apigee_app_id = a\n");
    assert_string_equal(l.config->providers[0].token_url, "https://kra.example/v1/token/generate");
    assert_string_equal(header(&l.config->providers[0].header, "cmcKey"), "k");
    assert_string_equal(header(&l.config->providers[0].header, "apigee_app_id"), "a");
    unload(&l);
}

static void truphone(void **state)
{
    (void)state;
    struct loaded l = load_preset("truphone", "");
    const struct provider_config *p = &l.config->providers[0];
    assert_int_equal(p->client_auth, CLIENT_AUTH_POST);
    assert_int_equal(p->token_body, TOKEN_BODY_FORM);
    assert_int_equal(p->refresh, REFRESH_AUTO);
    assert_string_equal(header(&p->header_default, "X-Correlation-ID"), "{uuid}");
    assert_string_equal(p->refresh_expires_in_path.items[0], "refresh_expires_in");
    unload(&l);
}

static void bambora(void **state)
{
    (void)state;
    struct loaded l = load_preset("bambora", "");
    const struct provider_config *p = &l.config->providers[0];
    assert_string_equal(p->token_url, "https://auth.bambora.com/connect/token");
    assert_string_equal(p->scope, "auth_token_payment cancel_payment capture_payment read_payment "
                                  "refund_payment");
    assert_string_equal(header(&p->header_default, "API-Version"), "1");
    unload(&l);
}

/* JSON both times, the refresh at a path of its own, sixty days. */
static void wetix(void **state)
{
    (void)state;
    struct loaded l = load_preset("wetix", "");
    const struct provider_config *p = &l.config->providers[0];
    assert_string_equal(p->token_url, "https://oauth.wetix.my/auth/token");
    assert_string_equal(p->refresh_url, "https://oauth.wetix.my/auth/refresh");
    assert_int_equal(p->token_body, TOKEN_BODY_JSON);
    assert_int_equal(p->basic_encoding, BASIC_ENCODING_RAW);
    assert_true(p->max_lifetime >= 5184000LL * 1000);
    unload(&l);
    l = load_preset("wetix-sandbox", "");
    assert_string_equal(l.config->providers[0].token_url, "https://sb-oauth.wetix.my/auth/token");
    unload(&l);
}

static void airpay(void **state)
{
    (void)state;
    struct loaded l = load_preset("airpay", "envelope_username = literal:u\n"
                                            "envelope_password = literal:p\n"
                                            "var.merchant_id = 456\n");
    const struct provider_config *p = &l.config->providers[0];
    assert_int_equal(p->envelope, ENVELOPE_AIRPAY_V4);
    assert_int_equal(p->envelope_timezone, 330);
    assert_int_equal(p->inject_in, INJECT_QUERY);
    assert_string_equal(p->inject_name, "token");
    assert_null(p->inject_scheme);
    assert_string_equal(header(&p->token_param, "merchant_id"), "456");
    assert_string_equal(p->token_path.items[0], "data.access_token");
    assert_string_equal(p->expires_in_path.items[0], "data.expires_in");
    assert_true(text_ends_with_nocase(text_of(p->token_url), TEXT("/oauth2/")));
    unload(&l);
    /* the parameter itself works too */
    l = load_preset("airpay", "envelope_username = literal:u\nenvelope_password = literal:p\n"
                              "token_param.merchant_id = 7\n");
    unload(&l);
}

static void what_is_missing_is_asked_for(void **state)
{
    (void)state;
    assert_mistake("[provider p]\npreset = airpay\nclient_id = literal:a\n"
                   "client_secret = literal:b\nenvelope_username = literal:u\n"
                   "envelope_password = literal:p\n" ROUTE,
                   "t.ini:2: [provider p] token_param.merchant_id (from preset airpay): "
                   "{var.merchant_id} has no value");
    assert_mistake("[provider p]\npreset = bambora\nclient_id = literal:a\n" ROUTE,
                   "t.ini:1: [provider p]: client_secret is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(kra),
        cmocka_unit_test(truphone),
        cmocka_unit_test(bambora),
        cmocka_unit_test(wetix),
        cmocka_unit_test(airpay),
        cmocka_unit_test(what_is_missing_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
