#include "http/fetch.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "http/connector.h"
#include "http/curl_words.h"

enum {
    HEAD_MAX = 64 * 1024,  /* all fields of a response, 1xx ones included */
    FIELD_VALUE_MAX = 256, /* of a field that is kept */
    REQUEST_FIELD_MAX = 64 * 1024,
};

struct fetcher {
    struct multi_driver *driver;
    struct list running;
    struct ca_store *last_trusted; /* so that not each request reads the file again */
};

struct fetch {
    struct list link;
    struct fetcher *fetcher;
    fetch_done *done;
    void *arg;
    CURL *easy;
    struct curl_slist *fields;
    struct buffer request_body, body;
    size_t head_size;
    bool too_large;
    char content_type[FIELD_VALUE_MAX], retry_after[FIELD_VALUE_MAX];
    char *proxy; /* NULL: none */
    struct ca_store *trusted, *proxy_trusted;
    unsigned tls_layers; /* begun so far; where the proxy speaks TLS the first is its */
    char detail[CURL_WORDS_SIZE];
};

/* ---- life of one request ---- */

static void free_fields(struct curl_slist *fields)
{
    for (struct curl_slist *f = fields; f; f = f->next)
        explicit_bzero(f->data, strlen(f->data));
    curl_slist_free_all(fields);
}

static void fetch_free(struct fetch *f)
{
    list_remove(&f->link);
    curl_easy_cleanup(f->easy);
    free_fields(f->fields);
    buffer_done(&f->request_body);
    buffer_done(&f->body);
    ca_store_unref(f->trusted);
    ca_store_unref(f->proxy_trusted);
    free(f->proxy);
    free(f);
}

void fetch_cancel(struct fetch *f)
{
    if (!f)
        return;
    multi_driver_remove(f->fetcher->driver, f->easy);
    fetch_free(f);
}

/* ---- what libcurl hands over ---- */

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    if (buffer_add(&f->body, data, size * count)) {
        f->too_large = true;
        return 0;
    }
    return size * count;
}

/* Copies the value when `line` is the field `name`; a value that is too long is as good as none. */
static void keep_field(char kept[FIELD_VALUE_MAX], struct text line, struct text name)
{
    struct text value;
    if (!text_equal_nocase(text_cut(line, ':', &value), name))
        return;
    while (value.size > 0 && (value.at[value.size - 1] == '\n' || value.at[value.size - 1] == '\r'))
        value.size--;
    value = text_trim(value);
    if (value.size == 0 || value.size >= FIELD_VALUE_MAX || memchr(value.at, '\0', value.size))
        return;
    memcpy(kept, value.at, value.size);
    kept[value.size] = '\0';
}

static size_t on_field(char *data, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    struct text line = {data, size * count};
    f->head_size += line.size;
    if (f->head_size > HEAD_MAX) {
        f->too_large = true;
        return 0;
    }
    if (text_starts_with(line, TEXT("HTTP/"))) /* what a 1xx response said does not count */
        f->content_type[0] = f->retry_after[0] = '\0';
    keep_field(f->content_type, line, TEXT("content-type"));
    keep_field(f->retry_after, line, TEXT("retry-after"));
    return line.size;
}

static enum fetch_result result_of(const struct fetch *f, CURLcode code)
{
    if (f->too_large)
        return FETCH_TOO_LARGE;
    switch ((int)code) {
    case CURLE_OK:
        return FETCH_OK;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
    case CURLE_PROXY:
        return FETCH_UNREACHABLE;
    case CURLE_OPERATION_TIMEDOUT:
        return FETCH_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
        return FETCH_TLS;
    default:
        return FETCH_BROKEN;
    }
}

/* Why there is no response, in f->detail. */
static void describe_failure(struct fetch *f, enum fetch_result result, int code)
{
    if (result == FETCH_TOO_LARGE)
        (void)snprintf(f->detail, sizeof(f->detail), "the response is too large");
    else if (result != FETCH_OK)
        curl_words(f->easy, code, f->proxy, f->detail);
}

static int64_t elapsed_us(const struct fetch *f, CURLINFO what)
{
    curl_off_t us = 0;
    return curl_easy_getinfo(f->easy, what, &us) == CURLE_OK ? (int64_t)us : 0;
}

static void on_done(void *ctx UNUSED, void *easy, int code)
{
    struct fetch *f = NULL;
    if (curl_easy_getinfo((CURL *)easy, CURLINFO_PRIVATE, &f) != CURLE_OK || !f)
        return;
    multi_driver_remove(f->fetcher->driver, easy);
    long status = 0;
    (void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    enum fetch_result result = result_of(f, (CURLcode)code);
    describe_failure(f, result, code);
    struct fetch_response response = {
        .result = result,
        .status = result == FETCH_OK ? (unsigned)status : 0,
        .content_type = text_of(f->content_type),
        .retry_after = text_of(f->retry_after),
        .body = buffer_text(&f->body),
        .detail = f->detail,
        .name_lookup_us = elapsed_us(f, CURLINFO_NAMELOOKUP_TIME_T),
        .connect_us = elapsed_us(f, CURLINFO_CONNECT_TIME_T),
        .tls_us = elapsed_us(f, CURLINFO_APPCONNECT_TIME_T),
        .first_byte_us = elapsed_us(f, CURLINFO_STARTTRANSFER_TIME_T),
        .total_us = elapsed_us(f, CURLINFO_TOTAL_TIME_T),
    };
    /* Out of the list first: the callback may free the fetcher, which frees what is in it. */
    list_remove(&f->link);
    f->done(f->arg, &response);
    fetch_free(f);
}

/* ---- starting ---- */

static int add_line(struct fetch *f, const char *line)
{
    struct curl_slist *fields = curl_slist_append(f->fields, line);
    if (!fields)
        return -1;
    f->fields = fields;
    return 0;
}

static int add_field(struct fetch *f, const struct field *field, struct error *err)
{
    if (!field_is_token(field->name))
        return error_set(err, "a field of the request has a name that HTTP does not allow");
    if (!field_value_is_clean(field->value))
        return error_set(err, "the value of %.*s has a line break or a NUL in it",
                         TEXT_ARG(field->name));
    struct buffer line;
    buffer_init_secret(&line, REQUEST_FIELD_MAX);
    (void)buffer_add_text(&line, field->name);
    (void)buffer_add_string(&line, field->value.size ? ": " : ";"); /* `;`: sent without a value */
    (void)buffer_add_text(&line, field->value);
    const char *text = buffer_string(&line);
    int failed = !text || add_line(f, text);
    buffer_done(&line);
    return failed ? error_set(err, "the field %.*s is too long", TEXT_ARG(field->name)) : 0;
}

/* Everything that libcurl would add by itself is switched off by naming it without a value. */
static int add_fields(struct fetch *f, const struct fetch_request *request, struct error *err)
{
    static const char *const own[] = {"Accept", "Content-Type", "User-Agent", "Expect"};
    for (size_t i = 0; i < request->field_count; i++)
        if (add_field(f, &request->fields[i], err))
            return -1;
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        char line[32];
        (void)snprintf(line, sizeof(line), "%s:", own[i]);
        if (!field_find(request->fields, request->field_count, text_of(own[i])) &&
            add_line(f, line))
            return error_set(err, "out of memory");
    }
    return 0;
}

/* Refuses an option that this libcurl lacks: a safety switch that is not set is not safe. */
#define SET(f, option, value) (curl_easy_setopt((f)->easy, (option), (value)) != CURLE_OK)

/* libcurl would read the file for each request, or go on for a day with what it was. */
static CURLcode on_ssl_context(CURL *easy UNUSED, void *ssl_context, void *arg)
{
    struct fetch *f = arg;
    bool to_proxy = f->tls_layers++ == 0 && connector_is_tls(text_of(f->proxy));
    const struct ca_store *store = to_proxy ? f->proxy_trusted : f->trusted;
    return store && ca_store_apply(store, ssl_context) == 0 ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

static int open_stores(struct fetch *f, const struct fetch_request *request)
{
    bool tls = connector_is_tls(request->url), tls_proxy = connector_is_tls(text_of(f->proxy));
    if (tls)
        f->trusted = ca_store_open(connector_ca_file(request->ca_file));
    if (tls_proxy)
        f->proxy_trusted = ca_store_open(connector_ca_file(NULL));
    if (f->trusted) {
        ca_store_unref(f->fetcher->last_trusted);
        f->fetcher->last_trusted = ca_store_ref(f->trusted);
    }
    return (f->trusted || !tls) && (f->proxy_trusted || !tls_proxy) ? 0 : -1;
}

static int set_tls(struct fetch *f, const struct fetch_request *request)
{
    if (open_stores(f, request) || SET(f, CURLOPT_SSL_VERIFYPEER, 1L) ||
        SET(f, CURLOPT_SSL_VERIFYHOST, 2L) ||
        SET(f, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ||
        SET(f, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ||
        SET(f, CURLOPT_CAINFO, NULL) || SET(f, CURLOPT_CAPATH, NULL) ||
        SET(f, CURLOPT_PROXY_CAINFO, NULL) || SET(f, CURLOPT_PROXY_CAPATH, NULL) ||
        SET(f, CURLOPT_CA_CACHE_TIMEOUT, 0L) || SET(f, CURLOPT_SSL_CTX_FUNCTION, on_ssl_context) ||
        SET(f, CURLOPT_SSL_CTX_DATA, f))
        return -1;
    if (!request->client_cert)
        return 0;
    const char *key = request->client_key ? request->client_key : request->client_cert;
    return SET(f, CURLOPT_SSLCERT, request->client_cert) || SET(f, CURLOPT_SSLKEY, key) ? -1 : 0;
}

static int set_transport(struct fetch *f, const struct fetch_request *request)
{
    return SET(f, CURLOPT_PROTOCOLS_STR, "http,https") || SET(f, CURLOPT_NOSIGNAL, 1L) ||
                   SET(f, CURLOPT_FOLLOWLOCATION, 0L) ||
                   SET(f, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) ||
                   SET(f, CURLOPT_PROXY, request->proxy ? request->proxy : "") ||
                   SET(f, CURLOPT_NOPROXY, "") || /* the environment says nothing here either */
                   SET(f, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms) ||
                   /* A resolver that hangs must not hold up the loop when time is up. */
                   SET(f, CURLOPT_QUICK_EXIT, 1L) ||
                   /*
                    * A reused connection that turns out dead makes libcurl send again, and a
                    * refresh token that is sent twice may cost the whole chain.
                    */
                   SET(f, CURLOPT_FRESH_CONNECT, 1L) || SET(f, CURLOPT_FORBID_REUSE, 1L)
               ? -1
               : 0;
}

static int set_request(struct fetch *f, const struct fetch_request *request)
{
    if (SET(f, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ||
        SET(f, CURLOPT_PATH_AS_IS, 1L) || SET(f, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) ||
        SET(f, CURLOPT_HTTPHEADER, f->fields) || SET(f, CURLOPT_PRIVATE, f) ||
        SET(f, CURLOPT_WRITEFUNCTION, on_body) || SET(f, CURLOPT_WRITEDATA, f) ||
        SET(f, CURLOPT_HEADERFUNCTION, on_field) || SET(f, CURLOPT_HEADERDATA, f))
        return -1;
    if (strcmp(request->method, "POST") != 0)
        return SET(f, CURLOPT_HTTPGET, 1L) ? -1 : 0;
    return SET(f, CURLOPT_POST, 1L) ||
                   SET(f, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size) ||
                   SET(f, CURLOPT_POSTFIELDS, buffer_string(&f->request_body))
               ? -1
               : 0;
}

static int set_url(struct fetch *f, struct text url)
{
    struct buffer copy;
    buffer_init_secret(&copy, REQUEST_FIELD_MAX);
    (void)buffer_add_text(&copy, url);
    const char *text = buffer_string(&copy);
    int failed = !text || SET(f, CURLOPT_URL, text);
    buffer_done(&copy);
    return failed ? -1 : 0;
}

static int prepare(struct fetch *f, const struct fetch_request *request, struct error *err)
{
    f->easy = curl_easy_init();
    if (request->proxy)
        f->proxy = text_dup(text_of(request->proxy));
    if (!f->easy || (request->proxy && !f->proxy) ||
        buffer_add_text(&f->request_body, request->body))
        return error_set(err, "out of memory");
    if (add_fields(f, request, err))
        return -1;
    if (!field_value_is_clean(request->url) || set_url(f, request->url))
        return error_set(err, "the URL is too long, or has a line break in it");
    if (set_transport(f, request) || set_tls(f, request) || set_request(f, request))
        return error_set(err, "libcurl refuses an option that a token request needs");
    if (multi_driver_add(f->fetcher->driver, f->easy))
        return error_set(err, "libcurl cannot take another request");
    return 0;
}

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                          fetch_done *done, void *arg, struct error *err)
{
    struct fetch *f = calloc(1, sizeof(*f));
    if (!f) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    f->fetcher = fetcher;
    f->done = done;
    f->arg = arg;
    list_init(&f->link);
    buffer_init_secret(&f->request_body, request->body.size);
    buffer_init_secret(&f->body, FETCH_BODY_MAX);
    if (prepare(f, request, err)) {
        fetch_free(f);
        return NULL;
    }
    list_push_back(&fetcher->running, &f->link);
    return f;
}

/* ---- the fetcher ---- */

struct fetcher *fetcher_new(struct loop *loop, struct error *err)
{
    struct fetcher *f = calloc(1, sizeof(*f));
    if (!f) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    list_init(&f->running);
    f->driver = multi_driver_new(loop, on_done, f, err);
    if (!f->driver) {
        free(f);
        return NULL;
    }
    return f;
}

void fetcher_free(struct fetcher *f)
{
    if (!f)
        return;
    while (!list_empty(&f->running))
        fetch_cancel(CONTAINER_OF(f->running.next, struct fetch, link));
    multi_driver_free(f->driver);
    ca_store_unref(f->last_trusted);
    free(f);
}
