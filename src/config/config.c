#include "config/config.h"

#include <stdlib.h>

#include "config/caller_section.h"
#include "config/document.h"
#include "config/provider_section.h"
#include "config/reading.h"
#include "config/route_section.h"
#include "config/server_section.h"
#include "config/store_section.h"

static void config_free(struct config *c)
{
    server_section_done(&c->server);
    store_section_done(&c->store);
    for (size_t i = 0; i < c->provider_count; i++)
        provider_section_done(&c->providers[i]);
    for (size_t i = 0; i < c->route_count; i++)
        route_section_done(&c->routes[i]);
    for (size_t i = 0; i < c->caller_count; i++)
        caller_section_done(&c->callers[i]);
    free(c->providers);
    free(c->routes);
    free(c->callers);
    free(c->path);
    free(c);
}

struct config *config_ref(struct config *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void config_unref(struct config *c)
{
    if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
        config_free(c);
}

static size_t count_sections(const struct document *d, enum section_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < d->count; i++)
        count += d->sections[i].kind == kind;
    return count;
}

static struct config *config_new(const struct document *d)
{
    struct config *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    atomic_init(&c->refs, 1);
    c->path = text_dup(text_of(d->file));
    c->providers = calloc(count_sections(d, SECTION_PROVIDER) + 1, sizeof(*c->providers));
    c->routes = calloc(count_sections(d, SECTION_ROUTE) + 1, sizeof(*c->routes));
    c->callers = calloc(count_sections(d, SECTION_CALLER) + 1, sizeof(*c->callers));
    if (c->path && c->providers && c->routes && c->callers)
        return c;
    config_free(c);
    return NULL;
}

static void build_server(const struct document *d, struct config *c)
{
    struct section empty = {.kind = SECTION_SERVER, .name = (char[]){""}};
    const struct section *s = document_find(d, SECTION_SERVER, TEXT(""));
    server_section_build(d, s ? s : &empty, &c->server);
}

static void build(const struct document *d, struct config *c)
{
    const struct section *store = document_find(d, SECTION_STORE, TEXT(""));
    build_server(d, c);
    if (store)
        store_section_build(d, store, &c->store);
    for (size_t i = 0; i < d->count; i++)
        if (d->sections[i].kind == SECTION_CALLER)
            caller_section_build(d, &d->sections[i], &c->callers[c->caller_count++]);
    for (size_t i = 0; i < d->count; i++)
        if (d->sections[i].kind == SECTION_PROVIDER)
            provider_section_build(d, &d->sections[i], &c->providers[c->provider_count++]);
    for (size_t i = 0; i < d->count; i++)
        if (d->sections[i].kind == SECTION_ROUTE)
            route_section_build(d, &d->sections[i], c, &c->routes[c->route_count++]);
    route_section_check_overlaps(d, c);
    caller_section_check(d, c);
    for (size_t i = 0; i < c->caller_count; i++)
        c->has_api_keys |= c->callers[i].api_key || c->callers[i].api_key_next;
    if (c->route_count == 0)
        messages_add(
            d->messages, MESSAGE_ERROR, (struct place){d->file, 0, UINT32_MAX},
            "there is no route, so nothing would be forwarded; add a [route NAME] section");
}

/* The snapshot of what was read, if that could be read and nothing is wrong with it. */
static struct config *conclude(struct reading *r, bool was_read,
                               struct config_messages *ret_messages)
{
    struct config *c = was_read ? config_new(&r->document) : NULL;
    if (c)
        build(&r->document, c);
    else if (was_read)
        reading_out_of_memory(r);
    if (r->messages.errors > 0) {
        config_unref(c);
        c = NULL;
    }
    reading_finish(r, ret_messages);
    return c;
}

struct config *config_load_text(const char *path, struct text contents,
                                struct config_messages *ret_messages)
{
    struct reading r;
    reading_init(&r, path);
    bool was_read = reading_take(&r, contents) == 0;
    return conclude(&r, was_read, ret_messages);
}

struct config *config_load(const char *path, struct config_messages *ret_messages)
{
    struct reading r;
    reading_init(&r, path);
    bool was_read = reading_take_file(&r) == 0;
    return conclude(&r, was_read, ret_messages);
}
