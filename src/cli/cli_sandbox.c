#include "cli/cli_sandbox.h"

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/url.h"
#include "cli/cli.h"
#include "sandbox/sandbox.h"
#include "sandbox/setup.h"

enum { LIFETIME_MAX_S = 366 * 24 * 3600, CONFIG_MAX = 16 * 1024 };

struct request {
    struct sandbox_options options;
    bool print_config;
};

struct signals {
    struct watch watch;
    struct loop *loop;
};

int cli_parse_lifetime(const char *text, int64_t *ret_ms)
{
    struct text number = text_of(text);
    int64_t unit = 0;
    if (number.size > 0) {
        char last = number.at[--number.size];
        unit = last == 's' ? 1 : last == 'm' ? 60 : last == 'h' ? 3600 : 0;
    }
    uint64_t count;
    if (!unit || text_to_u64(number, &count) || count < 1 || count > LIFETIME_MAX_S)
        return -1;
    *ret_ms = (int64_t)count * unit * MS_PER_S;
    return 0;
}

int cli_sandbox_complain(const char *command, const char *what, const char *word)
{
    (void)fprintf(stderr, "bearerd %s: %s %s; bearerd %s --help lists the options\n", command, what,
                  word, command);
    return -1;
}

int cli_sandbox_option(const char *command, int option, char *const *argv, int64_t *ret_lifetime_ms)
{
    if (option == ':')
        return cli_sandbox_complain(command, "a value is missing after", argv[optind - 1]);
    if (option != 't')
        return cli_sandbox_complain(command, "unknown option", argv[optind - 1]);
    if (cli_parse_lifetime(optarg, ret_lifetime_ms))
        return cli_sandbox_complain(command, "no lifetime like 10s, 5m or 2h:", optarg);
    return 0;
}

static int check_address(const char *address)
{
    struct error err;
    struct text host, port;
    if (url_parse_authority(text_of(address), &host, &port, &err) == 0 && port.size > 0)
        return 0;
    return cli_sandbox_complain("sandbox", "--listen wants host:port or [v6]:port, not", address);
}

/* 0, or -1 after a line that says what is wrong. */
static int parse(int argc, char **argv, struct request *r)
{
    static const struct option long_options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"token-lifetime", required_argument, NULL, 't'},
        {"print-config", no_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    optind = 1;
    opterr = 0;
    int c;
    while ((c = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
        if (c == 'l')
            r->options.listen = optarg;
        else if (c == 'p')
            r->print_config = true;
        else if (cli_sandbox_option("sandbox", c, argv, &r->options.token_lifetime_ms))
            return -1;
    }
    if (optind < argc)
        return cli_sandbox_complain("sandbox", "unexpected argument", argv[optind]);
    return check_address(r->options.listen);
}

static int print_config(const char *address)
{
    CLEANUP(buffer_done) struct buffer ini;
    buffer_init(&ini, CONFIG_MAX);
    const char *text = sandbox_add_ini(address, &ini) ? NULL : buffer_string(&ini);
    return cli_written(text && fputs(text, stdout) >= 0 && fflush(stdout) == 0);
}

static void on_signal(struct watch *w, uint32_t events UNUSED)
{
    loop_stop(CONTAINER_OF(w, struct signals, watch)->loop);
}

static void turn(void *ctx)
{
    sandbox_turn(ctx);
}

/* TERM and INT end the loop. */
static int watch_signals(struct signals *s, struct loop *loop)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    s->loop = loop;
    watch_init(&s->watch, on_signal);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? -1 : loop_watch(loop, &s->watch, fd, EPOLLIN);
}

static int serve(struct loop *loop, const struct sandbox_options *options, struct error *err)
{
    struct signals signals;
    if (watch_signals(&signals, loop))
        return error_set(err, "cannot watch for signals");
    int fd = signals.watch.fd;
    struct sandbox *sandbox = sandbox_new(loop, options, err);
    if (sandbox) {
        (void)printf("five providers in miniature on http://%s/ (Ctrl-C ends)\n",
                     sandbox_address(sandbox));
        (void)fflush(stdout);
        loop_run(loop, turn, sandbox);
        sandbox_free(sandbox);
    }
    loop_unwatch(loop, &signals.watch);
    (void)close(fd);
    return sandbox ? 0 : -1;
}

int cli_sandbox(int argc, char **argv)
{
    struct request r = {.options = {SANDBOX_LISTEN, "--listen", 0}};
    if (parse(argc, argv, &r))
        return EXIT_USAGE;
    if (r.print_config)
        return print_config(r.options.listen);
    struct error err = {.text = ""};
    struct loop *loop = loop_new(&err);
    int status = loop ? serve(loop, &r.options, &err) : -1;
    loop_free(loop);
    if (status) {
        (void)fprintf(stderr, "bearerd sandbox: %s\n", err.text);
        return EXIT_RUNTIME;
    }
    return EXIT_FINE;
}
