#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <curl/curl.h>
#include <string.h>

#include "base/compiler.h"
#include "http/curl_words.h"

static char words[CURL_WORDS_SIZE];

/* A handle that has just failed at this URL. */
static CURL *failed_at(const char *url, CURLcode *ret_code)
{
    CURL *easy = curl_easy_init();
    assert_non_null(easy);
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 10000L);
    *ret_code = curl_easy_perform(easy);
    assert_int_not_equal(*ret_code, CURLE_OK);
    return easy;
}

static const char *words_for_url(const char *url)
{
    CURLcode code;
    CURL *easy = failed_at(url, &code);
    curl_words(easy, (int)code, NULL, words);
    curl_easy_cleanup(easy);
    return words;
}

static void a_closed_port_and_a_name_that_is_none_are_told_apart(void **state)
{
    (void)state;
    assert_string_equal(words_for_url("http://127.0.0.1:1/token?secret=x"),
                        "127.0.0.1:1: connection refused");
    char url[128] = "https://", label[71];
    memset(label, 'a', 70); /* longer than a name's part may be: no server is asked */
    label[70] = '\0';
    (void)strncat(url, label, 70);
    (void)strncat(url, ".example/x", 11);
    assert_non_null(strstr(words_for_url(url), ".example:443: name not found"));
}

static void each_failure_has_words_and_names_the_peer(void **state)
{
    static const struct {
        int code;
        const char *words;
    } cases[] = {
        {CURLE_PEER_FAILED_VERIFICATION,
         "its certificate is not trusted: it is made out to another"},
        {CURLE_SSL_CERTPROBLEM, "client_cert or client_key cannot be used"},
        {CURLE_SSL_CACERT_BADFILE, "ca_file"},
        {CURLE_SSL_CLIENTCERT, "wants a client certificate"},
        {CURLE_SSL_CONNECT_ERROR, "no TLS connection"},
        {CURLE_GOT_NOTHING, "closed the connection without an answer"},
        {CURLE_PARTIAL_FILE, "its answer was cut"},
        {CURLE_RECV_ERROR, "the connection broke"},
        {CURLE_OUT_OF_MEMORY, "a line of the response is too long"},
        {CURLE_WEIRD_SERVER_REPLY, "no proper HTTP"},
        {CURLE_OPERATION_TIMEDOUT, "timed out"},
        {CURLE_PROXY, "the proxy refused the tunnel"},
    };
    (void)state;
    CURLcode code;
    CURL *easy = failed_at("http://[::1]:1/token?client_secret=hidden", &code);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        curl_words(easy, cases[i].code, NULL, words);
        assert_non_null(strstr(words, cases[i].words));
        assert_int_equal(strncmp(words, "[::1]:1: ", 9), 0);
        assert_null(strstr(words, "hidden"));
    }
    curl_easy_cleanup(easy);
}

/* What the proxy did is not said of the peer. */
static void a_dead_proxy_is_named(void **state)
{
    (void)state;
    CURLcode code;
    CURL *easy = failed_at("http://127.0.0.1:1/", &code);
    curl_words(easy, (int)code, "http://proxy.example:3128", words);
    assert_string_equal(words, "proxy.example:3128: connection refused");
    curl_words(easy, CURLE_COULDNT_RESOLVE_PROXY, "http://user:secret@proxy.example", words);
    assert_string_equal(words, "the proxy: name not found");
    curl_words(easy, CURLE_RECV_ERROR, "http://proxy.example:3128", words);
    assert_string_equal(words, "127.0.0.1:1: the connection broke");
    curl_easy_cleanup(easy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_port_and_a_name_that_is_none_are_told_apart),
        cmocka_unit_test(each_failure_has_words_and_names_the_peer),
        cmocka_unit_test(a_dead_proxy_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
