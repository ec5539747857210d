#include "cli/cli_demo.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "app/app.h"
#include "base/buffer.h"
#include "base/url.h"
#include "cli/cli_sandbox.h"
#include "sandbox/sandbox.h"
#include "sandbox/setup.h"

enum { CONFIG_MAX = 16 * 1024, CURL_MAX = 1024 };

struct demo {
    const char *listen, *admin_listen;
    struct sandbox_options options;
    struct sandbox *sandbox;
};

/* 0, or -1 after a line that says what is wrong. */
static int parse(int argc, char **argv, struct demo *d)
{
    static const struct option long_options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"admin-listen", required_argument, NULL, 'a'},
        {"sandbox-listen", required_argument, NULL, 's'},
        {"token-lifetime", required_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    optind = 1;
    opterr = 0;
    int c;
    while ((c = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
        if (c == 'l')
            d->listen = optarg;
        else if (c == 'a')
            d->admin_listen = optarg;
        else if (c == 's')
            d->options.listen = optarg;
        else if (cli_sandbox_option("demo", c, argv, &d->options.token_lifetime_ms))
            return -1;
    }
    return optind == argc ? 0 : cli_sandbox_complain("demo", "unexpected argument", argv[optind]);
}

/* The proxy reaches it by plain http, which it does on loopback only. */
static int check_sandbox_address(const char *address)
{
    CLEANUP(buffer_done) struct buffer text;
    buffer_init(&text, CURL_MAX);
    struct url url;
    (void)buffer_addf(&text, "http://%s/", address);
    if (url_parse(buffer_text(&text), &url, NULL) == 0 && url.port_given &&
        url_host_is_loopback(url.host))
        return 0;
    return cli_sandbox_complain("demo", "--sandbox-listen wants host:port on loopback, not",
                                address);
}

/* ---- the sandbox as the process's guest ---- */

static int start(void *ctx, struct loop *loop, struct error *err)
{
    struct demo *d = ctx;
    d->sandbox = sandbox_new(loop, &d->options, err);
    return d->sandbox ? 0 : -1;
}

static void turn(void *ctx)
{
    sandbox_turn(((struct demo *)ctx)->sandbox);
}

static void print_sample(const struct sandbox_sample *sample, const char *address)
{
    CLEANUP(buffer_done) struct buffer curl;
    buffer_init(&curl, CURL_MAX);
    if (sandbox_sample_add_curl(sample, address, &curl) == 0)
        (void)printf("  # %s: %s\n  %s\n\n", sample->provider, sample->expect,
                     buffer_string(&curl));
}

static void on_ready(void *ctx)
{
    const struct demo *d = ctx;
    (void)printf("The proxy is on http://%s, five providers in miniature are on http://%s.\n"
                 "Paste these into another terminal; each answer shows what the API received:\n\n",
                 d->listen, sandbox_address(d->sandbox));
    for (size_t i = 0; i < SANDBOX_PROVIDER_COUNT; i++)
        print_sample(&sandbox_samples[i], d->listen);
    if (!text_equal(text_of(d->admin_listen), TEXT("off")) &&
        !text_starts_with(text_of(d->admin_listen), TEXT("unix:")))
        (void)printf("Watch it in a browser: http://%s/status\n\n", d->admin_listen);
    (void)printf("Ctrl-C ends the demo. Below, bearerd says what it does.\n\n");
    (void)fflush(stdout);
}

static void stop(void *ctx)
{
    struct demo *d = ctx;
    sandbox_free(d->sandbox);
    d->sandbox = NULL;
}

/* ---- the configuration ---- */

/* NULL after the reasons were printed. */
static struct config *make_config(const struct demo *d)
{
    CLEANUP(buffer_done) struct buffer ini;
    buffer_init(&ini, CONFIG_MAX);
    (void)buffer_addf(&ini, "[server]\nlisten = %s\nadmin_listen = %s\nworkers = 2\n\n", d->listen,
                      d->admin_listen);
    if (sandbox_add_ini(d->options.listen, &ini)) {
        (void)fputs("bearerd demo: no memory for its configuration\n", stderr);
        return NULL;
    }
    struct config_messages messages = {0};
    struct config *config = config_load_text("demo", buffer_text(&ini), &messages);
    for (size_t i = 0; i < messages.count; i++)
        (void)fprintf(stderr, "%s\n", messages.lines[i]);
    config_messages_done(&messages);
    return config;
}

int cli_demo(int argc, char **argv)
{
    struct demo demo = {.listen = DEMO_LISTEN,
                        .admin_listen = DEMO_ADMIN_LISTEN,
                        .options = {SANDBOX_LISTEN, "--sandbox-listen", 0}};
    if (parse(argc, argv, &demo))
        return EXIT_USAGE;
    struct config *config = check_sandbox_address(demo.options.listen) ? NULL : make_config(&demo);
    if (!config)
        return EXIT_USAGE; /* only the addresses can be wrong, and they are the user's */
    const struct app_guest guest = {start, turn, on_ready, stop, &demo};
    int status = app_run(config, &guest);
    config_unref(config);
    return status;
}
