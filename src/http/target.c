#include "http/target.h"

#include "base/encoding.h"
#include "base/url.h"

/* How often a path may be decoded before it names something: once, and by mistake once more. */
enum { DECODINGS = 2 };

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

/*
 * The next byte of `t` from *at on, decoded `times` times over; *at moves behind it. Each level
 * reads the one below it, so that "%25%32%65" is seen as well as "%252e".
 */
static int next_decoded(struct text t, size_t *at, unsigned times)
{
    if (times == 0)
        return *at < t.size ? (unsigned char)t.at[(*at)++] : -1;
    int byte = next_decoded(t, at, times - 1);
    if (byte != '%')
        return byte;
    size_t behind = *at;
    int high = next_decoded(t, &behind, times - 1);
    int low = next_decoded(t, &behind, times - 1);
    if (high < 0 || low < 0 || hex_digit((char)high) < 0 || hex_digit((char)low) < 0)
        return byte;
    *at = behind;
    return hex_digit((char)high) << 4 | hex_digit((char)low);
}

/*
 * Decoding never turns a dot, a slash or a semicolon into something else: what can be seen after
 * fewer decodings is still there after the last one, so that is the only one judged.
 */
static const char *check_encoded_segment(struct text segment)
{
    size_t dots = 0;
    bool only_dots = true; /* up to here, or up to the semicolon */
    bool cut = false;
    int before = 0;
    size_t at = 0;

    for (int c = next_decoded(segment, &at, DECODINGS); c >= 0;
         c = next_decoded(segment, &at, DECODINGS)) {
        if (c == 0)
            return "NUL in the path";
        bool slash = c == '/' || c == '\\';
        bool slash_before = before == '/' || before == '\\';
        if ((slash && before == '.') || (c == '.' && slash_before))
            return "encoded slash beside a dot in the path";
        if (c == ';')
            cut = true;
        if (!cut && c == '.')
            dots++;
        else if (!cut)
            only_dots = false;
        before = c;
    }
    return only_dots && (dots == 1 || dots == 2) ? dot_segment : NULL;
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
