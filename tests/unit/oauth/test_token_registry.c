#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/scripted_server.h"
#include "oauth/oauth_testing.h"
#include "oauth/token_registry.h"

static const char answer_ok[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                "Connection: close\r\n\r\n"
                                "{\"access_token\":\"the-token\",\"expires_in\":3600}";

/* A registry in a loop, before one scripted token endpoint. */
struct bed {
    struct scripted_server server;
    struct loop *loop;
    struct token_registry *registry;
    int published;
};

static void on_published(void *ctx)
{
    struct bed *bed = ctx;
    bed->published++;
}

static void on_wake(void *ctx)
{
    struct bed *bed = ctx;
    token_registry_run(bed->registry);
}

static int setup(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    assert_non_null(bed);
    log_configure(LOG_ERROR, LOG_TEXT);
    scripted_start(&bed->server, answer_with);
    bed->server.answer = answer_ok;
    bed->loop = loop_new(NULL);
    assert_non_null(bed->loop);
    bed->registry = token_registry_new(bed->loop, on_published, bed, NULL);
    assert_non_null(bed->registry);
    loop_on_wake(bed->loop, on_wake, bed);
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    struct bed *bed = *state;
    token_registry_free(bed->registry);
    loop_free(bed->loop);
    scripted_stop(&bed->server);
    free(bed);
    return 0;
}

/* Applies a configuration; PORT in it stands for the endpoint's. */
static void apply(struct bed *bed, const char *text)
{
    char filled[4096] = "", *to = filled;
    for (const char *port; (port = strstr(text, "PORT")); text = port + 4)
        to += snprintf(to, (size_t)(filled + sizeof(filled) - to), "%.*s%u", (int)(port - text),
                       text, bed->server.port);
    (void)snprintf(to, (size_t)(filled + sizeof(filled) - to), "%s", text);
    struct config *config = config_of_text(filled);
    assert_int_equal(token_registry_apply(bed->registry, config, NULL), 0);
    config_unref(config);
}

#define PROVIDER(name, secret)                                                                     \
    "[provider " name "]\ntoken_url = http://127.0.0.1:PORT/token\n"                               \
    "client_id = literal:id\nclient_secret = literal:" secret "\n"

static void turn_until(struct bed *bed, bool (*reached)(struct bed *bed, void *arg), void *arg)
{
    int64_t deadline = clock_monotonic_ms() + 10000;
    while (!reached(bed, arg)) {
        assert_true(clock_monotonic_ms() < deadline);
        loop_turn(bed->loop, 50);
    }
}

static bool is_answered(struct bed *bed UNUSED, void *arg)
{
    struct token *token;
    struct token_failure failure;
    return token_reader_get(arg, clock_monotonic_ms(), &token, &failure) != TOKEN_PENDING;
}

static const char *get(struct bed *bed, struct token_reader *reader)
{
    struct token *token;
    struct token_failure failure;
    turn_until(bed, is_answered, reader);
    if (token_reader_get(reader, clock_monotonic_ms(), &token, &failure) != TOKEN_READY)
        return NULL;
    return secret_bytes(token->value).at;
}

static void a_request_gets_a_token_by_the_grant(void **state)
{
    struct bed *bed = *state;
    apply(bed, PROVIDER("a", "s:ec ret"));
    struct token_reader reader;
    token_reader_init(&reader, token_registry_slot(bed->registry, 0));

    assert_string_equal(get(bed, &reader), "the-token");

    assert_int_equal(bed->published, 1);
    assert_int_equal(atomic_load(&bed->server.count), 1);
    const char *request = bed->server.requests[0];
    assert_non_null(strstr(request, "POST /token HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "Authorization: Basic aWQ6cyUzQWVjK3JldA==\r\n"));
    assert_non_null(strstr(request, "Accept: application/json\r\n"));
    assert_non_null(strstr(request, "User-Agent: bearerd/" BEARERD_VERSION "\r\n"));
    assert_non_null(strstr(request, "Content-Type: application/x-www-form-urlencoded\r\n"));
    assert_non_null(strstr(request, "\r\n\r\ngrant_type=client_credentials"));
    assert_null(strstr(request, "Expect:"));
    token_reader_done(&reader);
}

static void nothing_is_fetched_before_a_request_asks(void **state)
{
    struct bed *bed = *state;
    apply(bed, PROVIDER("a", "s"));
    for (int i = 0; i < 5; i++)
        loop_turn(bed->loop, 10);
    assert_int_equal(atomic_load(&bed->server.count), 0);
}

static void a_failure_is_told_to_who_waits(void **state)
{
    struct bed *bed = *state;
    bed->server.answer = "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n";
    apply(bed, PROVIDER("a", "s"));
    struct token_reader reader;
    token_reader_init(&reader, token_registry_slot(bed->registry, 0));
    assert_null(get(bed, &reader));
    struct token_info info;
    token_registry_describe(bed->registry, 0, &info);
    assert_int_equal(info.state, TOKEN_STATE_FAILED);
    assert_string_equal(info.reason, "status 401: the reply is empty");
    assert_int_equal(info.record->results[TOKEN_REFUSED_REPLY], 1);
    token_reader_done(&reader);
}

static void providers_share_a_source_only_when_they_ask_the_same(void **state)
{
    struct bed *bed = *state;
    apply(bed, PROVIDER("a", "s") PROVIDER("b", "s") PROVIDER("c", "other"));
    assert_ptr_equal(token_registry_slot(bed->registry, 0), token_registry_slot(bed->registry, 1));
    assert_ptr_not_equal(token_registry_slot(bed->registry, 0),
                         token_registry_slot(bed->registry, 2));
    apply(bed, PROVIDER("a", "s") PROVIDER("b", "s") "refresh_margin = 7s\n");
    assert_ptr_not_equal(token_registry_slot(bed->registry, 0),
                         token_registry_slot(bed->registry, 1));
}

static void a_reload_keeps_the_token_of_what_is_the_same(void **state)
{
    struct bed *bed = *state;
    apply(bed, PROVIDER("a", "s"));
    struct token_reader reader;
    token_reader_init(&reader, token_registry_slot(bed->registry, 0));
    assert_non_null(get(bed, &reader));
    struct token_slot *before = token_registry_slot(bed->registry, 0);

    /* another name, another place in the file, another rule */
    apply(bed, PROVIDER("new", "x") PROVIDER("renamed", "s") "refresh_margin = 7s\n");

    assert_ptr_equal(token_registry_slot(bed->registry, 1), before);
    assert_ptr_not_equal(token_registry_slot(bed->registry, 0), before);
    assert_non_null(get(bed, &reader));
    assert_int_equal(atomic_load(&bed->server.count), 1);
    token_reader_done(&reader);
}

struct order {
    struct token_wait wait;
    int answers;
    bool success;
};

static void on_order(struct token_wait *w, bool success)
{
    struct order *order = CONTAINER_OF(w, struct order, wait);
    order->answers++;
    order->success = success;
}

static bool is_ordered(struct bed *bed UNUSED, void *arg)
{
    struct order *order = arg;
    return order->answers > 0;
}

static const char answer_rotating[] =
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    "{\"access_token\":\"the-token\",\"expires_in\":3600,\"refresh_token\":\"r1\"}";

#define ROTATING(lines) PROVIDER("a", "s") "refresh = only\nrefresh_token = literal:r0\n" lines

/* Gets a token by the source of now; the request must use this refresh token. */
static void get_with_refresh_token(struct bed *bed, int request, const char *refresh_token)
{
    char expected[64];
    struct token_reader reader;
    token_registry_forget(bed->registry, 0);
    token_reader_init(&reader, token_registry_slot(bed->registry, 0));
    assert_non_null(get(bed, &reader));
    assert_int_equal(atomic_load(&bed->server.count), request + 1);
    (void)snprintf(expected, sizeof(expected), "&refresh_token=%s", refresh_token);
    assert_non_null(strstr(bed->server.requests[request], expected));
    token_reader_done(&reader);
}

static void rotated_refresh_tokens_follow_reloads_to_and_fro(void **state)
{
    struct bed *bed = *state;
    bed->server.answer = answer_rotating;
    apply(bed, ROTATING(""));
    get_with_refresh_token(bed, 0, "r0");
    struct token_reader old; /* keeps the first source alive, as an exchange does */
    token_reader_init(&old, token_registry_slot(bed->registry, 0));
    apply(bed, ROTATING("token_header.X-A = b\n"));
    assert_ptr_not_equal(old.slot, token_registry_slot(bed->registry, 0));
    get_with_refresh_token(bed, 1, "r1");
    apply(bed, ROTATING(""));
    assert_ptr_equal(old.slot, token_registry_slot(bed->registry, 0));
    get_with_refresh_token(bed, 2, "r1");
    token_reader_done(&old);
}

static void answer_when_told(struct scripted_server *s, int fd, int index)
{
    while (!atomic_load(&s->go))
        (void)scripted_wait(s, -1, 5);
    answer_with(s, fd, index);
}

static bool is_asked(struct bed *bed, void *arg UNUSED)
{
    return atomic_load(&bed->server.count) > 0;
}

static void a_reload_during_a_refresh_does_not_lose_the_chain(void **state)
{
    struct bed *bed = *state;
    struct token_reader reader;
    struct token *token;
    struct token_failure failure;
    bed->server.answer = answer_rotating;
    bed->server.script = answer_when_told;
    apply(bed, ROTATING(""));
    token_reader_init(&reader, token_registry_slot(bed->registry, 0));
    assert_int_equal(token_reader_get(&reader, clock_monotonic_ms(), &token, &failure),
                     TOKEN_PENDING);
    turn_until(bed, is_asked, NULL);
    token_reader_done(&reader); /* nobody waits for it any more */
    apply(bed, ROTATING("token_header.X-A = b\n"));
    atomic_store(&bed->server.go, true);
    struct order order = {.wait.done = on_order};
    int64_t deadline = clock_monotonic_ms() + 10000;
    do { /* fails until the answer from before the reload is there */
        order.answers = 0;
        token_registry_refresh(bed->registry, 0, &order.wait);
        turn_until(bed, is_ordered, &order);
        loop_turn(bed->loop, 10);
        assert_true(clock_monotonic_ms() < deadline);
    } while (!order.success);
    assert_int_equal(atomic_load(&bed->server.count), 2);
    assert_non_null(strstr(bed->server.requests[1], "&refresh_token=r1"));
}

static void an_exchange_of_before_the_reload_still_gets_its_token(void **state)
{
    struct bed *bed = *state;
    apply(bed, PROVIDER("a", "s"));
    struct token_reader reader;
    token_reader_init(&reader, token_registry_slot(bed->registry, 0));
    apply(bed, PROVIDER("a", "changed"));
    assert_ptr_not_equal(token_registry_slot(bed->registry, 0), reader.slot);
    assert_string_equal(get(bed, &reader), "the-token");
    token_reader_done(&reader);
}

/* A source that nobody needs any more must not go on refreshing its token. */
static void a_dropped_source_goes_with_its_last_exchange(void **state)
{
    struct bed *bed = *state;
    struct fake_clock clock;
    struct clock_source source;
    struct token_reader reader;
    struct order order = {.wait.done = on_order};
    fake_clock_start(&clock, &source);
    loop_turn(bed->loop, 0); /* the loop reads the time once a turn */
    bed->server.answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                         "{\"access_token\":\"the-token\",\"expires_in\":60}";
    apply(bed, PROVIDER("a", "s"));
    token_reader_init(&reader, token_registry_slot(bed->registry, 0));
    while (!is_answered(bed, &reader)) {
        fake_clock_advance(&clock, 1);
        loop_turn(bed->loop, 1);
    }
    loop_turn(bed->loop, 0); /* the use is noticed */
    apply(bed, PROVIDER("a", "changed"));
    token_reader_done(&reader);
    fake_clock_advance(&clock, 5000); /* it is looked for such sources now and then */
    loop_turn(bed->loop, 0);
    fake_clock_advance(&clock, 50000); /* in the early window */
    loop_turn(bed->loop, 0);
    token_registry_refresh(bed->registry, 0, &order.wait);
    while (order.answers == 0) {
        fake_clock_advance(&clock, 1);
        loop_turn(bed->loop, 1);
    }
    clock_replace(NULL);
    assert_int_equal(atomic_load(&bed->server.count), 2);
}

static void readers_outlive_the_registry(void **state)
{
    struct bed *bed = *state;
    apply(bed, PROVIDER("a", "s"));
    struct token_reader reader;
    token_reader_init(&reader, token_registry_slot(bed->registry, 0));
    assert_non_null(get(bed, &reader));
    token_registry_free(bed->registry);
    bed->registry = NULL;
    assert_null(get(bed, &reader));
    token_reader_done(&reader);
}

static void an_operator_refreshes_and_forgets_by_name(void **state)
{
    struct bed *bed = *state;
    size_t provider = 99;
    struct order order = {.wait.done = on_order};
    struct token_info info;
    apply(bed, PROVIDER("a", "s") PROVIDER("b", "t"));
    assert_int_equal(token_registry_find(bed->registry, TEXT("nobody"), &provider), -1);
    assert_int_equal(token_registry_find(bed->registry, TEXT("b"), &provider), 0);
    assert_int_equal(provider, 1);

    token_registry_refresh(bed->registry, provider, &order.wait);
    turn_until(bed, is_ordered, &order);
    assert_true(order.success);
    token_registry_describe(bed->registry, provider, &info);
    assert_int_equal(info.state, TOKEN_STATE_READY);

    token_registry_forget(bed->registry, provider);
    token_registry_describe(bed->registry, provider, &info);
    assert_int_equal(info.state, TOKEN_STATE_EMPTY);
    assert_null(info.token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_gets_a_token_by_the_grant, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_fetched_before_a_request_asks, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failure_is_told_to_who_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(providers_share_a_source_only_when_they_ask_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_reload_keeps_the_token_of_what_is_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rotated_refresh_tokens_follow_reloads_to_and_fro, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_reload_during_a_refresh_does_not_lose_the_chain, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_exchange_of_before_the_reload_still_gets_its_token,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_dropped_source_goes_with_its_last_exchange, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(readers_outlive_the_registry, setup, teardown),
        cmocka_unit_test_setup_teardown(an_operator_refreshes_and_forgets_by_name, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
