#include "http/target.h"

#include "base/encoding.h"
#include "base/url.h"

/*
 * How often a path may be decoded before it names something: once, and by mistake once more at each
 * of two stations behind us, a gateway and a framework. A dot needs no encoding at all, so nobody
 * who means well encodes one three times.
 */
enum { DECODINGS = 3 };

/* What is special about a byte of the target. */
enum {
    REFUSED = 1,   /* not visible ASCII */
    FRAGMENT = 2,  /* # */
    QUESTION = 4,  /* ? */
    BACKSLASH = 8, /* refused in a path only */
    DOT = 16,      /* a path with one is judged segment by segment */
    PERCENT = 32,  /* and so is this */
};

/* clang-format off */
#define REFUSED_8   REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED
#define REFUSED_32  REFUSED_8, REFUSED_8, REFUSED_8, REFUSED_8
#define REFUSED_128 REFUSED_32, REFUSED_32, REFUSED_32, REFUSED_32
static const unsigned char byte_flags[256] = {
    [0x00] = REFUSED_32, REFUSED,
    [0x7f] = REFUSED, REFUSED_128,
    ['#'] = FRAGMENT, ['?'] = QUESTION, ['\\'] = BACKSLASH, ['.'] = DOT, ['%'] = PERCENT,
};
/* clang-format on */

static struct text text_drop(struct text t, size_t count)
{
    return (struct text){t.at + count, t.size - count};
}

/* ---- the segments of a path ---- */

static const char dot_segment[] = "dot segment in the path";

static bool is_percent_sequence(struct text t, size_t at)
{
    return t.size - at >= 3 && hex_digit(t.at[at + 1]) >= 0 && hex_digit(t.at[at + 2]) >= 0;
}

static const char *check_percents(struct text path)
{
    for (size_t i = 0; i < path.size; i++)
        if (path.at[i] == '%' && !is_percent_sequence(path, i))
            return "broken percent sequence in the path";
    return NULL;
}

/* What is known of a segment, byte by byte as it is decoded. */
struct segment {
    size_t dots;
    bool only_dots; /* up to here, or up to the semicolon */
    bool cut;
    char before;
    const char *fault;
    struct level {
        unsigned held; /* bytes of a percent sequence that is not whole yet */
        char high;     /* its first digit, when two are held */
    } levels[DECODINGS];
};

static bool is_slash(char c)
{
    return c == '/' || c == '\\';
}

/*
 * Decoding never turns a dot, a slash or a semicolon into something else: what can be seen after
 * fewer decodings is still there after the last one, so that is the only one judged.
 */
static void judge_byte(struct segment *s, char c)
{
    if (c == '\0')
        s->fault = "NUL in the path";
    else if ((is_slash(c) && s->before == '.') || (c == '.' && is_slash(s->before)))
        s->fault = "encoded slash beside a dot in the path";
    s->cut = s->cut || c == ';';
    s->only_dots = s->only_dots && (c == '.' || s->cut);
    s->dots += !s->cut && c == '.';
    s->before = c;
}

static void decode_byte(struct segment *s, unsigned at, char c);

/* What was held was no percent sequence, and goes on as it is. */
static void let_go(struct segment *s, unsigned at)
{
    struct level *level = &s->levels[at];
    unsigned held = level->held;
    level->held = 0;
    if (held > 0)
        decode_byte(s, at + 1, '%');
    if (held > 1)
        decode_byte(s, at + 1, level->high);
}

/*
 * Each level decodes what the one before it gives, so that "%25%32%65" is seen as well as "%252e",
 * and no byte is looked at more than twice by each.
 */
static void decode_byte(struct segment *s, unsigned at, char c)
{
    if (at == DECODINGS) {
        judge_byte(s, c);
        return;
    }
    struct level *level = &s->levels[at];
    if (level->held > 0 && hex_digit(c) < 0)
        let_go(s, at);
    if (level->held == 0 && c != '%') {
        decode_byte(s, at + 1, c);
    } else if (level->held == 2) {
        level->held = 0;
        decode_byte(s, at + 1, (char)(hex_digit(level->high) << 4 | hex_digit(c)));
    } else {
        level->high = c; /* of no meaning yet when this is the percent sign */
        level->held++;
    }
}

static const char *check_encoded_segment(struct text segment)
{
    struct segment s = {.only_dots = true};
    for (size_t i = 0; i < segment.size && !s.fault; i++)
        decode_byte(&s, 0, segment.at[i]);
    for (unsigned at = 0; at < DECODINGS; at++)
        let_go(&s, at);
    if (s.fault)
        return s.fault;
    return s.only_dots && (s.dots == 1 || s.dots == 2) ? dot_segment : NULL;
}

static const char *check_plain_segment(struct text segment)
{
    struct text parameters;
    struct text name = text_cut(segment, ';', &parameters);
    return text_equal(name, TEXT(".")) || text_equal(name, TEXT("..")) ? dot_segment : NULL;
}

static const char *check_segments(struct text path)
{
    const char *fault = NULL;
    while (!fault && path.size > 0) {
        struct text segment = text_cut(path, '/', &path);
        bool encoded = segment.size > 0 && memchr(segment.at, '%', segment.size);
        fault = encoded ? check_encoded_segment(segment) : check_plain_segment(segment);
    }
    return fault;
}

/* ---- the parts of a target ---- */

static const char *check_flags(unsigned flags)
{
    if (flags & REFUSED)
        return "the target has a byte that is not visible ASCII";
    if (flags & FRAGMENT)
        return "the target has a fragment";
    return NULL;
}

/* Path and query. */
static const char *parse_path(struct text t, struct target *target)
{
    unsigned flags = 0;
    size_t end = 0;
    while (end < t.size && t.at[end] != '?')
        flags |= byte_flags[(unsigned char)t.at[end++]];
    unsigned query_flags = 0;
    for (size_t i = end; i < t.size; i++)
        query_flags |= byte_flags[(unsigned char)t.at[i]];

    const char *fault = check_flags(flags | query_flags);
    if (fault)
        return fault;
    if (flags & BACKSLASH)
        return "backslash in the path";
    target->path = (struct text){t.at, end};
    target->has_query = end < t.size;
    target->query = text_drop(t, target->has_query ? end + 1 : end);
    if (flags & PERCENT)
        fault = check_percents(target->path);
    return fault || !(flags & (DOT | PERCENT)) ? fault : check_segments(target->path);
}

static bool take_prefix_nocase(struct text *t, struct text prefix)
{
    if (t->size < prefix.size || !text_equal_nocase((struct text){t->at, prefix.size}, prefix))
        return false;
    *t = text_drop(*t, prefix.size);
    return true;
}

static const char *parse_absolute(struct text t, struct target *target)
{
    struct text port;
    if (take_prefix_nocase(&t, TEXT("https://")))
        target->tls = true;
    else if (!take_prefix_nocase(&t, TEXT("http://")))
        return "the target is neither a path nor an http or https URL";

    size_t end = 0;
    while (end < t.size && t.at[end] != '/' && t.at[end] != '?')
        end++;
    target->form = TARGET_ABSOLUTE;
    target->authority = (struct text){t.at, end};
    if (target_parse_authority(target->authority, &target->host, &port))
        return "the target has a malformed host or port, or a user name";

    const char *fault = parse_path(text_drop(t, end), target);
    if (!fault && target->path.size == 0)
        target->path = TEXT("/");
    return fault;
}

const char *target_parse(struct text raw, struct target *ret_target)
{
    struct target target = {.form = TARGET_ORIGIN};
    const char *fault = NULL;

    if (raw.size == 0)
        return "the target is empty";
    if (raw.at[0] == '/')
        fault = parse_path(raw, &target);
    else if (text_equal(raw, TEXT("*")))
        target.form = TARGET_ASTERISK;
    else
        fault = parse_absolute(raw, &target);
    if (!fault)
        *ret_target = target;
    return fault;
}

int target_parse_authority(struct text authority, struct text *ret_host, struct text *ret_port)
{
    return url_parse_authority(authority, ret_host, ret_port, NULL);
}
