#include "oauth/redis_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/crypto.h"
#include "base/log.h"
#include "oauth/redis_words.h"

enum {
    PAUSE_FIRST_MS = 100,
    PAUSE_MAX_MS = 5000,
    STEADY_MS = 10 * 1000, /* up for so long: the next loss begins with the first pause again */
    LOOKUP_MS = 1000,
    PING_MS = 10 * 1000,
    MOVES_MAX = 5, /* from node to node within one attempt */
    LOGIN_MAX = 3, /* AUTH, SELECT, the proof */
    REASON_MAX = REDIS_HOST_SIZE + 128,
};

struct redis_session {
    struct loop *loop;
    struct redis_place place;
    char *user;
    struct secret *password;
    const struct text *proof;
    size_t proof_count;
    struct redis_session_events events;

    struct redis_link *link;
    struct redis_call login[LOGIN_MAX];
    size_t login_count, logged_in; /* commands sent, answered */
    struct redis_call ping;
    struct timer timer; /* of the lookup, of the pause, of the next ping: one at a time */
    bool up, told_down;
    int64_t up_since_ms, pause_ms;

    /* the attempt: a host of the place, or what it referred to */
    size_t host_at, hosts_tried, moves;
    struct redis_host target;
    bool asks_sentinel; /* the target is one */
    struct name_lookup *lookup;
    struct socket_address addresses[LOOKUP_ADDRESSES_MAX];
    size_t address_count, address_at;
    char reason[REASON_MAX];
};

static void try_host(struct redis_session *s);
static void try_address(struct redis_session *s);

/* ---- failures ---- */

static void drop_link(struct redis_session *s)
{
    for (size_t i = 0; i < LOGIN_MAX; i++)
        redis_call_cancel(&s->login[i]);
    redis_call_cancel(&s->ping);
    redis_link_free(s->link);
    s->link = NULL;
}

static void note_reason(struct redis_session *s, const char *reason)
{
    if (s->place.kind == REDIS_SOCKET)
        (void)snprintf(s->reason, sizeof(s->reason), "%s: %s", s->place.path, reason);
    else
        (void)snprintf(s->reason, sizeof(s->reason), "%s port %u: %s", s->target.name,
                       s->target.port, reason);
}

static void on_pause_over(struct timer *t)
{
    struct redis_session *s = CONTAINER_OF(t, struct redis_session, timer);
    s->hosts_tried = s->moves = 0;
    try_host(s);
}

/* Half of a pause is left to chance: instances that lost Redis together do not come together. */
static void pause_attempts(struct redis_session *s)
{
    uint32_t random = 0;
    int64_t pause = s->pause_ms ? s->pause_ms * 2 : PAUSE_FIRST_MS;
    s->pause_ms = pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
    if (crypto_random(&random, sizeof(random)))
        random = UINT32_MAX / 2;
    s->timer.on_expire = on_pause_over;
    timer_start(s->loop, &s->timer,
                s->pause_ms / 2 + s->pause_ms * (int64_t)(random >> 16) / (2 * 65536));
}

static void tell_down(struct redis_session *s)
{
    if (s->told_down)
        return;
    s->told_down = true;
    s->events.down(s->events.ctx, s->reason);
}

static void fail_host(struct redis_session *s)
{
    size_t hosts = s->place.kind == REDIS_SOCKET ? 1 : s->place.host_count;
    log_debug("store: redis: %s", s->reason);
    s->host_at = (s->host_at + 1) % hosts;
    if (++s->hosts_tried < hosts) {
        try_host(s);
        return;
    }
    pause_attempts(s);
    tell_down(s);
}

static void fail_address(struct redis_session *s, const char *reason)
{
    note_reason(s, reason);
    drop_link(s);
    s->address_at++;
    try_address(s);
}

/* It was up. */
static void lose(struct redis_session *s, const char *reason)
{
    note_reason(s, reason);
    drop_link(s);
    s->up = false;
    if (loop_now_ms(s->loop) - s->up_since_ms >= STEADY_MS)
        s->pause_ms = 0;
    pause_attempts(s);
    tell_down(s);
}

static void on_link_down(void *ctx, const char *reason)
{
    struct redis_session *s = ctx;
    if (s->up)
        lose(s, reason);
    else
        fail_address(s, reason);
}

static void on_link_message(void *ctx, struct text payload)
{
    struct redis_session *s = ctx;
    s->events.message(s->events.ctx, payload);
}

/* ---- a target: its addresses, and a link to one of them ---- */

static void on_looked_up(void *ctx, const struct socket_address *addresses, size_t count,
                         const char *reason)
{
    struct redis_session *s = ctx;
    s->lookup = NULL;
    timer_stop(&s->timer);
    if (count == 0)
        note_reason(s, reason);
    memcpy(s->addresses, addresses, count * sizeof(*addresses));
    s->address_count = count;
    try_address(s);
}

static void on_lookup_late(struct timer *t)
{
    struct redis_session *s = CONTAINER_OF(t, struct redis_session, timer);
    name_lookup_cancel(s->lookup);
    s->lookup = NULL;
    note_reason(s, "its name is not found in time");
    fail_host(s);
}

static void look_up(struct redis_session *s)
{
    struct error err;
    s->lookup =
        name_lookup_start(s->loop, text_of(s->target.name), s->target.port, on_looked_up, s, &err);
    if (!s->lookup) {
        note_reason(s, err.text);
        fail_host(s);
        return;
    }
    s->timer.on_expire = on_lookup_late;
    timer_start(s->loop, &s->timer, LOOKUP_MS);
}

static void try_target(struct redis_session *s)
{
    s->address_at = 0;
    s->address_count = 1;
    if (name_lookup_literal(text_of(s->target.name), s->target.port, &s->addresses[0]))
        look_up(s);
    else
        try_address(s);
}

static void try_socket(struct redis_session *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, s->place.path, sizeof(address.sun_path));
    s->addresses[0] = (struct socket_address){.size = sizeof(address)};
    memcpy(&s->addresses[0].storage, &address, sizeof(address));
    s->address_at = 0;
    s->address_count = 1;
    try_address(s);
}

static void try_host(struct redis_session *s)
{
    if (s->place.kind == REDIS_SOCKET) {
        try_socket(s);
        return;
    }
    s->asks_sentinel = s->place.kind == REDIS_SENTINELS;
    s->target = s->place.hosts[s->host_at];
    try_target(s);
}

/* Another server is the one to ask; false when it cannot be. An empty host is the same one. */
static bool go_to(struct redis_session *s, struct text host, uint16_t port)
{
    if (++s->moves > MOVES_MAX || host.size >= sizeof(s->target.name) ||
        s->place.kind == REDIS_SOCKET)
        return false;
    drop_link(s);
    if (host.size > 0) {
        memcpy(s->target.name, host.at, host.size);
        s->target.name[host.size] = '\0';
    }
    s->target.port = port;
    s->asks_sentinel = false;
    try_target(s);
    return true;
}

/* ---- logging in ---- */

static void on_pong(struct redis_call *call, const struct redis_reply *reply)
{
    if (reply->kind == REDIS_ERROR)
        redis_session_refuse(call->ctx, reply);
}

static void on_ping_due(struct timer *t)
{
    struct redis_session *s = CONTAINER_OF(t, struct redis_session, timer);
    static const struct text args[] = {TEXT_INIT("PING")};
    timer_start(s->loop, &s->timer, PING_MS);
    if (!s->ping.place && redis_link_send(s->link, &s->ping, args, ARRAY_SIZE(args)))
        log_debug("store: redis: too much is under way for a ping");
}

static void come_up(struct redis_session *s)
{
    s->up = true;
    s->told_down = false;
    s->up_since_ms = loop_now_ms(s->loop);
    s->timer.on_expire = on_ping_due;
    timer_start(s->loop, &s->timer, PING_MS);
    s->events.up(s->events.ctx);
}

/* A cluster's node knows who has the slot. */
static bool follow(struct redis_session *s, const struct redis_reply *reply)
{
    struct text host;
    uint16_t port;
    return redis_words_moved(reply, &host, &port) && go_to(s, host, port);
}

static void on_logged_in(struct redis_call *call, const struct redis_reply *reply)
{
    struct redis_session *s = call->ctx;
    if (reply->kind == REDIS_ERROR) {
        if (!follow(s, reply))
            fail_address(s, redis_words(reply));
    } else if (++s->logged_in == s->login_count) {
        come_up(s);
    }
}

static void on_master(struct redis_call *call, const struct redis_reply *reply)
{
    struct redis_session *s = call->ctx;
    struct text host = redis_reply_text(reply, 0);
    uint64_t port;
    if (reply->kind == REDIS_NIL)
        fail_address(s, "this sentinel does not know the service");
    else if (host.size == 0 || text_to_u64(redis_reply_text(reply, 1), &port) || port < 1 ||
             port > UINT16_MAX || !go_to(s, host, (uint16_t)port))
        fail_address(s, redis_words(reply));
}

static int log_in_with(struct redis_session *s, const struct text *args, size_t count)
{
    struct redis_call *call = &s->login[s->login_count++];
    *call = (struct redis_call){.done = on_logged_in, .ctx = s};
    return redis_link_send(s->link, call, args, count);
}

static int send_auth(struct redis_session *s)
{
    struct text password = secret_bytes(s->password);
    const struct text by_user[] = {TEXT("AUTH"), text_of(s->user), password};
    const struct text by_password[] = {TEXT("AUTH"), password};
    return s->user ? log_in_with(s, by_user, ARRAY_SIZE(by_user))
                   : log_in_with(s, by_password, ARRAY_SIZE(by_password));
}

static int log_in(struct redis_session *s)
{
    char db[16];
    (void)snprintf(db, sizeof(db), "%u", s->place.db);
    const struct text select[] = {TEXT("SELECT"), text_of(db)};
    s->login_count = s->logged_in = 0;
    if ((s->user || s->password) && send_auth(s))
        return -1;
    if (s->place.db && log_in_with(s, select, ARRAY_SIZE(select)))
        return -1;
    return log_in_with(s, s->proof, s->proof_count);
}

static int ask_sentinel(struct redis_session *s)
{
    const struct text args[] = {TEXT("SENTINEL"), TEXT("get-master-addr-by-name"),
                                text_of(s->place.service)};
    s->login[0] = (struct redis_call){.done = on_master, .ctx = s};
    return redis_link_send(s->link, &s->login[0], args, ARRAY_SIZE(args));
}

static void try_address(struct redis_session *s)
{
    struct redis_link_events events = {
        .ctx = s, .down = on_link_down, .message = s->events.message ? on_link_message : NULL};
    struct error err;
    for (; s->address_at < s->address_count; s->address_at++) {
        s->link = redis_link_new(s->loop, &s->addresses[s->address_at], &events, &err);
        if (!s->link)
            note_reason(s, err.text);
        else if (s->asks_sentinel ? ask_sentinel(s) : log_in(s))
            drop_link(s);
        else
            return;
    }
    fail_host(s);
}

/* ---- what the owner calls ---- */

bool redis_session_is_up(const struct redis_session *s)
{
    return s->up;
}

int redis_session_send(struct redis_session *s, struct redis_call *call, const struct text *args,
                       size_t count)
{
    return s->up ? redis_link_send(s->link, call, args, count) : -1;
}

void redis_session_refuse(struct redis_session *s, const struct redis_reply *reply)
{
    if (!s->up)
        return;
    lose(s, redis_words(reply));
}

/* From a timer, so that no event comes from inside of redis_session_new. */
struct redis_session *redis_session_new(struct loop *loop,
                                        const struct redis_session_config *config,
                                        const struct redis_session_events *events)
{
    struct redis_session *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    *s = (struct redis_session){
        .loop = loop,
        .user = config->user ? text_dup(text_of(config->user)) : NULL,
        .password = secret_ref(config->password),
        .proof = config->proof,
        .proof_count = config->proof_count,
        .events = *events,
        .ping = {.done = on_pong},
    };
    s->place = *config->place;
    s->ping.ctx = s;
    timer_init(&s->timer, on_pause_over);
    if (config->user && !s->user) {
        redis_session_free(s);
        return NULL;
    }
    timer_start(loop, &s->timer, 0);
    return s;
}

void redis_session_free(struct redis_session *s)
{
    if (!s)
        return;
    drop_link(s);
    name_lookup_cancel(s->lookup);
    timer_remove(s->loop, &s->timer);
    secret_unref(s->password);
    free(s->user);
    free(s);
}
