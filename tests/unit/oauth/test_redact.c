#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/redact.h"

#include "base/encoding.h"
#include "oauth/oauth_testing.h"

static struct config *config;

static int setup(void **state)
{
    (void)state;
    config = config_of_text("[provider idp]\n"
                            "token_url = http://127.0.0.1:1/token\n"
                            "client_id = literal:Client:Name\n"
                            "client_secret = literal:p:w%+d &=/zz\n"
                            "username = literal:the user\n"
                            "password = literal:Client:Name-and-more\n"
                            "refresh_token = literal:rt-0\n"
                            "[provider brief]\n"
                            "token_url = http://127.0.0.1:1/token\n"
                            "client_id = literal:ab\n"
                            "client_secret = literal:cd\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_unref(config);
    return 0;
}

static void assert_redacted(struct text t, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 1024);
    struct secret *extra = secret_new(TEXT("the-sent-token"));
    redact_add(&out, t, &config->providers[0], extra);
    assert_string_equal(buffer_string(&out), expected);
    secret_unref(extra);
    buffer_done(&out);
}

static void redacted(const char *s, const char *expected)
{
    assert_redacted(text_of(s), expected);
}

static void plain_words_stay(void **state)
{
    (void)state;
    redacted("", "");
    redacted("he said client", "he said client"); /* a few letters in common prove nothing */
    redacted("invalid_client", "invalid_client");
    redacted("AADSTS7000215: Invalid client secret provided.",
             "AADSTS7000215: Invalid client secret provided.");
    redacted("unsupported_grant_type (client_credentials)",
             "unsupported_grant_type (client_credentials)");
    redacted("see https://login.example.com/errors/help",
             "see https://login.example.com/errors/help");
}

static void credentials_are_blanked_wherever_they_stand(void **state)
{
    (void)state;
    redacted("secret p:w%+d &=/zz is wrong", "secret *** is wrong");
    redacted("Client:Name", "***");
    redacted("xClient:Namey", "x***y");
    redacted("client:name in another case", "*** in another case");
    redacted("user=the user", "user=***");
    redacted("token rt-0, sent the-sent-token", "token ***, sent ***");
    redacted("rt-0rt-0", "***");
}

static void a_secret_within_a_secret_does_not_save_the_rest(void **state)
{
    (void)state;
    redacted("it was Client:Name-and-more", "it was ***");
}

static void encoded_credentials_are_blanked(void **state)
{
    (void)state;
    redacted("got p%3Aw%25%2Bd%20%26%3D%2Fzz there", "got *** there");
    redacted("got p%3aw%25%2bd%20%26%3d%2fzz there", "got *** there");
    redacted("got p%3Aw%25%2Bd+%26%3D%2Fzz there", "got *** there");
    struct buffer text;
    buffer_init(&text, 1024);
    (void)buffer_add_string(&text, "Basic ");
    (void)buffer_add_base64(&text, TEXT("Client:Name:p:w%+d &=/zz"));
    assert_redacted(buffer_text(&text), "Basic ***");
    buffer_clear(&text);
    (void)buffer_add_string(&text, "< ");
    (void)buffer_add_base64(&text, TEXT("rt-0"));
    (void)buffer_add_string(&text, " >");
    assert_redacted(buffer_text(&text), "< ***== >");
    buffer_done(&text);
}

static void a_brief_pair_in_base64_is_blanked(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 1024);
    redact_add(&out, TEXT("got Basic YWI6Y2Q= there"), &config->providers[1], NULL);
    assert_string_equal(buffer_string(&out), "got Basic ***= there");
    buffer_done(&out);
}

static void what_looks_like_a_token_is_blanked(void **state)
{
    (void)state;
    redacted("Token eyJhbGciOiJIUzI1NiJ9.e30.abc expired", "Token *** expired");
    redacted("key 0123456789abcdef is wrong", "key *** is wrong");
    redacted("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "***");
    redacted("short 0123abcd stays", "short 0123abcd stays");
}

static void what_is_not_printable_becomes_a_question_mark(void **state)
{
    (void)state;
    assert_redacted(TEXT("a\r\nb\0c\x1b[31m\xc3\xa9"), "a??b?c?[31m??");
}

static void the_text_is_cut(void **state)
{
    (void)state;
    char words[3000];
    for (size_t i = 0; i < sizeof(words) - 1; i++)
        words[i] = i % 5 == 4 ? ' ' : 'a';
    words[sizeof(words) - 1] = '\0';
    struct buffer out;
    buffer_init(&out, 1024);
    redact_add(&out, text_of(words), &config->providers[0], NULL);
    assert_in_range(buffer_size(&out), REDACTED_MAX - 5, REDACTED_MAX);
    assert_non_null(strstr(buffer_string(&out), "..."));
    buffer_done(&out);
}

static void a_secret_that_is_cut_at_the_end_is_blanked(void **state)
{
    (void)state;
    redacted("it was the-sent", "it was ***");
    char words[2100];
    memset(words, ' ', sizeof(words));
    memcpy(words + 2048 - 9, "the-sent-token", 14);
    struct buffer out;
    buffer_init(&out, 1024);
    struct secret *extra = secret_new(TEXT("the-sent-token"));
    redact_add(&out, (struct text){words, sizeof(words)}, &config->providers[0], extra);
    assert_null(strstr(buffer_string(&out), "the-sent"));
    secret_unref(extra);
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_words_stay),
        cmocka_unit_test(credentials_are_blanked_wherever_they_stand),
        cmocka_unit_test(a_secret_within_a_secret_does_not_save_the_rest),
        cmocka_unit_test(encoded_credentials_are_blanked),
        cmocka_unit_test(a_brief_pair_in_base64_is_blanked),
        cmocka_unit_test(what_looks_like_a_token_is_blanked),
        cmocka_unit_test(what_is_not_printable_becomes_a_question_mark),
        cmocka_unit_test(the_text_is_cut),
        cmocka_unit_test(a_secret_that_is_cut_at_the_end_is_blanked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
