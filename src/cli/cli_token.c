#include "cli/cli_token.h"

#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "config/suggest.h"
#include "oauth/token_once.h"

enum {
    S_PER_MIN = 60,
    S_PER_H = 3600,
    MS_PER_SECOND = 1000,
    US_PER_MS = 1000,
    OUT_MAX = 64 * 1024
};

/* ---- what came ---- */

static void add_lifetime(struct buffer *out, int64_t ms)
{
    long long s = ms / MS_PER_SECOND;
    (void)buffer_addf(out, "lifetime  %lld s", s);
    if (s >= S_PER_H)
        (void)buffer_addf(out, " (%lld h %lld min)", s / S_PER_H, s % S_PER_H / S_PER_MIN);
    else if (s >= S_PER_MIN)
        (void)buffer_addf(out, " (%lld min %lld s)", s / S_PER_MIN, s % S_PER_MIN);
    (void)buffer_add_char(out, '\n');
}

static void add_moment(struct buffer *out, const char *what, int64_t us)
{
    if (us > 0)
        (void)buffer_addf(out, "%s %.1f ms", what, (double)us / US_PER_MS);
}

/* All are since the request began. */
static void add_timings(struct buffer *out, const struct token_event *e)
{
    (void)buffer_add_string(out, "timings  ");
    add_moment(out, " name", e->name_lookup_us);
    add_moment(out, ", connected", e->connect_us);
    add_moment(out, ", TLS", e->tls_us);
    add_moment(out, ", first byte", e->first_byte_us);
    add_moment(out, ", all", e->total_us);
    (void)buffer_add_char(out, '\n');
}

static int print_token(const char *provider, const struct token_once *once, bool show)
{
    CLEANUP(buffer_done) struct buffer out;
    buffer_init_secret(&out, OUT_MAX);
    (void)buffer_addf(&out, "provider  %s\n", provider);
    if (show)
        (void)buffer_addf(&out, "token     %.*s\n", TEXT_ARG(secret_bytes(once->token)));
    else
        (void)buffer_add_string(&out, "token     received; --show prints it\n");
    add_lifetime(&out, once->lifetime_ms);
    if (*once->scope)
        (void)buffer_addf(&out, "scope     %s\n", once->scope);
    if (once->has_refresh)
        (void)buffer_add_string(&out, "refresh   a refresh token is at hand\n");
    if (once->asked)
        add_timings(&out, &once->last);
    return cli_written(!out.failed && terminal_write(stdout, buffer_text(&out)) == 0);
}

/* ---- getting it ---- */

static int fetch(struct config *config, size_t provider, bool show)
{
    const struct provider_config *p = &config->providers[provider];
    struct token_once once;
    struct error err;
    log_configure(LOG_ERROR, LOG_TEXT); /* what the event log would say is printed here */
    terminal_progress("asking %s for a token, %lld s at most", p->name,
                      (long long)(p->token_timeout / MS_PER_SECOND));
    if (token_once_get(config, provider, &once, &err)) {
        (void)fprintf(stderr, "bearerd token: %s\n", err.text);
        return EXIT_RUNTIME;
    }
    int status = EXIT_RUNTIME;
    if (once.token)
        status = print_token(p->name, &once, show);
    else
        (void)fprintf(stderr, "bearerd token: %s gave no token: %s\n", p->name, once.reason);
    token_once_done(&once);
    return status;
}

static int find_provider(const struct config *c, const char *name, size_t *ret_provider)
{
    struct suggestion nearest;
    suggestion_init(&nearest, text_of(name));
    for (size_t i = 0; i < c->provider_count; i++) {
        if (strcmp(c->providers[i].name, name) == 0) {
            *ret_provider = i;
            return 0;
        }
        suggestion_offer(&nearest, c->providers[i].name);
    }
    (void)fprintf(stderr, "bearerd token: %s has no [provider %s]", c->path, name);
    if (nearest.best)
        (void)fprintf(stderr, "; did you mean %s?", nearest.best);
    (void)fputc('\n', stderr);
    return -1;
}

int cli_token(const char *path, const char *provider, bool show)
{
    size_t index;
    struct config *config = cli_load_config(path);
    if (!config)
        return EXIT_CONFIG;
    int status = find_provider(config, provider, &index) ? EXIT_USAGE : fetch(config, index, show);
    config_unref(config);
    return status;
}
