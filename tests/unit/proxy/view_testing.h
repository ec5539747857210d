/*
 * view_testing.h - what the tests of pools and views share: snapshots from text, without a worker.
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_VIEW_TESTING_H
#define TESTS_VIEW_TESTING_H

#include <stdlib.h>

#include "oauth/token_registry.h"
#include "proxy/worker_view.h"

enum { VIEW_WORKERS = 2 };

static inline struct config *config_of(const char *ini)
{
    struct config_messages messages;
    struct config *c = config_load_text("test.ini", text_of(ini), &messages);
    for (size_t i = 0; !c && i < messages.count; i++)
        print_error("%s\n", messages.lines[i]);
    config_messages_done(&messages);
    assert_non_null(c);
    return c;
}

/* One worker's surroundings. */
struct ground {
    struct loop *loop;
    struct connector *connector;
    struct token_registry *tokens;
    struct stats *stats;
    struct worker_home home;
};

static inline void ground_published(void *ctx)
{
    (void)ctx;
}

static inline void ground_open(struct ground *g)
{
    struct error err;
    *g = (struct ground){.loop = loop_new(&err), .stats = stats_new(VIEW_WORKERS)};
    assert_true(g->loop && g->stats);
    g->connector = connector_new(g->loop, &err);
    g->tokens = token_registry_new(g->loop, ground_published, NULL, &err);
    assert_true(g->connector && g->tokens);
    g->home = (struct worker_home){.index = 1, .loop = g->loop, .connector = g->connector};
}

static inline void ground_close(struct ground *g)
{
    token_registry_free(g->tokens);
    connector_free(g->connector);
    stats_free(g->stats);
    loop_free(g->loop);
}

/* The snapshot of this file, whose providers become the current ones. */
static inline struct snapshot *snapshot_of(struct ground *g, const char *ini)
{
    struct error err;
    struct token_slot *slots[8];
    struct config *c = config_of(ini);
    assert_int_equal(token_registry_apply(g->tokens, c, &err), 0);
    for (size_t i = 0; i < c->provider_count; i++)
        slots[i] = token_registry_slot(g->tokens, i);
    struct snapshot *s = snapshot_new(c, slots, g->stats, NULL);
    assert_non_null(s);
    config_unref(c);
    return s;
}

/* A view of it before or after another; the snapshot's reference goes to the view. */
static inline struct worker_view *view_of(struct ground *g, const char *ini,
                                          const struct worker_view *before)
{
    struct snapshot *s = snapshot_of(g, ini);
    struct worker_view *v = worker_view_new(&g->home, s, before);
    assert_non_null(v);
    snapshot_unref(s);
    return v;
}

#endif
