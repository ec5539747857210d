#include "http/curl_words.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/url.h"

enum { PEER_SIZE = 300, X509_UNSPECIFIED = 1 };

/* host:port of a URL, the port also where it is the usual one. */
static void name_peer(const char *url, const char *otherwise, char ret_peer[PEER_SIZE])
{
    struct url u;
    struct error err;
    const char *query = url ? strchr(url, '?') : NULL; /* may hold secrets, and is of no use here */
    struct text t = {url, query ? (size_t)(query - url) : url ? strlen(url) : 0};
    if (t.size == 0 || url_parse(t, &u, &err))
        (void)snprintf(ret_peer, PEER_SIZE, "%s", otherwise);
    else
        (void)snprintf(ret_peer, PEER_SIZE, u.host_is_ipv6 ? "[%.*s]:%u" : "%.*s:%u",
                       TEXT_ARG(u.host), u.port);
}

static const char *words_for_connect(CURL *easy)
{
    long error = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
    switch ((int)error) {
    case ECONNREFUSED:
        return "connection refused";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "no route to that address";
    case ETIMEDOUT:
        return "no answer to the attempt to connect";
    case EACCES:
    case EPERM:
        return "the system does not permit the connection";
    default:
        return "no connection";
    }
}

static const char *words_for_timeout(CURL *easy)
{
    curl_off_t looked_up = 0, connected = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up);
    (void)curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected);
    if (looked_up == 0)
        return "timed out looking up the name";
    return connected == 0 ? "timed out connecting" : "timed out, no whole answer came";
}

/* libcurl compares the names before it asks OpenSSL, whose result is then good or still
 * unspecified. */
static void add_verification(CURL *easy, const char *peer, char ret_words[CURL_WORDS_SIZE])
{
    long result = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &result);
    (void)snprintf(ret_words, CURL_WORDS_SIZE, "%s: its certificate is not trusted: %s", peer,
                   result > X509_UNSPECIFIED ? crypto_certificate_problem(result)
                                             : "it is made out to another name");
}

static const char *words_for_tls(int code)
{
    switch (code) {
    case CURLE_SSL_CERTPROBLEM:
        return "client_cert or client_key cannot be used";
    case CURLE_SSL_CACERT_BADFILE:
        return "ca_file (or the system's certificates) cannot be read";
    case CURLE_SSL_CLIENTCERT:
        return "it wants a client certificate";
    default:
        return "no TLS connection; the peer may speak another protocol or version";
    }
}

static const char *words_for_answer(int code)
{
    switch (code) {
    case CURLE_GOT_NOTHING:
        return "it closed the connection without an answer";
    case CURLE_PARTIAL_FILE:
        return "its answer was cut";
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return "the connection broke";
    case CURLE_OUT_OF_MEMORY: /* also when libcurl's limit for one line is reached */
        return "a line of the response is too long, or memory is out";
    case CURLE_PROXY:
        return "the proxy refused the tunnel";
    default:
        return "its answer is no proper HTTP";
    }
}

static const char *words_for(CURL *easy, int code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return "name not found";
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return words_for_connect(easy);
    case CURLE_OPERATION_TIMEDOUT:
        return words_for_timeout(easy);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CLIENTCERT:
        return words_for_tls(code);
    default:
        return words_for_answer(code);
    }
}

void curl_words(void *easy, int code, const char *proxy, char ret_words[CURL_WORDS_SIZE])
{
    char peer[PEER_SIZE], *url = NULL;
    bool of_proxy = code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_COULDNT_CONNECT;
    (void)curl_easy_getinfo((CURL *)easy, CURLINFO_EFFECTIVE_URL, &url);
    if (proxy && of_proxy)
        name_peer(proxy, "the proxy", peer);
    else
        name_peer(url, "the peer", peer);
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_ISSUER_ERROR)
        add_verification(easy, peer, ret_words);
    else
        (void)snprintf(ret_words, CURL_WORDS_SIZE, "%s: %s", peer, words_for(easy, code));
}
