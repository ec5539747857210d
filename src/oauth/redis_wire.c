#include "oauth/redis_wire.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

enum { ARGS_MAX = 32, DEPTH_MAX = 7 };

struct redis_wire {
    redisReader *reader;
    size_t fed;   /* bytes since the last whole reply */
    size_t items; /* elements of the reply that is being read */
};

/* ---- replies, built by hiredis' reader ---- */

void redis_reply_free(struct redis_reply *reply)
{
    if (!reply)
        return;
    for (size_t i = 0; i < reply->count; i++) /* DEPTH_MAX levels */
        redis_reply_free(reply->items[i]);
    free(reply->items);
    free(reply);
}

void redis_reply_freep(struct redis_reply **reply)
{
    redis_reply_free(*reply);
}

static void free_object(void *reply)
{
    redis_reply_free(reply);
}

/* Puts it where it belongs in its array. */
static void *place(const redisReadTask *task, struct redis_reply *reply)
{
    if (reply && task->parent)
        ((struct redis_reply *)task->parent->obj)->items[task->idx] = reply;
    return reply;
}

static struct redis_reply *reply_new(enum redis_kind kind, size_t text_size)
{
    struct redis_reply *reply = calloc(1, sizeof(*reply) + text_size + 1);
    if (reply)
        reply->kind = kind;
    return reply;
}

/* False: a kind of RESP3, which was not asked for; the reader takes NULL for a failure. */
static bool kind_of(int type, enum redis_kind *ret_kind)
{
    static const struct {
        int type;
        enum redis_kind kind;
    } kinds[] = {{REDIS_REPLY_STRING, REDIS_STRING},
                 {REDIS_REPLY_STATUS, REDIS_STATUS},
                 {REDIS_REPLY_ERROR, REDIS_ERROR},
                 {REDIS_REPLY_ARRAY, REDIS_ARRAY}};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (kinds[i].type != type)
            continue;
        *ret_kind = kinds[i].kind;
        return true;
    }
    return false;
}

static void *create_string(const redisReadTask *task, char *bytes, size_t size)
{
    enum redis_kind kind;
    struct redis_reply *reply = kind_of(task->type, &kind) ? reply_new(kind, size) : NULL;
    if (!reply)
        return NULL;
    char *copy = (char *)(reply + 1);
    if (size)
        memcpy(copy, bytes, size);
    reply->text = (struct text){copy, size};
    return place(task, reply);
}

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count; /* the reader lets no negative one through */
#endif

/* hiredis 0.14 reads seven levels, 1.x as many as there are. */
static bool is_too_deep(const redisReadTask *task)
{
    int depth = 1;
    while ((task = task->parent))
        depth++;
    return depth > DEPTH_MAX;
}

/* What the peer announces is not allocated before it is known to be little. */
static void *create_array(const redisReadTask *task, element_count count)
{
    struct redis_wire *w = task->privdata;
    enum redis_kind kind;
    size_t size = (size_t)count;
    if (!kind_of(task->type, &kind) || is_too_deep(task) || size > REDIS_REPLY_ITEMS_MAX - w->items)
        return NULL;
    w->items += size;
    struct redis_reply *reply = reply_new(kind, 0);
    if (!reply)
        return NULL;
    reply->items = calloc(size + 1, sizeof(struct redis_reply *));
    if (!reply->items) {
        free(reply);
        return NULL;
    }
    reply->count = size;
    return place(task, reply);
}

static void *create_integer(const redisReadTask *task, long long value)
{
    struct redis_reply *reply = reply_new(REDIS_INTEGER, 0);
    if (reply)
        reply->integer = value;
    return place(task, reply);
}

static void *create_nil(const redisReadTask *task)
{
    return place(task, reply_new(REDIS_NIL, 0));
}

#if HIREDIS_MAJOR >= 1
/* The same for the kinds that have functions of their own. */
static void *refuse_double(const redisReadTask *task UNUSED, double value UNUSED,
                           char *bytes UNUSED, size_t size UNUSED)
{
    return NULL;
}

static void *refuse_bool(const redisReadTask *task UNUSED, int value UNUSED)
{
    return NULL;
}
#endif

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = refuse_double,
    .createBool = refuse_bool,
#endif
    .freeObject = free_object,
};

/* ---- life ---- */

struct redis_wire *redis_wire_new(void)
{
    struct redis_wire *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->reader = redisReaderCreateWithFunctions(&functions);
    if (!w->reader) {
        free(w);
        return NULL;
    }
    w->reader->privdata = w;
    return w;
}

void redis_wire_free(struct redis_wire *w)
{
    if (!w)
        return;
    redisReaderFree(w->reader);
    free(w);
}

/* ---- both ways ---- */

int redis_wire_command(struct buffer *out, const struct text *args, size_t count)
{
    const char *at[ARGS_MAX];
    size_t sizes[ARGS_MAX];
    if (count == 0 || count > ARGS_MAX)
        return -1;
    for (size_t i = 0; i < count; i++) {
        at[i] = args[i].size ? args[i].at : "";
        sizes[i] = args[i].size;
    }
    char *command = NULL;
    long long size = redisFormatCommandArgv(&command, (int)count, at, sizes);
    if (size < 0)
        return -1;
    int failed = buffer_add(out, command, (size_t)size);
    explicit_bzero(command, (size_t)size); /* AUTH has a password in it */
    redisFreeCommand(command);
    return failed;
}

int redis_wire_feed(struct redis_wire *w, struct text bytes)
{
    w->fed += bytes.size;
    if (w->fed > REDIS_REPLY_BYTES_MAX)
        return -1;
    return redisReaderFeed(w->reader, bytes.at, bytes.size) == REDIS_OK ? 0 : -1;
}

int redis_wire_next(struct redis_wire *w, struct redis_reply **ret_reply)
{
    void *reply = NULL;
    if (redisReaderGetReply(w->reader, &reply) != REDIS_OK)
        return -1;
    if (!reply)
        return 0;
    w->fed = w->reader->len - w->reader->pos;
    w->items = 0;
    *ret_reply = reply;
    return 1;
}

struct text redis_reply_text(const struct redis_reply *reply, size_t i)
{
    if (reply->kind != REDIS_ARRAY || i >= reply->count)
        return TEXT("");
    const struct redis_reply *item = reply->items[i];
    return item->kind == REDIS_STRING || item->kind == REDIS_STATUS ? item->text : TEXT("");
}

int64_t redis_reply_integer(const struct redis_reply *reply, size_t i, int64_t otherwise)
{
    if (reply->kind != REDIS_ARRAY || i >= reply->count)
        return otherwise;
    return reply->items[i]->kind == REDIS_INTEGER ? reply->items[i]->integer : otherwise;
}
