/*
 * The configuration reader: any text is a snapshot or mistakes, never both and never neither; and
 * the dump of a snapshot is a configuration with the same dump. No file is opened: descriptors are
 * used up while it reads, so that file: references and paths of presets fail.
 */
#include "fuzz.h"

#include <string.h>
#include <sys/resource.h>

#include "config/config.h"
#include "config/dump.h"

static void allow_descriptors(bool allowed)
{
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = allowed ? limit.rlim_max : 0;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void check_messages(const struct config *c, struct config_messages *m)
{
    REQUIRE((c == NULL) == (m->errors > 0));
    REQUIRE(m->count > 0 || m->errors == 0);
    for (size_t i = 0; i < m->count; i++)
        REQUIRE(strstr(m->lines[i], ": ") || strncmp(m->lines[i], "…", 3) == 0);
    config_messages_done(m);
}

/* Every text of the snapshot is read, so that a bad pointer shows. */
static size_t touch_routes(const struct config *c)
{
    size_t sum = 0;
    for (size_t i = 0; i < c->route_count; i++) {
        const struct route_config *r = &c->routes[i];
        REQUIRE(r->provider == CONFIG_NO_PROVIDER || r->provider < c->provider_count);
        REQUIRE(r->upstream && r->path && r->inject_name);
        REQUIRE(r->upstream_url.host.at >= r->upstream);
        REQUIRE(r->upstream_url.host.at < r->upstream + strlen(r->upstream));
        sum += strlen(r->path) + strlen(r->inject_name);
        for (size_t k = 0; k < r->header.count; k++)
            sum += strlen(template_source(r->header.items[k].value));
    }
    return sum;
}

static void dump(struct text text, struct buffer *out)
{
    struct config_messages messages;
    REQUIRE(config_dump_text("fuzz.ini", text, out, &messages) == 0);
    config_messages_done(&messages);
}

/* Places keep what is behind them (${NAME}, {var.NAME}), so texts with them are not compared. */
static void check_dump(struct text text)
{
    struct buffer once, twice;
    buffer_init(&once, 16 << 20);
    buffer_init(&twice, 16 << 20);
    dump(text, &once);
    if (!memmem(text.at, text.size, "{", 1) && !memmem(text.at, text.size, "preset", 6)) {
        dump(buffer_text(&once), &twice);
        REQUIRE(text_equal(buffer_text(&once), buffer_text(&twice)));
    }
    buffer_done(&once);
    buffer_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy((const char *)data, size);
    struct text text = {copy, size};
    struct config_messages messages;
    allow_descriptors(false);
    struct config *c = config_load_text("fuzz.ini", text, &messages);
    check_messages(c, &messages);
    if (c) {
        REQUIRE(touch_routes(c) < SIZE_MAX);
        check_dump(text);
    }
    config_unref(c);
    allow_descriptors(true);
    free(copy);
    return 0;
}
