#include "cli/live_token.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/ask_admin.h"

enum { S_PER_MIN = 60, S_PER_H = 3600, PATH_SIZE = 64, SHOW_SECONDS_BELOW = 120 };

/* ---- words ---- */

static void add_duration(struct buffer *out, double seconds)
{
    long long s = seconds > 0 && seconds < 1e12 ? (long long)seconds : 0;
    if (s < SHOW_SECONDS_BELOW)
        (void)buffer_addf(out, "%lld s", s);
    else if (s < 2 * S_PER_H)
        (void)buffer_addf(out, "%lld min", s / S_PER_MIN);
    else
        (void)buffer_addf(out, "%lld h", s / S_PER_H);
}

static void add_printable(struct buffer *out, const char *words)
{
    for (; *words; words++)
        (void)buffer_add_char(out, *words >= 0x20 && *words < 0x7f ? *words : '?');
}

static void add_when(struct buffer *out, const struct json *of, const char *path,
                     const char *before)
{
    double seconds;
    const struct json *found = json_at(of, text_of(path));
    if (!found || json_number(found, &seconds))
        return;
    (void)buffer_add_string(out, before);
    add_duration(out, seconds);
}

/* ---- one provider ---- */

static void add_token(struct buffer *out, const struct json *token)
{
    (void)buffer_add_string(out, "the running instance has one");
    add_when(out, token, "expires_in", ", good for ");
    add_when(out, token, "lifetime", " of ");
    add_when(out, token, "refresh_in", "; it is renewed in ");
}

static void add_failure(struct buffer *out, const struct json *failure)
{
    const struct json *reason = json_at(failure, TEXT("reason"));
    const char *words = reason ? json_string(reason) : NULL;
    (void)buffer_add_string(out, "; the last attempt failed: ");
    add_printable(out, words ? words : "it does not say why");
    const struct json *retry = json_at(failure, TEXT("retry_in"));
    double seconds;
    if (retry && json_number(retry, &seconds) == 0 && seconds < 1)
        (void)buffer_add_string(out, "; the next may begin now");
    else
        add_when(out, failure, "retry_in", "; the next may begin in ");
}

static void add_provider(struct buffer *out, const struct json *provider)
{
    const struct json *token = json_at(provider, TEXT("token"));
    const struct json *failure = json_at(provider, TEXT("failure"));
    const struct json *state = json_at(provider, TEXT("state"));
    const char *word = state ? json_string(state) : NULL;
    if (token && json_is_object(token))
        add_token(out, token);
    else if (word && strcmp(word, "fetching") == 0)
        (void)buffer_add_string(out, "the running instance is asking for one now");
    else if (failure && json_is_object(failure))
        (void)buffer_add_string(out, "the running instance has none");
    else
        (void)buffer_add_string(
            out, "the running instance has none yet; the first request makes it ask for one");
    if (failure && json_is_object(failure))
        add_failure(out, failure);
}

/* ---- the document ---- */

static const struct json *find_provider(const struct json *status, const char *name)
{
    for (unsigned i = 0;; i++) {
        char path[PATH_SIZE];
        (void)snprintf(path, sizeof(path), "providers.%u", i);
        const struct json *provider = json_at(status, text_of(path));
        const struct json *own = provider ? json_at(provider, TEXT("name")) : NULL;
        const char *text = own ? json_string(own) : NULL;
        if (!provider || (text && strcmp(text, name) == 0))
            return provider;
    }
}

static void add_status(struct buffer *out, const struct config_address *a, const char *name,
                       struct text body)
{
    struct error err;
    struct json *status = json_parse(body, &err);
    const struct json *provider = status ? find_provider(status, name) : NULL;
    if (!status || !json_at(status, TEXT("providers")))
        (void)buffer_addf(out, "not known: what answers on %s is no bearerd", a->text);
    else if (!provider)
        (void)buffer_addf(out, "not known: the instance on %s has no provider %s; reload it",
                          a->text, name);
    else
        add_provider(out, provider);
    json_free(status);
}

void live_token_write(const struct config *config, size_t provider, struct buffer *out)
{
    const struct config_addresses *list = &config->server.admin_listen;
    struct error err;
    struct buffer body;
    unsigned status;
    if (list->count == 0) {
        (void)buffer_add_string(out, "not known: admin_listen is off, so nobody can be asked");
        return;
    }
    const struct config_address *a = &list->items[0];
    buffer_init(&body, ASK_ADMIN_MAX);
    if (ask_admin(a, "/status.json", LIVE_TOKEN_TIMEOUT_MS, &status, &body, &err))
        (void)buffer_addf(out, "not known: no instance answers on %s", a->text);
    else
        add_status(out, a, config->providers[provider].name, buffer_text(&body));
    buffer_done(&body);
}
