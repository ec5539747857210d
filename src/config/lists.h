/*
 * lists.h - values that are lists by comma, into the snapshot's lists.
 *
 * No state; any thread. The *_parse functions append to what is there; -1 with a sentence may
 * leave a part behind, which the owner frees with the rest.
 */
#ifndef CONFIG_LISTS_H
#define CONFIG_LISTS_H

#include "base/error.h"
#include "base/text.h"
#include "config/config.h"

/* Appends a copy. -1 when memory is out. */
WARN_UNUSED int config_list_add(struct config_list *list, struct text item);
void config_list_done(struct config_list *list);

/* True when an item is the same, in any case. */
bool config_list_has(const struct config_list *list, struct text item);

/* Calls `take` for each element, trimmed; nothing between two commas is a mistake. */
typedef int list_taker(struct text element, void *place, struct error *err);
WARN_UNUSED int list_each(struct text value, list_taker *take, void *place, struct error *err);

/* `a, b, c`; an empty element is an error. */
WARN_UNUSED int list_parse(struct text value, struct config_list *ret, struct error *err);

/* `401, 403`: sets those in an array of 600 statuses. */
WARN_UNUSED int list_parse_statuses(struct text value, bool *ret_statuses, struct error *err);

/* `404:some text, *:other text` */
WARN_UNUSED int list_parse_rejects(struct text value, struct reject_match **items, size_t *count,
                                   struct error *err);

#endif
