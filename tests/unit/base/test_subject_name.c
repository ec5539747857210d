/* One name in many writings, and what must never be taken for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/subject_name.h"

/* The canonical form, or NULL; good until the next call. */
static const char *canonical(struct text written)
{
    static struct buffer b;
    buffer_done(&b);
    buffer_init(&b, 65536);
    return subject_name_canonical(&b, written) ? NULL : buffer_string(&b);
}

static void assert_form(const char *written, const char *form)
{
    const char *is = canonical(text_of(written));
    if (!is)
        fail_msg("%s is refused", written);
    assert_string_equal(is, form);
}

static void one_form(void **state)
{
    (void)state;
    assert_form("CN=shop,O=Example", "2.5.4.3=shop,2.5.4.10=Example");
    assert_form("cn=shop,o=Example", "2.5.4.3=shop,2.5.4.10=Example");
    assert_form("2.5.4.3=shop,2.5.4.10=Example", "2.5.4.3=shop,2.5.4.10=Example");
    assert_form("CN=the shop", "2.5.4.3=the\\20shop");
    assert_form("CN=", "2.5.4.3=");
    assert_form("CN=a=b", "2.5.4.3=a\\3db");
    assert_form("Odd-Type=x", "odd-type=x");
}

/* As GnuTLS, OpenSSL (-nameopt RFC2253) and Python's cryptography write the same certificates. */
static void programs_agree(void **state)
{
    (void)state;
    static const char *const same[][3] = {
        {"CN=shop+UID=17,O=Ex", "UID=17+CN=shop,O=Ex", "O=Ex"},
        {"CN=K\xc3\xb6p \xe6\x97\xa5", "CN=K\\C3\\B6p \\E6\\97\\A5", "CN=K\xc3\xb6p"},
        {"EMAIL=a@b.example", "emailAddress=a@b.example", "CN=a@b.example"},
        {"1.2.840.113549.1.9.1=a@b.example", "emailAddress=a@b.example", "E=b@b.example"},
        {"1.2.3.4=#0c0568656c6c6f", "1.2.3.4=#0C0568656C6C6F", "1.2.3.4=#0c0568656c6c6e"},
        {"1.2.3.4=#0c0568656c6c6f", "1.2.3.4=hello", "1.2.3.4=hell"},
        {"CN=#0c0a73686f70002e6576696c", "CN=shop\\00.evil", "CN=shop"},
        {"CN=#160473686f70", "CN=shop", "CN=\\#160473686f70"},
        {"CN=#1e080073006800f6006f", "CN=sh\xc3\xb6o", "CN=shoo"},
        {"CN=#1e0265e5", "CN=\xe6\x97\xa5", "CN=e\xe5"},
        {"CN=a\nb\x01", "CN=a\\0Ab\\01", "CN=ab"},
        {"CN=\\ #a\\\"\\+\\,\\;\\<\\>=\\\\\\ ", "CN=\\20\\23a\\22\\2b\\2C\\3b\\3c\\3e\\=\\5c\\20",
         "CN=\\#a\\\"\\+\\,\\;\\<\\>=\\\\"},
        {"CN=shop,O=Example\\, Inc.", "CN=shop,O=Example\\2c Inc.", "CN=shop,O=Example,O=Inc."},
        {"jurisdictionOfIncorporationCountryName=SE", "jurisdictionC=SE", "C=SE"},
        {"2.5.4.97=#0c0750534453452d31", "organizationIdentifier=PSDSE-1", "CN=PSDSE-1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        char *first = text_dup(text_of(canonical(text_of(same[i][0]))));
        assert_string_equal(canonical(text_of(same[i][1])), first);
        assert_string_not_equal(canonical(text_of(same[i][2])), first);
        free(first);
    }
}

/* Nothing can be put into a value that makes it look like another name. */
static void names_stay_apart(void **state)
{
    (void)state;
    static const char *const different[] = {
        "CN=shop",
        "CN=Shop",
        "CN=shop,O=Example",
        "O=Example,CN=shop",
        "CN=shop\\,O\\=Example",
        "CN=shop+O=Example",
        "CN=shop\\+O\\=Example",
        "CN=\\ shop",
        "CN=shop\\ ",
        "CN=shop\\00",
        "CN=\\#0c0473686f70",
        "CN=#030473686f70",
        "CN=\\\\shop",
        "CN=s\\\\68op",
        "CN=shop,CN=shop",
        "OU=shop",
    };
    char *forms[ARRAY_SIZE(different)];
    for (size_t i = 0; i < ARRAY_SIZE(different); i++) {
        forms[i] = text_dup(text_of(canonical(text_of(different[i]))));
        assert_non_null(forms[i]);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(forms[i], forms[k]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(different); i++)
        free(forms[i]);
}

static void what_is_no_name(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "shop",
        "=shop",
        "CN=shop,",
        ",CN=shop",
        "CN=shop,,O=x",
        "CN=a+",
        "CN = shop",
        "CN= shop",
        "CN=shop ",
        "CN=a, O=b",
        "CN=a ,O=b",
        "CN=a\\",
        "CN=a\\q",
        "CN=a\\4",
        "CN=\"shop\"",
        "CN=a;O=b",
        "CN=<a>",
        "/CN=shop",
        "CN=#",
        "CN=#0",
        "CN=#0c",
        "CN=#0c0",
        "CN=#xyzt",
        "C\xc3\xb6=a",
        "CN=#0c01 41",
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (canonical(text_of(wrong[i])))
            fail_msg("%s is a name", wrong[i]);
}

/* A value whose length lies is not read past its end, and stays what it is. */
static void odd_der(void **state)
{
    (void)state;
    assert_form("CN=#0c00", "2.5.4.3=");
    assert_form("CN=#0c0541", "2.5.4.3=#0c0541");
    assert_form("CN=#0c81", "2.5.4.3=#0c81");
    assert_form("CN=#0c810141", "2.5.4.3=A");
    assert_form("CN=#0c82000141", "2.5.4.3=A");
    assert_form("CN=#0c82ffff41", "2.5.4.3=#0c82ffff41");
    assert_form("CN=#0c8041", "2.5.4.3=#0c8041");
    assert_form("CN=#1e03004100", "2.5.4.3=#1e03004100");
    assert_form("CN=#1e04d83ddc00", "2.5.4.3=#1e04d83ddc00");
    assert_form("CN=#30020500", "2.5.4.3=#30020500");
}

static void limits(void **state)
{
    (void)state;
    char *much = calloc(1, SUBJECT_NAME_MAX + 2);
    assert_non_null(much);
    memset(much, 'x', SUBJECT_NAME_MAX + 1);
    memcpy(much, "CN=", 3);
    assert_null(canonical(text_of(much)));
    much[SUBJECT_NAME_MAX] = '\0';
    assert_non_null(canonical(text_of(much)));
    memset(much + 3, '\x01', SUBJECT_NAME_MAX - 3); /* each byte becomes three */
    assert_non_null(canonical(text_of(much)));
    memset(much + 3, '0', SUBJECT_NAME_MAX - 3);
    much[3] = '#';
    assert_non_null(canonical(text_of(much)));
    free(much);
    assert_non_null(canonical(TEXT("a=+a=+a=+a=+a=+a=+a=+a=+a=+a=+a=+a=+a=+a=+a=+a=")));
    assert_null(canonical(TEXT("a=+a=+a=+a=+a=+a=+a=+a=+a=+a=+a=+a=+a=+a=+a=+a=+a=")));
    struct buffer small;
    buffer_init(&small, 8);
    assert_int_equal(subject_name_canonical(&small, TEXT("CN=a rather long name")), -1);
    buffer_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_form),         cmocka_unit_test(programs_agree),
        cmocka_unit_test(names_stay_apart), cmocka_unit_test(what_is_no_name),
        cmocka_unit_test(odd_der),          cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
