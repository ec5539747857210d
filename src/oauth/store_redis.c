#include "oauth/store_redis.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "oauth/redis_session.h"

#define TAG     "bearerd:{tokens}:"
#define CHANNEL "bearerd:news"

enum {
    HEX_NAME_SIZE = 2 * STORE_NAME_SIZE,
    HEX_OWNER_SIZE = 2 * STORE_OWNER_SIZE,
    KEY_SIZE = sizeof(TAG) + HEX_NAME_SIZE + sizeof(":lock"),
    NUMBER_SIZE = 24,
    GENERATION_DIGITS = 19, /* all have as many, so that Lua compares them exactly, as strings */
    ARGS_MAX = 10,
};

static const int64_t KEEP_MAX_MS = 10LL * 366 * 24 * 3600 * 1000;
static const uint64_t GENERATION_MAX = 8999999999999999999U; /* see IS_ENTRY */

struct store_redis {
    struct token_store *store;
    struct redis_session *asking, *listening;
    struct list waiting;    /* operations, while the first attempt to connect runs */
    bool connecting;        /* that attempt */
    bool knows_clock;       /* since the connection was made */
    int64_t clock_ahead_ms; /* Redis's time less ours, or less than that */
};

/* What the back end keeps of a question that was sent. */
struct question {
    struct redis_call call;
    struct store_redis *redis;
    struct store_op *op;
};

/* ---- scripts ---- */

#define NOW "local t=redis.call('TIME') local now=t[1]*1000+math.floor(t[2]/1000) "

/* What somebody else has written under an entry's name is no entry, and is overwritten. */
#define IS_ENTRY "(e[1] and #e[1]==19 and string.match(e[1],'^[0-8]%d*$'))"

/* {done, generation, value, age, now}; the three in the middle of no entry: false. */
#define FOUND                                                                                      \
    "local e=redis.pcall('HMGET',KEYS[1],'g','v','t') "                                            \
    "if e.err or not " IS_ENTRY " then return {done,false,false,false,now} end "                   \
    "local saved=tonumber(e[3] or '') return {done,e[1],e[2],saved and now-saved or -1,now}"

static const struct text load_script = TEXT_INIT(NOW "local done=1 " FOUND);

/* A lock that would live for longer than any is taken for is nobody's. */
static const struct text lock_script = TEXT_INIT(
    NOW "local done=1 local owner=redis.pcall('GET',KEYS[2]) "
        "local left=redis.call('PTTL',KEYS[2]) "
        "if type(owner)~='string' or left<0 or left>tonumber(ARGV[2]) "
        "then redis.call('SET',KEYS[2],ARGV[1],'PX',ARGV[2]) "
        "elseif owner==ARGV[1] then redis.call('PEXPIRE',KEYS[2],ARGV[2]) else done=0 end " FOUND);

/*
 * An entry is as old as the question, which may have waited for a Redis that stood still.
 * News say how many heard the ones before: so the hearers know in how much time to ask.
 */
static const struct text save_script =
    TEXT_INIT(NOW "local e=redis.pcall('HMGET',KEYS[1],'g','n') "
                  "if e.err then redis.call('DEL',KEYS[1]) e={} end "
                  "if " IS_ENTRY " and e[1]>=ARGV[1] then return {0} end "
                  "local asked=tonumber(ARGV[5]) or now "
                  "redis.call('HSET',KEYS[1],'g',ARGV[1],'v',ARGV[2],'t',"
                  "string.format('%.0f',math.min(asked,now))) "
                  "redis.call('PEXPIRE',KEYS[1],ARGV[3]) "
                  "local n=string.match(e[2] or '','^%d+$') or '0' "
                  "n=redis.call('PUBLISH','" CHANNEL "',ARGV[4]..' '..n) "
                  "redis.call('HSET',KEYS[1],'n',n) return {1}");

static const struct text extend_script =
    TEXT_INIT("if redis.call('GET',KEYS[2])~=ARGV[1] then return {0} end "
              "redis.call('PEXPIRE',KEYS[2],ARGV[2]) return {1}");

static const struct text unlock_script =
    TEXT_INIT("if redis.call('GET',KEYS[2])~=ARGV[1] then return {0} end "
              "redis.call('DEL',KEYS[2]) return {1}");

/* Everything that the others do: what is not allowed or possible is found out before it matters. */
static const struct text proof[] = {
    TEXT_INIT("EVAL"),
    TEXT_INIT("redis.call('TIME') redis.call('HSET',KEYS[1],'t','0') "
              "redis.call('PEXPIRE',KEYS[1],1000) redis.call('HMGET',KEYS[1],'t') "
              "redis.call('SET',KEYS[2],'','PX',1000) "
              "redis.call('GET',KEYS[2]) redis.call('PTTL',KEYS[2]) redis.call('DEL',KEYS[2]) "
              "redis.call('PUBLISH','bearerd:proof','') return {1}"),
    TEXT_INIT("2"),
    TEXT_INIT(TAG "proof"),
    TEXT_INIT(TAG "proof:lock"),
};

static const struct text subscription[] = {TEXT_INIT("SUBSCRIBE"), TEXT_INIT(CHANNEL)};

/* ---- answers ---- */

static void forget(struct store_op *op)
{
    struct question *q = op->backend_data;
    list_remove(&op->backend_link);
    op->backend_data = NULL;
    if (q)
        redis_call_cancel(&q->call);
    free(q);
}

/* False: this is no answer that a script gives. */
static bool read_found(const struct redis_reply *reply, struct store_found *ret_found)
{
    struct text generation = redis_reply_text(reply, 1);
    *ret_found = (struct store_found){0};
    if (reply->count != 5)
        return false;
    if (reply->items[1]->kind == REDIS_NIL)
        return true;
    ret_found->value = redis_reply_text(reply, 2);
    ret_found->age_ms = redis_reply_integer(reply, 3, -1);
    return text_to_u64(generation, &ret_found->generation) == 0;
}

static enum store_status status_of(enum store_verb verb, bool done)
{
    if (done)
        return STORE_OK;
    return verb == STORE_SAVE ? STORE_STALE : STORE_HELD;
}

/* Too little by the answer's way here: so entries seem older by that, and never younger. */
static void learn_clock(struct store_redis *r, int64_t redis_ms)
{
    r->clock_ahead_ms = redis_ms - clock_monotonic_ms();
    r->knows_clock = true;
}

static void on_answer(struct redis_call *call, const struct redis_reply *reply)
{
    struct question *q = CONTAINER_OF(call, struct question, call);
    struct store_op *op = q->op;
    struct store_found found;
    bool finds = op->verb == STORE_LOAD || op->verb == STORE_LOCK;
    int64_t done = redis_reply_integer(reply, 0, -1);
    if (done < 0 || (finds && !read_found(reply, &found))) {
        redis_session_refuse(q->redis->asking, reply); /* all questions are cancelled, this too */
        return;
    }
    if (finds)
        learn_clock(q->redis, redis_reply_integer(reply, 4, 0));
    forget(op);
    token_store_answer(op, status_of(op->verb, done == 1),
                       finds && found.generation ? &found : NULL);
}

/* ---- questions ---- */

/* The texts of one command, and their memory. */
struct command {
    struct text args[ARGS_MAX];
    size_t count;
    char name[HEX_NAME_SIZE + 1];
    char entry[KEY_SIZE], lock[KEY_SIZE];
    char owner[HEX_OWNER_SIZE + 1];
    char generation[NUMBER_SIZE], ms[NUMBER_SIZE], asked[NUMBER_SIZE];
    char news[HEX_NAME_SIZE + 1 + NUMBER_SIZE];
};

static void write_hex(char *to, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        to[2 * i] = digits[bytes[i] >> 4];
        to[2 * i + 1] = digits[bytes[i] & 0x0f];
    }
    to[2 * size] = '\0';
}

static void add(struct command *c, struct text arg)
{
    c->args[c->count++] = arg;
}

/* A time that Redis takes: one of 0 would delete at once, one too far away is refused. */
static struct text ms_text(struct command *c, int64_t ms)
{
    int64_t allowed = ms < 1 ? 1 : ms > KEEP_MAX_MS ? KEEP_MAX_MS : ms;
    (void)snprintf(c->ms, sizeof(c->ms), "%" PRId64, allowed);
    return text_of(c->ms);
}

static void begin(struct command *c, const struct store_op *op, struct text script)
{
    c->count = 0;
    write_hex(c->name, op->name.bytes, STORE_NAME_SIZE);
    write_hex(c->owner, op->owner.bytes, STORE_OWNER_SIZE);
    (void)snprintf(c->entry, sizeof(c->entry), TAG "%s", c->name);
    (void)snprintf(c->lock, sizeof(c->lock), TAG "%s:lock", c->name);
    add(c, TEXT("EVAL"));
    add(c, script);
    add(c, TEXT("2"));
    add(c, text_of(c->entry));
    add(c, text_of(c->lock));
}

static void begin_save(struct command *c, const struct store_op *op, const struct store_redis *r)
{
    begin(c, op, save_script);
    (void)snprintf(c->generation, sizeof(c->generation), "%0*" PRIu64, GENERATION_DIGITS,
                   op->generation);
    (void)snprintf(c->news, sizeof(c->news), "%s %s", c->name, c->generation);
    add(c, text_of(c->generation));
    add(c, op->value);
    add(c, ms_text(c, op->keep_ms));
    add(c, text_of(c->news));
    c->asked[0] = '\0';
    if (r->knows_clock)
        (void)snprintf(c->asked, sizeof(c->asked), "%" PRId64,
                       clock_monotonic_ms() + r->clock_ahead_ms);
    add(c, text_of(c->asked));
}

static void begin_for_owner(struct command *c, const struct store_op *op, struct text script)
{
    begin(c, op, script);
    add(c, text_of(c->owner));
    add(c, ms_text(c, op->lock_ms));
}

static void write_command(struct command *c, const struct store_op *op, const struct store_redis *r)
{
    switch (op->verb) {
    case STORE_LOAD:
        begin(c, op, load_script);
        break;
    case STORE_SAVE:
        begin_save(c, op, r);
        break;
    case STORE_LOCK:
        begin_for_owner(c, op, lock_script);
        break;
    case STORE_EXTEND:
        begin_for_owner(c, op, extend_script);
        break;
    case STORE_UNLOCK:
        begin_for_owner(c, op, unlock_script);
        break;
    }
}

static int ask_redis(struct store_redis *r, struct store_op *op)
{
    struct command command;
    struct question *q = op->generation <= GENERATION_MAX ? calloc(1, sizeof(*q)) : NULL;
    if (!q)
        return -1;
    *q = (struct question){.call = {.done = on_answer}, .redis = r, .op = op};
    write_command(&command, op, r);
    if (redis_session_send(r->asking, &q->call, command.args, command.count)) {
        free(q);
        return -1;
    }
    op->backend_data = q;
    return 0;
}

static int start(void *self, struct store_op *op)
{
    struct store_redis *r = self;
    list_init(&op->backend_link);
    op->backend_data = NULL;
    if (!r->connecting)
        return ask_redis(r, op);
    list_push_back(&r->waiting, &op->backend_link);
    return 0;
}

static void cancel(void *self UNUSED, struct store_op *op)
{
    forget(op);
}

/* ---- both connections ---- */

static void on_up(void *ctx)
{
    struct store_redis *r = ctx;
    r->connecting = false;
    r->knows_clock = false;
    for (struct list *link; (link = list_pop_front(&r->waiting));) {
        struct store_op *op = CONTAINER_OF(link, struct store_op, backend_link);
        int failed = ask_redis(r, op);
        (void)failed; /* then it is not answered in time */
    }
    token_store_up(r->store);
}

static void on_down(void *ctx, const char *reason)
{
    struct store_redis *r = ctx;
    r->connecting = false;
    token_store_down(r->store, reason);
}

static void on_listening(void *ctx)
{
    struct store_redis *r = ctx;
    token_store_look_again(r->store);
}

/* The sources poll while there is no news, and a Redis that is away is told by the other one. */
static void on_deaf(void *ctx UNUSED, const char *reason UNUSED)
{
}

static void on_news(void *ctx, struct text payload)
{
    struct store_redis *r = ctx;
    struct text rest, count, hex = text_cut(payload, ' ', &rest);
    struct text digits = text_cut(rest, ' ', &count);
    struct store_name name;
    uint64_t generation, hearers;
    if (hex.size != HEX_NAME_SIZE || text_to_u64(digits, &generation) ||
        text_to_u64(count, &hearers))
        return; /* whoever may publish may say anything */
    for (size_t i = 0; i < STORE_NAME_SIZE; i++) {
        int high = hex_digit(hex.at[2 * i]), low = hex_digit(hex.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return;
        name.bytes[i] = (unsigned char)(high << 4 | low);
    }
    token_store_news(r->store, &name, generation, hearers);
}

/* ---- life ---- */

static void close_redis(void *self)
{
    struct store_redis *r = self;
    redis_session_free(r->asking);
    redis_session_free(r->listening);
    free(r);
}

static const struct store_backend backend = {
    .kind = "redis", .shared = true, .start = start, .cancel = cancel, .free = close_redis};

static struct redis_session *connect_for(struct store_redis *r, struct loop *loop,
                                         const struct store_redis_config *c, bool asking)
{
    struct redis_session_config config = {
        .place = c->place,
        .user = c->user,
        .password = c->password,
        .proof = asking ? proof : subscription,
        .proof_count = asking ? ARRAY_SIZE(proof) : ARRAY_SIZE(subscription),
    };
    struct redis_session_events events = {
        .ctx = r,
        .up = asking ? on_up : on_listening,
        .down = asking ? on_down : on_deaf,
        .message = asking ? NULL : on_news,
    };
    return redis_session_new(loop, &config, &events);
}

struct token_store *store_redis_open(struct loop *loop, const struct store_redis_config *c,
                                     struct error *err)
{
    struct store_redis *r = calloc(1, sizeof(*r));
    if (r) {
        list_init(&r->waiting);
        r->connecting = true;
        r->asking = connect_for(r, loop, c, true);
        r->listening = connect_for(r, loop, c, false);
        if (r->asking && r->listening)
            r->store = token_store_new(loop, &backend, r);
    }
    if (r && r->store)
        return r->store;
    if (r)
        close_redis(r);
    (void)error_set(err, "out of memory");
    return NULL;
}
