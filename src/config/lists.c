#include "config/lists.h"

#include <stdlib.h>

static int out_of_memory(struct error *err)
{
    return error_set(err, "out of memory");
}

int config_list_add(struct config_list *list, struct text item)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
    if (!items)
        return -1;
    list->items = items;
    items[list->count] = text_dup(item);
    if (!items[list->count])
        return -1;
    list->count++;
    return 0;
}

void config_list_done(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct config_list){0};
}

int list_each(struct text value, list_taker *take, void *place, struct error *err)
{
    while (value.size > 0) {
        struct text element = text_trim(text_cut(value, ',', &value));
        if (element.size == 0)
            return error_set(err, "the list has an empty element; remove the spare comma");
        if (take(element, place, err) != 0)
            return -1;
    }
    return 0;
}

static int take_item(struct text element, void *place, struct error *err)
{
    return config_list_add(place, element) == 0 ? 0 : out_of_memory(err);
}

int list_parse(struct text value, struct config_list *ret, struct error *err)
{
    return list_each(value, take_item, ret, err);
}

bool config_list_has(const struct config_list *list, struct text item)
{
    for (size_t i = 0; i < list->count; i++)
        if (text_equal_nocase(text_of(list->items[i]), item))
            return true;
    return false;
}

/* ---- what says that a token is refused ---- */

static int take_status(struct text element, void *place, struct error *err)
{
    uint64_t status;
    if (text_to_u64(element, &status) != 0 || status < 100 || status > 599)
        return error_set(err, "\"%.*s\" is no status; write numbers from 100 to 599",
                         TEXT_ARG(element));
    ((bool *)place)[status] = true;
    return 0;
}

int list_parse_statuses(struct text value, bool *ret_statuses, struct error *err)
{
    return list_each(value, take_status, ret_statuses, err);
}

struct rejects {
    struct reject_match **items;
    size_t *count;
};

static int take_reject(struct text element, void *place, struct error *err)
{
    struct rejects *r = place;
    struct text text;
    struct text number = text_trim(text_cut(element, ':', &text));
    uint64_t status = 0;
    text = text_trim(text);
    if (text.size == 0 || (!text_equal(number, TEXT("*")) &&
                           (text_to_u64(number, &status) != 0 || status < 100 || status > 599)))
        return error_set(err,
                         "\"%.*s\" is not status:text; write 404:Invalid Access Token, or "
                         "*:text for any status",
                         TEXT_ARG(element));
    struct reject_match *all = realloc(*r->items, (*r->count + 1) * sizeof(*all));
    if (!all)
        return out_of_memory(err);
    *r->items = all;
    all[*r->count] = (struct reject_match){(unsigned)status, text_dup(text)};
    if (!all[*r->count].text)
        return out_of_memory(err);
    ++*r->count;
    return 0;
}

int list_parse_rejects(struct text value, struct reject_match **items, size_t *count,
                       struct error *err)
{
    struct rejects r = {items, count};
    return list_each(value, take_reject, &r, err);
}
