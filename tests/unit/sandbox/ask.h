/*
 * ask.h - for tests of the sandbox: one request to it without a socket, and what it answered.
 */
#ifndef TESTS_SANDBOX_ASK_H
#define TESTS_SANDBOX_ASK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/json.h"
#include "sandbox/router.h"

enum { ASK_FIELDS = 8 };

struct ask {
    struct sandbox_state sandbox;
    struct sandbox_reply reply;
    struct field fields[ASK_FIELDS]; /* of the next request */
    size_t field_count;
    char credentials[256]; /* what the Authorization field of the next request says */
    char token[64];
    int64_t now_ns;
};

static int64_t ask_monotonic(void *ctx)
{
    return ((struct ask *)ctx)->now_ns;
}

/* 2025-01-15T20:00:00Z: in India it is the 16th. */
static int64_t ask_wall(void *ctx UNUSED)
{
    return 1736971200000;
}

static UNUSED int ask_setup(void **state)
{
    struct ask *a = calloc(1, sizeof(*a));
    assert_non_null(a);
    buffer_init(&a->reply.body, 64 * 1024);
    static struct clock_source source = {ask_monotonic, ask_wall, NULL};
    source.ctx = a;
    clock_replace(&source);
    *state = a;
    return 0;
}

static UNUSED int ask_teardown(void **state)
{
    struct ask *a = *state;
    clock_replace(NULL);
    buffer_done(&a->reply.body);
    free(a);
    return 0;
}

/* Both must outlive the next request. */
static UNUSED void ask_field(struct ask *a, const char *name, const char *value)
{
    assert_true(a->field_count < ASK_FIELDS);
    a->fields[a->field_count++] = (struct field){text_of(name), text_of(value)};
}

static UNUSED void ask_basic(struct ask *a, const char *id_and_secret)
{
    struct buffer value;
    buffer_init(&value, sizeof(a->credentials) - 1);
    assert_int_equal(buffer_add_string(&value, "Basic "), 0);
    assert_int_equal(buffer_add_base64(&value, text_of(id_and_secret)), 0);
    memcpy(a->credentials, buffer_string(&value), buffer_size(&value) + 1);
    buffer_done(&value);
    ask_field(a, "Authorization", a->credentials);
}

static UNUSED void ask_bearer(struct ask *a, const char *token)
{
    (void)snprintf(a->credentials, sizeof(a->credentials), "Bearer %s", token);
    ask_field(a, "authorization", a->credentials);
}

/* Sends it with the fields noted so far, which are forgotten; returns the answer's status. */
static UNUSED unsigned ask(struct ask *a, const char *method, const char *target, const char *body)
{
    struct endpoint_request request = {
        .method = text_of(method),
        .fields = a->fields,
        .field_count = a->field_count,
        .body = text_of(body),
    };
    request.path = text_cut(text_of(target), '?', &request.query);
    a->reply.status = 0;
    sandbox_route(&a->sandbox, &request, &a->reply);
    a->field_count = 0;
    assert_false(a->reply.body.failed);
    return a->reply.status;
}

static UNUSED unsigned ask_form(struct ask *a, const char *target, const char *body)
{
    ask_field(a, "Content-Type", "application/x-www-form-urlencoded");
    return ask(a, "POST", target, body);
}

static UNUSED unsigned ask_json(struct ask *a, const char *target, const char *body)
{
    ask_field(a, "Content-Type", "application/json; charset=utf-8");
    return ask(a, "POST", target, body);
}

/* The answer's body; an empty one is "". */
static UNUSED const char *ask_body(struct ask *a)
{
    const char *body = buffer_string(&a->reply.body);
    assert_non_null(body);
    return body;
}

static UNUSED void assert_body_has(struct ask *a, const char *words)
{
    if (!strstr(ask_body(a), words))
        fail_msg("\"%s\" is not in %s", words, ask_body(a));
}

static UNUSED void assert_body_lacks(struct ask *a, const char *words)
{
    if (strstr(ask_body(a), words))
        fail_msg("\"%s\" is in %s", words, ask_body(a));
}

/* A string member of the JSON answer is exactly that. */
static UNUSED void assert_member(struct ask *a, const char *path, const char *expected)
{
    struct json *j = json_parse(buffer_text(&a->reply.body), NULL);
    const char *value = json_string(json_at(j, text_of(path)));
    if (!value || strcmp(value, expected) != 0)
        fail_msg("%s is not %s in %s", path, expected, ask_body(a));
    json_free(j);
}

static UNUSED void assert_number(struct ask *a, const char *path, double expected)
{
    struct json *j = json_parse(buffer_text(&a->reply.body), NULL);
    double value;
    if (json_number(json_at(j, text_of(path)), &value) || value < expected || value > expected)
        fail_msg("%s is not %g in %s", path, expected, ask_body(a));
    json_free(j);
}

/* Keeps a member of the answer in a->token and returns it. */
static UNUSED const char *ask_keep(struct ask *a, const char *path)
{
    struct json *j = json_parse(buffer_text(&a->reply.body), NULL);
    const char *value = json_string(json_at(j, text_of(path)));
    if (!value || strlen(value) >= sizeof(a->token))
        fail_msg("no %s in %s", path, ask_body(a));
    else
        memcpy(a->token, value, strlen(value) + 1);
    json_free(j);
    return a->token;
}

/* A token of KRA's: foreign to all others. */
static UNUSED const char *ask_kra_token(struct ask *a)
{
    ask_basic(a, "sandbox-kra:kra+secret/1");
    assert_int_equal(ask(a, "GET", "/kra/v1/token/generate?grant_type=client_credentials", ""),
                     200);
    return ask_keep(a, "access_token");
}

/* A token of Bambora's: foreign to KRA. */
static UNUSED const char *ask_bambora_token(struct ask *a)
{
    ask_basic(a, "sandbox-bambora:bambora-secret");
    assert_int_equal(ask_form(a, "/bambora/connect/token",
                              "grant_type=client_credentials&scope=auth_token_payment+"
                              "cancel_payment+capture_payment+read_payment+refund_payment"),
                     200);
    return ask_keep(a, "access_token");
}

static UNUSED void ask_wait_s(struct ask *a, int64_t seconds)
{
    a->now_ns += seconds * MS_PER_S * NS_PER_MS;
}

#define ASK_TEST(f) cmocka_unit_test_setup_teardown(f, ask_setup, ask_teardown)

#endif
