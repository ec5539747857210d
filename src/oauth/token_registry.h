/*
 * token_registry.h - all token sources of the process, by what their token request is made of.
 *
 * Belongs to the control thread. Two providers with the same inputs of the token request share a
 * source; any difference makes two. On a reload sources whose inputs did not change keep their
 * token. A source that a reload drops lives on until the last exchange that began with it is gone.
 */
#ifndef OAUTH_TOKEN_REGISTRY_H
#define OAUTH_TOKEN_REGISTRY_H

#include "base/loop.h"
#include "config/config.h"
#include "oauth/token_seal.h"
#include "oauth/token_slot.h"
#include "oauth/token_source.h"
#include "oauth/token_store.h"

struct token_registry;

/* Called in the control thread after any source published: the workers must be woken. */
typedef void token_published(void *ctx);

WARN_UNUSED struct token_registry *token_registry_new(struct loop *loop, token_published *published,
                                                      void *ctx, struct error *err);
/*
 * All sources that are made from now on share by this store, whose entries are sealed with `seal`;
 * both must outlive the registry.
 */
void token_registry_share(struct token_registry *r, struct token_store *store,
                          const struct token_seal *seal);

/* Readers get TOKEN_FAILED from then on. NULL is accepted. */
void token_registry_free(struct token_registry *r);

/*
 * Makes the sources of the snapshot the current ones: keeps those that are the same, adds and
 * drops the others. -1 (memory) changes nothing.
 */
WARN_UNUSED int token_registry_apply(struct token_registry *r, struct config *config,
                                     struct error *err);

/* The slot of the snapshot's provider with that index; the caller takes its own reference. */
struct token_slot *token_registry_slot(const struct token_registry *r, size_t provider);

/*
 * Starts what is due. To be called when the loop was woken (loop_on_wake): token_slot wakes it when
 * a worker has asked.
 */
void token_registry_run(struct token_registry *r);

/* The index of the current snapshot's provider of that name; -1 if there is none. */
WARN_UNUSED int token_registry_find(const struct token_registry *r, struct text name,
                                    size_t *ret_provider);

/* What may be shown of a provider's source; good until the loop goes on. */
void token_registry_describe(const struct token_registry *r, size_t provider,
                             struct token_info *ret_info);

/*
 * True while an answer is under way that may bring a refresh token, and there is a store to keep
 * it: not the moment to end the process.
 */
bool token_registry_is_rotating(const struct token_registry *r);

/* The operator's orders, see token_source.h. `wait` must stay until done, or leave its list. */
void token_registry_refresh(struct token_registry *r, size_t provider, struct token_wait *wait);
void token_registry_forget(struct token_registry *r, size_t provider);

#endif
