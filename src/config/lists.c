#include "config/lists.h"

#include <stdlib.h>
#include <string.h>

#include "config/host_name.h"

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

typedef int element_taker(struct text element, void *place, struct error *err);

/* Calls `take` for every element; nothing between two commas is a mistake. */
static int each_element(struct text value, element_taker *take, void *place, struct error *err)
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
    return each_element(value, take_item, ret, err);
}

bool config_list_has(const struct config_list *list, struct text item)
{
    for (size_t i = 0; i < list->count; i++)
        if (text_equal_nocase(text_of(list->items[i]), item))
            return true;
    return false;
}

/* ---- addresses ---- */

/* Splits host and port; the host is without the brackets of an IPv6 literal. */
static int split_address(struct text value, struct text *ret_host, uint64_t *ret_port)
{
    size_t colon = value.size;
    while (colon > 0 && value.at[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return -1;
    struct text host = {value.at, colon - 1};
    struct text port = {value.at + colon, value.size - colon};
    bool brackets = host.at[0] == '[' && host.at[host.size - 1] == ']';
    if (brackets)
        host = (struct text){host.at + 1, host.size - 2};
    bool is_ipv6 = host.size && memchr(host.at, ':', host.size);
    if (brackets != is_ipv6 || !host_name_is_sound(host, false) ||
        text_to_u64(port, ret_port) != 0 || *ret_port > UINT16_MAX)
        return -1;
    *ret_host = host;
    return 0;
}

static int fill_address(struct text value, struct config_address *a, struct error *err)
{
    struct text host;
    uint64_t port = 0;
    bool is_unix = text_starts_with(value, TEXT("unix:"));
    char **place = is_unix ? &a->unix_path : &a->host;
    if (is_unix)
        host = (struct text){value.at + 5, value.size - 5};
    else if (split_address(value, &host, &port) != 0)
        return error_set(err,
                         "\"%.*s\" is no address; write 127.0.0.1:8080, 0.0.0.0:8080, "
                         "[::1]:8080 or unix:PATH",
                         TEXT_ARG(value));
    /* sun_path of sockaddr_un, its NUL included */
    if (is_unix && (host.size == 0 || host.size > 107))
        return error_set(err, "the path of a unix socket has 1 to 107 bytes");
    a->port = (uint16_t)port;
    a->text = text_dup(value);
    *place = text_dup(host);
    return a->text && *place ? 0 : out_of_memory(err);
}

static void address_done(struct config_address *a)
{
    free(a->text);
    free(a->host);
    free(a->unix_path);
}

static int take_address(struct text element, void *place, struct error *err)
{
    struct config_addresses *all = place;
    for (size_t i = 0; i < all->count; i++)
        if (text_equal(text_of(all->items[i].text), element))
            return error_set(err, "%.*s is listed twice", TEXT_ARG(element));
    struct config_address a = {0};
    if (fill_address(element, &a, err) != 0) {
        address_done(&a);
        return -1;
    }
    struct config_address *items = realloc(all->items, (all->count + 1) * sizeof(*items));
    if (!items) {
        address_done(&a);
        return out_of_memory(err);
    }
    all->items = items;
    items[all->count++] = a;
    return 0;
}

int list_parse_addresses(struct text value, struct config_addresses *ret, struct error *err)
{
    return each_element(value, take_address, ret, err);
}

void config_addresses_done(struct config_addresses *a)
{
    for (size_t i = 0; i < a->count; i++)
        address_done(&a->items[i]);
    free(a->items);
    *a = (struct config_addresses){0};
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
    return each_element(value, take_status, ret_statuses, err);
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
    return each_element(value, take_reject, &r, err);
}
