#include "admin/page.h"

#include <stdio.h>

#include "admin/concerns.h"
#include "admin/html_out.h"
#include "admin/page_tables.h"
#include "admin/words.h"
#include "base/crypto.h"
#include "base/encoding.h"

/* ---- the policy ---- */

static int add_source(struct buffer *b, const char *directive, struct text code)
{
    unsigned char digest[SHA256_SIZE];
    if (crypto_sha256(code, digest))
        return -1;
    (void)buffer_addf(b, "; %s 'sha256-", directive);
    (void)buffer_add_base64(b, (struct text){(const char *)digest, sizeof(digest)});
    return buffer_add_char(b, '\'');
}

int page_policy(char ret_policy[PAGE_POLICY_SIZE])
{
    CLEANUP(buffer_done) struct buffer b;
    buffer_init(&b, PAGE_POLICY_SIZE - 1);
    (void)buffer_add_string(&b, "default-src 'none'");
    if (add_source(&b, "style-src", page_files.style) ||
        add_source(&b, "script-src", page_files.script))
        return -1;
    /* data: is the icon; trusted types forbid the script to make markup out of texts */
    (void)buffer_add_string(&b, "; img-src data:; connect-src 'self'; base-uri 'none'; form-action "
                                "'none'; frame-ancestors 'none'; require-trusted-types-for "
                                "'script'; trusted-types 'none'");
    const char *policy = buffer_string(&b);
    if (!policy)
        return -1;
    memcpy(ret_policy, policy, buffer_size(&b) + 1);
    return 0;
}

/* ---- the head ---- */

/* tone: a class of status.css; colour: the icon's */
static const struct {
    const char *headline, *tone, *colour;
} verdicts[] = {
    [VERDICT_WELL] = {"All is well", "well", "1a7f4b"},
    [VERDICT_WARNS] = {"Needs attention", "warns", "b26a00"},
    [VERDICT_FAILS] = {"Failing", "fails", "c0362c"},
};

static enum verdict verdict_of(const struct page_view *v)
{
    return concerns_tell(v->state, v->alive, v->now.ms, NULL, NULL);
}

static void add_headline(const struct page_view *v, struct buffer *out)
{
    html_addf(out, "%s", verdicts[verdict_of(v)].headline);
}

static void add_tone(const struct page_view *v, struct buffer *out)
{
    html_addf(out, "%s", verdicts[verdict_of(v)].tone);
}

static void add_colour(const struct page_view *v, struct buffer *out)
{
    html_addf(out, "%s", verdicts[verdict_of(v)].colour);
}

static void add_concern(void *ctx, const struct concern *c)
{
    html_addf(ctx, "<li class=\"%s\">%s</li>\n", c->failing ? "fails" : "warns", c->text);
}

static void add_concerns(const struct page_view *v, struct buffer *out)
{
    (void)concerns_tell(v->state, v->alive, v->now.ms, add_concern, out);
}

static void add_facts(const struct page_view *v, struct buffer *out)
{
    html_addf(out, "Version %s · up %s · %s · as of <time>", BEARERD_VERSION,
              words_duration(v->now.ms - v->state->started_ms).text,
              v->state->snapshot->config->path);
    (void)buffer_add_rfc3339(out, v->now.wall_ms);
    html_addf(out, "</time>");
}

/* ---- the whole ---- */

static void add_style(const struct page_view *v UNUSED, struct buffer *out)
{
    (void)buffer_add_text(out, page_files.style);
}

static void add_script(const struct page_view *v UNUSED, struct buffer *out)
{
    (void)buffer_add_text(out, page_files.script);
}

static void add_no_callers(const struct page_view *v, struct buffer *out)
{
    if (v->state->snapshot->config->caller_count == 0)
        html_addf(out, " hidden");
}

/* What stands for {{name}} in status.html. */
static const struct {
    struct text name;
    void (*add)(const struct page_view *v, struct buffer *out);
} slots[] = {
    {TEXT_INIT("headline"), add_headline},
    {TEXT_INIT("colour"), add_colour},
    {TEXT_INIT("tone"), add_tone},
    {TEXT_INIT("style"), add_style},
    {TEXT_INIT("script"), add_script},
    {TEXT_INIT("concerns"), add_concerns},
    {TEXT_INIT("facts"), add_facts},
    {TEXT_INIT("providers"), page_add_providers},
    {TEXT_INIT("routes"), page_add_routes},
    {TEXT_INIT("figures"), page_add_figures},
    {TEXT_INIT("errors"), page_add_errors},
    {TEXT_INIT("no-callers"), add_no_callers},
    {TEXT_INIT("callers"), page_add_callers},
};

static void fill_in(struct text name, const struct page_view *v, struct buffer *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
        if (text_equal(name, slots[i].name)) {
            slots[i].add(v, out);
            return;
        }
    }
    out->failed = true;
}

void page_write(const struct admin_state *s, bool alive, struct buffer *out)
{
    const struct page_view v = {.state = s, .now = now_read(), .alive = alive};
    struct text rest = page_files.html;
    while (rest.size > 0) {
        struct text piece = text_cut(rest, '{', &rest);
        (void)buffer_add_text(out, piece);
        if (rest.size == 0)
            return;
        fill_in(text_cut((struct text){rest.at + 1, rest.size - 1}, '}', &rest), &v, out);
        rest.at++;
        rest.size--;
    }
}
