#include "oauth/token_entry.h"

#include <string.h>

enum { VERSION = 1, HAS_TOKEN = 1, HAS_REFRESH = 2, SENT = 4, FAILED = 8, UTC_DATE = 16 };

void token_entry_done(struct token_entry *e)
{
    secret_unref(e->token);
    secret_unref(e->refresh);
    *e = (struct token_entry){0};
}

/* ---- writing ---- */

static void add_number(struct buffer *b, uint64_t value)
{
    char bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(value >> (8 * i));
    (void)buffer_add(b, bytes, sizeof(bytes));
}

/* "Never" and "unknown" stay what they are. */
static void add_time(struct buffer *b, int64_t ms, int64_t now_ms)
{
    add_number(b, (uint64_t)(ms == INT64_MAX ? ms : ms - now_ms));
}

static void add_text(struct buffer *b, struct text t)
{
    add_number(b, t.size);
    (void)buffer_add_text(b, t);
}

int token_entry_write(const struct token_entry *e, int64_t now_ms, struct buffer *out)
{
    unsigned flags = (e->token ? HAS_TOKEN : 0) | (e->refresh ? HAS_REFRESH : 0) |
                     (e->refresh_sent ? SENT : 0) | (e->failed ? FAILED : 0) |
                     (e->utc_date ? UTC_DATE : 0);
    (void)buffer_add_char(out, VERSION);
    add_number(out, flags);
    add_text(out, secret_bytes(e->token));
    add_time(out, e->obtained_ms, now_ms);
    add_time(out, e->expires_ms, now_ms);
    add_text(out, text_of(e->scope));
    add_text(out, secret_bytes(e->refresh));
    add_time(out, e->refresh_expires_ms, now_ms);
    add_number(out, e->failure.kind);
    add_time(out, e->failure.retry_ms, now_ms);
    add_number(out, e->refused);
    add_text(out, text_of(e->reason));
    add_number(out, e->mark_count);
    for (size_t i = 0; i < e->mark_count; i++) {
        add_time(out, e->marks[i].at_ms, now_ms);
        add_number(out, e->marks[i].count);
    }
    return out->failed ? -1 : 0;
}

/* ---- reading ---- */

/* A reading that ran over the end stays failed, and yields nothing but zeros. */
struct reading {
    struct text left;
    int64_t written_ms;
    bool failed;
};

static struct text take(struct reading *r, size_t size)
{
    if (r->failed || size > r->left.size) {
        r->failed = true;
        return TEXT_NONE;
    }
    struct text t = {r->left.at, size};
    r->left = (struct text){r->left.at + size, r->left.size - size};
    return t;
}

static uint64_t take_number(struct reading *r)
{
    uint64_t value = 0;
    struct text t = take(r, 8);
    for (size_t i = 0; i < t.size; i++)
        value |= (uint64_t)(unsigned char)t.at[i] << (8 * i);
    return value;
}

/* Times beyond any sense would overflow later. */
static int64_t take_time(struct reading *r)
{
    int64_t value = (int64_t)take_number(r);
    if (value == INT64_MAX)
        return value;
    if (value > TOKEN_LIFETIME_MAX_MS || value < -TOKEN_LIFETIME_MAX_MS)
        r->failed = true;
    return r->failed ? 0 : r->written_ms + value;
}

static struct text take_text(struct reading *r)
{
    uint64_t size = take_number(r);
    return take(r, size <= ENTRY_SIZE_MAX ? size : SIZE_MAX);
}

static struct secret *take_secret(struct reading *r, bool there)
{
    struct text t = take_text(r);
    if (!there || r->failed)
        return NULL;
    struct secret *s = secret_new(t);
    r->failed = !s;
    return s;
}

static void take_string(struct reading *r, char *to, size_t size)
{
    struct text t = take_text(r);
    if (t.size >= size)
        r->failed = true;
    else if (t.size)
        memcpy(to, t.at, t.size);
}

static void take_marks(struct reading *r, struct token_entry *e)
{
    uint64_t count = take_number(r);
    if (count > QUOTA_MARKS_MAX)
        r->failed = true;
    for (size_t i = 0; !r->failed && i < count; i++) {
        e->marks[i].at_ms = take_time(r);
        e->marks[i].count = take_number(r);
    }
    e->mark_count = r->failed ? 0 : count;
}

int token_entry_read(struct token_entry *ret_entry, struct text bytes, int64_t written_ms)
{
    struct reading r = {.left = bytes, .written_ms = written_ms};
    struct text version = take(&r, 1);
    if (r.failed || version.at[0] != VERSION)
        return -1;
    struct token_entry e = {0};
    uint64_t flags = take_number(&r);
    e.token = take_secret(&r, flags & HAS_TOKEN);
    e.obtained_ms = take_time(&r);
    e.expires_ms = take_time(&r);
    take_string(&r, e.scope, sizeof(e.scope));
    e.refresh = take_secret(&r, flags & HAS_REFRESH);
    e.refresh_expires_ms = take_time(&r);
    e.refresh_sent = flags & SENT;
    e.failed = flags & FAILED;
    e.utc_date = flags & UTC_DATE;
    e.failure.kind = take_number(&r) == TOKEN_REFUSED ? TOKEN_REFUSED : TOKEN_UNAVAILABLE;
    e.failure.retry_ms = take_time(&r);
    e.refused = take_number(&r);
    take_string(&r, e.reason, sizeof(e.reason));
    take_marks(&r, &e);
    if (r.failed || r.left.size) {
        token_entry_done(&e);
        return -1;
    }
    *ret_entry = e;
    return 0;
}
