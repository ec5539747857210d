#include "oauth/redis_server.h"

#include "base/log.h"
#include "oauth/store_redis.h"

enum { PATIENT_MS = 15000, KEEP_MS = 100 * 1000, LOCK_MS = 60 * 1000 };

static const uint64_t LAST_GENERATION = 8999999999999999999U;

/* One instance: its store, and what it heard. */
struct instance {
    struct token_store *store;
    struct store_listener listener;
    int news;
    uint64_t generation; /* of the last news */
    int64_t spread_ms;
};

struct bed {
    struct loop *loop;
    struct redis_server server;
    struct redis_place place;
    struct store_redis_config config;
    struct instance one, two;
};

struct asked {
    struct store_op op;
    int answers;
    enum store_status status;
    uint64_t generation;
    int64_t age_ms;
    char value[64];
};

static const struct store_name name = {{1, 2, 0xab}};
static const struct store_owner me = {{1}}, you = {{2}};

static void on_news(struct store_listener *l, uint64_t generation, int64_t spread_ms)
{
    struct instance *i = CONTAINER_OF(l, struct instance, listener);
    i->news++;
    i->generation = generation;
    i->spread_ms = spread_ms;
}

static void open_store(struct bed *bed, struct instance *i)
{
    i->store = store_redis_open(bed->loop, &bed->config, NULL);
    assert_non_null(i->store);
    i->listener = (struct store_listener){.name = name, .news = on_news};
    list_init(&i->listener.link);
    token_store_listen(i->store, &i->listener);
    TURN_UNTIL(bed->loop, i->news > 0); /* its subscription is there: it was told to look */
}

static void close_store(struct instance *i)
{
    if (!i->store)
        return;
    list_remove(&i->listener.link);
    token_store_free(i->store);
    i->store = NULL;
}

static int setup(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    assert_non_null(bed);
    log_configure(LOG_ERROR, LOG_TEXT);
    bed->loop = loop_new(NULL);
    assert_non_null(bed->loop);
    if (server_start(&bed->server, bed->loop)) {
        bed->config.place = &bed->place;
        bed->place.kind = REDIS_SOCKET;
        memcpy(bed->place.path, bed->server.path, strlen(bed->server.path));
        open_store(bed, &bed->one);
        open_store(bed, &bed->two);
    }
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    struct bed *bed = *state;
    close_store(&bed->one);
    close_store(&bed->two);
    if (bed->server.folder[0])
        server_stop(&bed->server);
    loop_free(bed->loop);
    free(bed);
    return 0;
}

static struct bed *with_server(void **state)
{
    struct bed *bed = *state;
    if (!bed->server.folder[0])
        skip();
    return bed;
}

/* ---- questions ---- */

static void on_done(struct store_op *op, enum store_status status, const struct store_found *found)
{
    struct asked *a = CONTAINER_OF(op, struct asked, op);
    a->answers++;
    a->status = status;
    a->generation = found ? found->generation : 0;
    a->age_ms = found ? found->age_ms : 0;
    if (found)
        (void)snprintf(a->value, sizeof(a->value), "%.*s", TEXT_ARG(found->value));
}

static void ask(struct instance *i, struct asked *a, enum store_verb verb,
                const struct store_owner *owner)
{
    a->op.verb = verb;
    a->op.name = name;
    a->op.owner = *owner;
    a->op.done = on_done;
    a->op.patience_ms = PATIENT_MS;
    if (a->op.keep_ms == 0)
        a->op.keep_ms = KEEP_MS;
    if (a->op.lock_ms == 0)
        a->op.lock_ms = LOCK_MS;
    assert_int_equal(token_store_ask(i->store, &a->op), 0);
    assert_int_equal(a->answers, 0);
}

static struct asked get(struct bed *bed, struct instance *i, enum store_verb verb,
                        const struct store_owner *owner)
{
    struct asked a = {0};
    ask(i, &a, verb, owner);
    TURN_UNTIL(bed->loop, a.answers == 1);
    return a;
}

static enum store_status save(struct bed *bed, struct instance *i, uint64_t generation,
                              const char *value)
{
    struct asked a = {.op = {.generation = generation, .value = text_of(value)}};
    ask(i, &a, STORE_SAVE, &me);
    TURN_UNTIL(bed->loop, a.answers == 1);
    return a.status;
}

/* ---- entries ---- */

static void what_is_not_there_is_not_found(void **state)
{
    struct bed *bed = with_server(state);
    struct asked a = get(bed, &bed->one, STORE_LOAD, &me);
    assert_int_equal(a.status, STORE_OK);
    assert_int_equal(a.generation, 0);
}

static void what_one_saves_the_other_finds_and_hears_of(void **state)
{
    struct bed *bed = with_server(state);
    int news = bed->two.news;
    assert_int_equal(save(bed, &bed->one, 7, "sealed"), STORE_OK);
    TURN_UNTIL(bed->loop, bed->two.news > news);
    assert_int_equal(bed->two.generation, 7);
    struct asked a = get(bed, &bed->two, STORE_LOAD, &you);
    assert_int_equal(a.status, STORE_OK);
    assert_int_equal(a.generation, 7);
    assert_string_equal(a.value, "sealed");
    assert_true(a.age_ms >= 0 && a.age_ms < PEER_PATIENCE_MS);
}

/* While Redis stands still, the token in the entry goes on towards its end. */
static void a_save_that_had_to_wait_is_as_old_as_its_question(void **state)
{
    enum { STILL_MS = 300 };
    struct bed *bed = with_server(state);
    struct asked a = {.op = {.generation = 7, .value = TEXT("sealed")}};
    assert_int_equal(get(bed, &bed->one, STORE_LOCK, &me).status, STORE_OK);
    assert_int_equal(kill(bed->server.pid, SIGSTOP), 0);
    ask(&bed->one, &a, STORE_SAVE, &me);
    int64_t asked = clock_monotonic_ms();
    TURN_UNTIL(bed->loop, clock_monotonic_ms() >= asked + STILL_MS);
    assert_int_equal(a.answers, 0);
    assert_int_equal(kill(bed->server.pid, SIGCONT), 0);
    TURN_UNTIL(bed->loop, a.answers == 1);
    assert_int_equal(a.status, STORE_OK);
    assert_true(get(bed, &bed->two, STORE_LOAD, &you).age_ms >= STILL_MS);
}

static void an_older_generation_never_replaces_a_newer_one(void **state)
{
    struct bed *bed = with_server(state);
    assert_int_equal(save(bed, &bed->one, 9, "nine"), STORE_OK);
    assert_int_equal(save(bed, &bed->two, 9, "other"), STORE_STALE);
    assert_int_equal(save(bed, &bed->two, 8, "eight"), STORE_STALE);
    assert_int_equal(save(bed, &bed->two, 10, "ten"), STORE_OK); /* 10 > 9 also as text */
    assert_int_equal(save(bed, &bed->two, LAST_GENERATION, "last"), STORE_OK);
    assert_int_equal(save(bed, &bed->one, LAST_GENERATION - 1, "late"), STORE_STALE);
    struct asked a = get(bed, &bed->one, STORE_LOAD, &me);
    assert_string_equal(a.value, "last");
    assert_true(a.generation == LAST_GENERATION);
}

static void values_may_be_long_and_of_any_bytes(void **state)
{
    struct bed *bed = with_server(state);
    char *value = malloc(STORE_VALUE_MAX);
    assert_non_null(value);
    for (size_t i = 0; i < STORE_VALUE_MAX; i++)
        value[i] = (char)(i * 7);
    struct asked a = {.op = {.generation = 1, .value = {value, STORE_VALUE_MAX}}};
    ask(&bed->one, &a, STORE_SAVE, &me);
    TURN_UNTIL(bed->loop, a.answers == 1);
    assert_int_equal(a.status, STORE_OK);
    assert_int_equal(get(bed, &bed->two, STORE_LOAD, &me).generation, 1);
    free(value);
}

static void entries_are_forgotten_in_time(void **state)
{
    struct bed *bed = with_server(state);
    struct asked a = {.op = {.generation = 1, .value = TEXT("v"), .keep_ms = 30}};
    ask(&bed->one, &a, STORE_SAVE, &me);
    TURN_UNTIL(bed->loop, a.answers == 1);
    TURN_UNTIL(bed->loop, get(bed, &bed->one, STORE_LOAD, &me).generation == 0);
    /* a time that has no end, and one that is over, are taken too */
    struct asked forever = {.op = {.generation = 1, .value = TEXT("v"), .keep_ms = INT64_MAX}};
    ask(&bed->one, &forever, STORE_SAVE, &me);
    TURN_UNTIL(bed->loop, forever.answers == 1);
    assert_int_equal(forever.status, STORE_OK);
    assert_int_equal(get(bed, &bed->one, STORE_LOAD, &me).generation, 1);
    struct asked over = {.op = {.generation = 2, .value = TEXT("v"), .keep_ms = -1}};
    ask(&bed->one, &over, STORE_SAVE, &me);
    TURN_UNTIL(bed->loop, over.answers == 1);
    assert_int_equal(over.status, STORE_OK);
    TURN_UNTIL(bed->loop, get(bed, &bed->one, STORE_LOAD, &me).generation == 0);
}

static void nothing_but_our_keys_is_written(void **state)
{
    struct bed *bed = with_server(state);
    assert_int_equal(save(bed, &bed->one, 1, "v"), STORE_OK);
    (void)get(bed, &bed->one, STORE_LOCK, &me);
    server_order(&bed->server, "NONSENSE");
    assert_int_equal(bed->server.last.kind, REDIS_ERROR);
    server_order(&bed->server, "PTTL bearerd:{tokens}:"
                               "0102ab0000000000000000000000000000000000000000000000000000000000");
    assert_true(bed->server.last.integer > 0 && bed->server.last.integer <= KEEP_MS);
    server_order(&bed->server, "PTTL bearerd:{tokens}:"
                               "0102ab0000000000000000000000000000000000000000000000000000000000"
                               ":lock");
    assert_true(bed->server.last.integer > 0 && bed->server.last.integer <= LOCK_MS);
    server_order(&bed->server, "DEL bearerd:{tokens}:proof bearerd:{tokens}:proof:lock");
    server_order(&bed->server, "DBSIZE");
    assert_int_equal(bed->server.last.integer, 2);
}

/* ---- the right to fetch ---- */

static void one_has_the_right_to_fetch(void **state)
{
    struct bed *bed = with_server(state);
    assert_int_equal(save(bed, &bed->one, 3, "v"), STORE_OK);
    struct asked first = get(bed, &bed->one, STORE_LOCK, &me);
    assert_int_equal(first.status, STORE_OK);
    assert_int_equal(first.generation, 3); /* it answers as a load, too */
    struct asked second = get(bed, &bed->two, STORE_LOCK, &you);
    assert_int_equal(second.status, STORE_HELD);
    assert_int_equal(second.generation, 3);
    assert_string_equal(second.value, "v");
    assert_int_equal(get(bed, &bed->one, STORE_LOCK, &me).status, STORE_OK); /* again */
    assert_int_equal(get(bed, &bed->two, STORE_UNLOCK, &you).status, STORE_HELD);
    assert_int_equal(get(bed, &bed->two, STORE_EXTEND, &you).status, STORE_HELD);
    assert_int_equal(get(bed, &bed->one, STORE_EXTEND, &me).status, STORE_OK);
    assert_int_equal(get(bed, &bed->one, STORE_UNLOCK, &me).status, STORE_OK);
    assert_int_equal(get(bed, &bed->one, STORE_UNLOCK, &me).status, STORE_HELD);
    assert_int_equal(get(bed, &bed->two, STORE_LOCK, &you).status, STORE_OK);
}

static void a_right_whose_holder_is_gone_ends(void **state)
{
    struct bed *bed = with_server(state);
    struct asked a = {.op = {.lock_ms = 30}};
    ask(&bed->one, &a, STORE_LOCK, &me);
    TURN_UNTIL(bed->loop, a.answers == 1);
    TURN_UNTIL(bed->loop, get(bed, &bed->two, STORE_LOCK, &you).status == STORE_OK);
    assert_int_equal(get(bed, &bed->one, STORE_EXTEND, &me).status, STORE_HELD);
    assert_int_equal(get(bed, &bed->one, STORE_UNLOCK, &me).status, STORE_HELD);
}

static void of_many_that_ask_at_once_one_gets_it(void **state)
{
    struct bed *bed = with_server(state);
    enum { MANY = 64 };
    static struct asked asked[MANY];
    int answers = 0, got = 0;
    memset(asked, 0, sizeof(asked));
    for (int i = 0; i < MANY; i++) {
        struct store_owner owner = {{(unsigned char)i, 1}};
        ask(i % 2 ? &bed->one : &bed->two, &asked[i], STORE_LOCK, &owner);
    }
    while (answers < MANY) {
        answers = got = 0;
        for (int i = 0; i < MANY; i++) {
            answers += asked[i].answers;
            got += asked[i].answers && asked[i].status == STORE_OK;
        }
        loop_turn(bed->loop, 10);
    }
    assert_int_equal(got, 1);
}

/* ---- losing it ---- */

static bool is_up(const struct instance *i)
{
    struct store_info info;
    token_store_describe(i->store, &info);
    return info.up;
}

static void a_killed_server_is_noticed_and_found_again(void **state)
{
    struct bed *bed = with_server(state);
    assert_int_equal(save(bed, &bed->one, 1, "v"), STORE_OK);
    server_kill(&bed->server);
    TURN_UNTIL(bed->loop, !is_up(&bed->one) && !is_up(&bed->two));
    struct asked a = {.op = {.verb = STORE_LOAD, .done = on_done}};
    assert_int_equal(token_store_ask(bed->one.store, &a.op), -1);
    int news = bed->one.news;
    server_run(&bed->server, NULL, NULL);
    TURN_UNTIL(bed->loop, is_up(&bed->one) && is_up(&bed->two));
    TURN_UNTIL(bed->loop, bed->one.news > news); /* told to look again */
    assert_int_equal(get(bed, &bed->one, STORE_LOAD, &me).generation, 0);
    assert_int_equal(save(bed, &bed->two, 1, "v"), STORE_OK);
}

static void questions_under_way_are_answered_when_it_is_killed(void **state)
{
    struct bed *bed = with_server(state);
    struct asked a = {0}, b = {0};
    (void)kill(bed->server.pid, SIGSTOP);
    ask(&bed->one, &a, STORE_LOAD, &me);
    ask(&bed->one, &b, STORE_LOCK, &me);
    token_store_cancel(&b.op);
    loop_turn(bed->loop, 0);
    server_kill(&bed->server);
    TURN_UNTIL(bed->loop, a.answers == 1);
    assert_int_equal(a.status, STORE_AWAY);
    assert_int_equal(b.answers, 0);
}

static void a_server_that_hangs_delays_nobody_twice(void **state)
{
    struct bed *bed = with_server(state);
    struct asked a = {0};
    (void)kill(bed->server.pid, SIGSTOP);
    a.op = (struct store_op){.verb = STORE_LOAD, .name = name, .done = on_done};
    assert_int_equal(token_store_ask(bed->one.store, &a.op), 0);
    TURN_UNTIL(bed->loop, a.answers == 1);
    assert_int_equal(a.status, STORE_AWAY);
    assert_int_equal(token_store_ask(bed->one.store, &a.op), -1);
    (void)kill(bed->server.pid, SIGCONT);
    TURN_UNTIL(bed->loop, is_up(&bed->one));
    assert_int_equal(save(bed, &bed->one, 1, "v"), STORE_OK);
}

static void a_read_only_server_is_away(void **state)
{
    struct bed *bed = with_server(state);
    server_order(&bed->server, "REPLICAOF 127.0.0.1 1");
    struct asked a = {.op = {.generation = 1, .value = TEXT("v")}};
    ask(&bed->one, &a, STORE_SAVE, &me);
    TURN_UNTIL(bed->loop, a.answers == 1);
    assert_int_equal(a.status, STORE_AWAY);
    server_order(&bed->server, "REPLICAOF NO ONE");
    TURN_UNTIL(bed->loop, is_up(&bed->one));
    assert_int_equal(save(bed, &bed->one, 1, "v"), STORE_OK);
}

static void a_full_server_is_away(void **state)
{
    struct bed *bed = with_server(state);
    server_order(&bed->server, "CONFIG SET maxmemory 1");
    struct asked a = {.op = {.generation = 1, .value = TEXT("v")}};
    ask(&bed->one, &a, STORE_SAVE, &me);
    TURN_UNTIL(bed->loop, a.answers == 1);
    assert_int_equal(a.status, STORE_AWAY);
    server_order(&bed->server, "CONFIG SET maxmemory 0");
    TURN_UNTIL(bed->loop, is_up(&bed->one));
    assert_int_equal(save(bed, &bed->one, 1, "v"), STORE_OK);
}

static void a_flushed_server_has_forgotten_all(void **state)
{
    struct bed *bed = with_server(state);
    assert_int_equal(save(bed, &bed->one, 5, "v"), STORE_OK);
    server_order(&bed->server, "FLUSHALL");
    assert_int_equal(get(bed, &bed->one, STORE_LOAD, &me).generation, 0);
    assert_int_equal(save(bed, &bed->one, 6, "v"), STORE_OK);
}

static void what_somebody_else_has_written_is_no_entry(void **state)
{
    static const char key[] = "bearerd:{tokens}:"
                              "0102ab0000000000000000000000000000000000000000000000000000000000";
    static const char *const orders[][2] = {{"SET", "x"},
                                            {"HSET", "g 9999999999999999999 v x t 0"},
                                            {"HSET", "g 5 v x t x"},
                                            {"HSET", "v x"}};
    struct bed *bed = with_server(state);
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        char order[200];
        server_order(&bed->server, "FLUSHALL");
        (void)snprintf(order, sizeof(order), "%s %s %s", orders[i][0], key, orders[i][1]);
        server_order(&bed->server, order);
        struct asked a = get(bed, &bed->one, STORE_LOCK, &me);
        assert_int_equal(a.status, STORE_OK);
        assert_int_equal(a.generation, 0);
        assert_int_equal(save(bed, &bed->one, 1, "v"), STORE_OK);
        assert_int_equal(get(bed, &bed->two, STORE_LOAD, &you).generation, 1);
    }
}

static void a_lock_without_an_end_is_nobodys(void **state)
{
    static const char order[] =
        "SET "
        "bearerd:{tokens}:0102ab0000000000000000000000000000000000000000000000000000000000:lock x";
    struct bed *bed = with_server(state);
    server_order(&bed->server, order);
    assert_int_equal(get(bed, &bed->one, STORE_LOCK, &me).status, STORE_OK);
    assert_int_equal(get(bed, &bed->two, STORE_LOCK, &you).status, STORE_HELD);
}

/* Of the news before: who publishes learns it from the publication. */
static void news_say_how_many_hear_them(void **state)
{
    struct bed *bed = with_server(state);
    static const char *const numbers[] = {"0", "9000"};
    for (uint64_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        int news = bed->two.news;
        char order[160];
        (void)snprintf(order, sizeof(order), "HSET bearerd:{tokens}:0102ab%058d n %s", 0,
                       numbers[i]);
        server_order(&bed->server, order);
        assert_int_equal(save(bed, &bed->one, i + 1, "sealed"), STORE_OK);
        TURN_UNTIL(bed->loop, bed->two.news > news);
        assert_int_equal(bed->two.spread_ms, i == 0 ? 0 : 9000 / STORE_LOOKS_A_MS);
    }
}

static void strange_news_are_ignored(void **state)
{
    struct bed *bed = with_server(state);
    int news = bed->one.news;
    server_order(&bed->server, "PUBLISH bearerd:news hello");
    server_order(&bed->server,
                 "PUBLISH bearerd:news "
                 "zz02ab0000000000000000000000000000000000000000000000000000000000,1");
    server_order(&bed->server, "PUBLISH bearerd:news "
                               "0102ab0000000000000000000000000000000000000000000000000000000000");
    assert_int_equal(save(bed, &bed->two, 4, "v"), STORE_OK);
    TURN_UNTIL(bed->loop, bed->one.news > news);
    assert_int_equal(bed->one.news, news + 1);
    assert_int_equal(bed->one.generation, 4);
}

static void lost_news_are_made_up_for(void **state)
{
    struct bed *bed = with_server(state);
    int news = bed->one.news;
    server_order(&bed->server, "CLIENT KILL TYPE pubsub");
    TURN_UNTIL(bed->loop, bed->one.news > news);
    assert_int_equal(bed->one.generation, 0);
    assert_true(is_up(&bed->one));
}

static void the_password_is_needed(void **state)
{
    struct bed *bed = with_server(state);
    struct asked a = {0};
    close_store(&bed->one);
    server_order(&bed->server, "CONFIG SET requirepass secret");
    bed->one.store = store_redis_open(bed->loop, &bed->config, NULL);
    bed->one.listener = (struct store_listener){.name = name, .news = on_news};
    list_init(&bed->one.listener.link);
    ask(&bed->one, &a, STORE_LOAD, &me); /* waits for the first attempt to connect */
    TURN_UNTIL(bed->loop, a.answers == 1);
    assert_int_equal(a.status, STORE_AWAY);
    close_store(&bed->one);
    bed->config.password = secret_new(TEXT("secret"));
    open_store(bed, &bed->one);
    assert_int_equal(get(bed, &bed->one, STORE_LOAD, &me).status, STORE_OK);
    secret_unref(bed->config.password);
}

/* The rights that the guide names are enough. */
static void a_user_with_few_rights_is_enough(void **state)
{
    struct bed *bed = with_server(state);
    close_store(&bed->one);
    server_order(&bed->server,
                 "ACL SETUSER fleet on >pw ~bearerd:{tokens}:* &bearerd:* +eval +time "
                 "+hset +hmget +set +get +del +pttl +pexpire +publish");
    server_order(&bed->server, "ACL SETUSER fleet +subscribe +ping +select");
    assert_string_equal(bed->server.text, "OK");
    bed->config.user = "fleet";
    bed->config.password = secret_new(TEXT("pw"));
    open_store(bed, &bed->one);
    assert_int_equal(get(bed, &bed->one, STORE_LOCK, &me).status, STORE_OK);
    assert_int_equal(save(bed, &bed->one, 1, "v"), STORE_OK);
    assert_int_equal(get(bed, &bed->one, STORE_EXTEND, &me).status, STORE_OK);
    assert_int_equal(get(bed, &bed->one, STORE_UNLOCK, &me).status, STORE_OK);
    secret_unref(bed->config.password);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_not_there_is_not_found),
        T(what_one_saves_the_other_finds_and_hears_of),
        T(a_save_that_had_to_wait_is_as_old_as_its_question),
        T(an_older_generation_never_replaces_a_newer_one),
        T(values_may_be_long_and_of_any_bytes),
        T(entries_are_forgotten_in_time),
        T(nothing_but_our_keys_is_written),
        T(one_has_the_right_to_fetch),
        T(a_right_whose_holder_is_gone_ends),
        T(of_many_that_ask_at_once_one_gets_it),
        T(a_killed_server_is_noticed_and_found_again),
        T(questions_under_way_are_answered_when_it_is_killed),
        T(a_server_that_hangs_delays_nobody_twice),
        T(a_read_only_server_is_away),
        T(a_full_server_is_away),
        T(a_flushed_server_has_forgotten_all),
        T(what_somebody_else_has_written_is_no_entry),
        T(a_lock_without_an_end_is_nobodys),
        T(news_say_how_many_hear_them),
        T(strange_news_are_ignored),
        T(lost_news_are_made_up_for),
        T(the_password_is_needed),
        T(a_user_with_few_rights_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
