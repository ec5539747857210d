#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "admin/admin_testing.h"
#include "admin/page.h"
#include "admin/page_testing.h"
#include "base/crypto.h"
#include "base/encoding.h"

static const char *page_of(struct stage *s, bool alive)
{
    buffer_clear(&s->page);
    page_write(&s->state, alive, &s->page);
    assert_has_not(stage_page(s), "the-secret-of-the-test");
    return stage_page(s);
}

static void all_of_the_page_is_there(void **state)
{
    const char *page = page_of(*state, true);
    assert_int_equal(strncmp(page, "<!doctype html>\n", 16), 0);
    assert_has(page, "<title>All is well – bearerd</title>");
    assert_has(page, "<body class=\"well\">");
    assert_has(page, "Version " BEARERD_VERSION " · up 5 s");
    assert_has(page, "test.ini");
    assert_has(page, ">idp</th>");
    assert_has(page, ">pay ");
    assert_has_not(page, "{{");
    assert_has_not(page, "}}");
    assert_string_equal(page + strlen(page) - 8, "</html>\n");
    assert_balanced(page);
}

static void what_is_wrong_is_said(void **state)
{
    struct stage *s = *state;
    s->state.reload_failed = true;
    assert_has(page_of(s, true), "<body class=\"warns\">");
    stage_fail_provider(s, 0);
    const char *page = page_of(s, false);
    assert_has(page, "<h1 id=\"verdict\">Failing</h1>");
    assert_has(page, "<li class=\"fails\">A worker does not answer");
    assert_has(page, "<li class=\"fails\">Provider idp gives no token: ");
    assert_has(page, "<li class=\"warns\">The last reload failed");
    assert_balanced(page);
}

static void hostile_texts_stay_texts(void **state)
{
    struct stage *s = *state;
    stage_make_hostile(s);
    stage_fail_provider(s, 0);
    const char *page = page_of(s, true);
    assert_has(page, "Provider " HOSTILE_ESCAPED " gives no token");
    assert_has(page, "· " HOSTILE_ESCAPED " ·");
    assert_has_not(page, "<script>alert");
    assert_has_not(page, "<b onclick");
    assert_balanced(page);
}

/* The bytes between two marks of the page. */
static struct text between(const char *page, const char *from, const char *to)
{
    const char *start = strstr(page, from);
    assert_non_null(start);
    start += strlen(from);
    const char *end = strstr(start, to);
    assert_non_null(end);
    return (struct text){start, (size_t)(end - start)};
}

static void assert_allows(const char *policy, const char *directive, struct text code)
{
    unsigned char digest[SHA256_SIZE];
    CLEANUP(buffer_done) struct buffer b;
    buffer_init(&b, 256);
    assert_int_equal(crypto_sha256(code, digest), 0);
    (void)buffer_addf(&b, "; %s 'sha256-", directive);
    (void)buffer_add_base64(&b, (struct text){(const char *)digest, sizeof(digest)});
    (void)buffer_add_string(&b, "';");
    assert_has(policy, buffer_string(&b));
}

static void the_policy_allows_just_its_style_and_script(void **state)
{
    char policy[PAGE_POLICY_SIZE];
    const char *page = page_of(*state, true);
    assert_int_equal(page_policy(policy), 0);
    assert_int_equal(strncmp(policy, "default-src 'none'; ", 20), 0);
    assert_has_not(policy, "unsafe");
    assert_allows(policy, "style-src", between(page, "<style>", "</style>"));
    assert_allows(policy, "script-src", between(page, "<script>", "</script>"));
}

static void a_full_buffer_is_told(void **state)
{
    struct stage *s = *state;
    struct buffer small;
    buffer_init(&small, 1000);
    page_write(&s->state, true, &small);
    assert_true(small.failed);
    buffer_done(&small);
}

#define TEST_OF(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OF(all_of_the_page_is_there), TEST_OF(what_is_wrong_is_said),
        TEST_OF(hostile_texts_stay_texts), TEST_OF(the_policy_allows_just_its_style_and_script),
        TEST_OF(a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
