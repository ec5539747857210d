#include "cli/cli_health.h"

#include <stdio.h>

#include "app/app.h"
#include "cli/ask_admin.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "config/reading.h"
#include "config/server_section.h"

/* A container's probe is given up by its caller soon after that. */
enum { TIMEOUT_MS = 3000 };

/* Where a bearerd without a configuration listens: the default of admin_listen. */
static const struct config_address fallback = {
    .text = (char[]){"127.0.0.1:8081"}, .host = (char[]){"127.0.0.1"}, .port = 8081};

/* ---- the answer ---- */

/* What a stranger may have written, fit for a terminal. */
static void print_word(struct text t)
{
    for (size_t i = 0; i < t.size; i++)
        (void)fputc(t.at[i] >= 0x20 && t.at[i] < 0x7f ? t.at[i] : '?', stderr);
}

/* The conditions that do not hold, as /readyz lists them. */
static void print_reasons(struct text body)
{
    const struct text sign = TEXT("[-] ");
    const char *between = ": ";
    while (body.size > 0) {
        struct text line = text_cut(body, '\n', &body);
        if (!text_starts_with(line, sign))
            continue;
        (void)fputs(between, stderr);
        print_word((struct text){line.at + sign.size, line.size - sign.size});
        between = "; ";
    }
    (void)fputc('\n', stderr);
}

static int say_ready(void)
{
    int said = printf("%sready%s\n", terminal_colour(stdout, TERMINAL_GOOD),
                      terminal_colour(stdout, TERMINAL_PLAIN));
    return cli_written(said > 0 && fflush(stdout) == 0);
}

static int ask(const struct config_address *address)
{
    struct error err;
    unsigned status;
    CLEANUP(buffer_done) struct buffer body;
    buffer_init(&body, ASK_ADMIN_MAX);
    if (ask_admin(address, "/readyz", TIMEOUT_MS, &status, &body, &err)) {
        (void)fprintf(stderr, "bearerd health: %s\n", err.text);
        return EXIT_RUNTIME;
    }
    if (status == 200)
        return say_ready();
    (void)fprintf(stderr, "bearerd health: %s is not ready (%u)", address->text, status);
    print_reasons(buffer_text(&body));
    return EXIT_RUNTIME;
}

/* ---- the address ---- */

enum { NOBODY_TO_ASK = -1 };

static int ask_of_file(struct reading *r)
{
    struct server_config server = {0};
    const struct section empty = {.kind = SECTION_SERVER, .name = (char[]){""}};
    const struct section *own = document_find(&r->document, SECTION_SERVER, TEXT(""));
    server_section_build(&r->document, own ? own : &empty, &server);
    int status = server.admin_listen.count ? ask(&server.admin_listen.items[0]) : NOBODY_TO_ASK;
    server_section_done(&server);
    return status;
}

int cli_health(const char *path)
{
    struct reading r;
    struct config_messages messages;
    if (!path)
        return ask(&fallback);
    reading_init(&r, path);
    int status = reading_take_file(&r) == 0 ? ask_of_file(&r) : NOBODY_TO_ASK;
    reading_finish(&r, &messages);
    if (status != NOBODY_TO_ASK) {
        config_messages_done(&messages); /* of no concern here */
        return status;
    }
    if (messages.errors) {
        cli_print_messages(&messages);
        return EXIT_CONFIG;
    }
    config_messages_done(&messages);
    (void)fprintf(stderr, "bearerd health: %s has no admin_listen to ask; it must not be off\n",
                  path);
    return EXIT_RUNTIME;
}
