#include "oauth/redact.h"

#include <ctype.h>

#include "base/encoding.h"

enum {
    INPUT_MAX = 2048,  /* of a provider's text; what follows is not looked at */
    SECRET_MIN = 4,    /* shorter ones would blank half of every sentence */
    BEGINNING_MIN = 8, /* of a secret that is cut off at the end */
    CREDENTIALS_MAX = 64 * 1024,
    LOOKS_LIKE_TOKEN = 16, /* a run with digits and letters of that length is taken for one */
    SURELY_TOKEN = 40,     /* and any run of that length */
};

/* The text and which of its bytes are covered; what is covered still takes part in comparisons. */
struct canvas {
    char text[INPUT_MAX];
    bool covered[INPUT_MAX];
    size_t size;
};

/* ---- known secrets ---- */

/*
 * Covers each occurrence of `needle` in any case (encodings differ in it), and a beginning of it
 * at the very end, where the text may have been cut.
 */
static void cover(struct canvas *c, struct text needle)
{
    if (needle.size < SECRET_MIN)
        return;
    size_t least = needle.size < BEGINNING_MIN ? needle.size : BEGINNING_MIN;
    for (size_t i = 0; i + least <= c->size; i++) {
        size_t left = c->size - i;
        size_t size = needle.size < left ? needle.size : left;
        if (text_equal_nocase((struct text){c->text + i, size}, (struct text){needle.at, size}))
            memset(c->covered + i, true, size);
    }
}

static void cover_encoded(struct canvas *c, struct text bytes,
                          int (*encode)(struct buffer *, struct text))
{
    struct buffer encoded;
    buffer_init_secret(&encoded, CREDENTIALS_MAX * 3);
    if (encode(&encoded, bytes) == 0) {
        struct text text = buffer_text(&encoded);
        while (text.size > 0 && text.at[text.size - 1] == '=')
            text.size--; /* base64 without its padding is as telling */
        cover(c, text);
    }
    buffer_done(&encoded);
}

static void cover_secret(struct canvas *c, const struct secret *secret)
{
    struct text bytes = secret_bytes(secret);
    if (bytes.size < SECRET_MIN)
        return;
    cover(c, bytes);
    cover_encoded(c, bytes, buffer_add_base64);
    cover_encoded(c, bytes, buffer_add_percent_encoded);
    cover_encoded(c, bytes, buffer_add_form_encoded);
}

/* What the Authorization field of a Basic client says: id, colon, secret in base64. */
static void cover_basic(struct canvas *c, const struct provider_config *p)
{
    struct buffer pair;
    buffer_init_secret(&pair, CREDENTIALS_MAX);
    (void)buffer_add_text(&pair, secret_bytes(p->client_id));
    (void)buffer_add_char(&pair, ':');
    (void)buffer_add_text(&pair, secret_bytes(p->client_secret));
    cover_encoded(c, buffer_text(&pair), buffer_add_base64);
    buffer_done(&pair);
}

static void cover_known(struct canvas *c, const struct provider_config *p,
                        const struct secret *extra)
{
    const struct secret *const known[] = {
        extra,       p->client_secret, p->refresh_token,     p->password,
        p->username, p->client_id,     p->envelope_password, p->envelope_username,
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        cover_secret(c, known[i]);
    cover_basic(c, p);
}

/* ---- what looks like a token ---- */

static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("+/=_%~.-", c));
}

/* Covers runs that look like a token nobody here knows. */
static void cover_runs(struct canvas *c)
{
    for (size_t i = 0, end = 0; i < c->size; i = end + 1) {
        bool digit = false, letter = false;
        for (end = i; end < c->size && is_token_char(c->text[end]); end++) {
            digit = digit || isdigit((unsigned char)c->text[end]);
            letter = letter || isalpha((unsigned char)c->text[end]);
        }
        size_t size = end - i;
        if (size >= SURELY_TOKEN || (size >= LOOKS_LIKE_TOKEN && digit && letter))
            memset(c->covered + i, true, size);
    }
}

/* ---- output ---- */

/* What stands for the byte at `i`: nothing inside of what is covered, `***` where that begins. */
static struct text shown(const struct canvas *c, size_t i)
{
    if (c->covered[i])
        return i > 0 && c->covered[i - 1] ? TEXT("") : TEXT("***");
    bool printable = c->text[i] >= 0x20 && c->text[i] < 0x7f;
    return printable ? (struct text){c->text + i, 1} : TEXT("?");
}

/*
 * The codes of RFC 6749 and its kin say nothing secret, even where a client happens to be called
 * "client".
 */
static bool is_error_code(struct text t)
{
    static const char *const codes[] = {
        "invalid_request",         "invalid_client", "invalid_grant",  "unauthorized_client",
        "unsupported_grant_type",  "invalid_scope",  "access_denied",  "server_error",
        "temporarily_unavailable", "slow_down",      "invalid_target", "invalid_token",
    };
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (text_equal(t, text_of(codes[i])))
            return true;
    return false;
}

void redact_add(struct buffer *out, struct text t, const struct provider_config *p,
                const struct secret *extra)
{
    struct canvas c = {.size = t.size < INPUT_MAX ? t.size : INPUT_MAX};
    if (is_error_code(t))
        (void)buffer_add_text(out, t);
    if (c.size == 0 || is_error_code(t))
        return;
    memcpy(c.text, t.at, c.size);
    cover_known(&c, p, extra);
    cover_runs(&c);
    size_t written = 0;
    for (size_t i = 0; i < c.size; i++) {
        struct text piece = shown(&c, i);
        if (written + piece.size > REDACTED_MAX - 3) {
            (void)buffer_add_string(out, "...");
            break;
        }
        (void)buffer_add_text(out, piece);
        written += piece.size;
    }
    explicit_bzero(c.text, sizeof(c.text));
}
