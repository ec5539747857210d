#include "config/addresses.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "config/host_name.h"
#include "config/lists.h"

static int out_of_memory(struct error *err)
{
    return error_set(err, "out of memory");
}

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
    if (is_unix && host.at[0] == '@')
        return error_set(err, "an abstract socket (@) has no mode and owner, so that everybody on "
                              "the machine could use it; write the path of a file");
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

/* ---- the words behind an address ---- */

static int parse_mode(struct text value, mode_t *ret_mode, struct error *err)
{
    unsigned mode = 0;
    bool octal = value.size == 3 || value.size == 4;
    for (size_t i = 0; i < value.size; i++) {
        octal &= value.at[i] >= '0' && value.at[i] <= '7';
        mode = mode * 8 + (unsigned)(value.at[i] - '0');
    }
    if (!octal || mode == 0 || mode > 0777)
        return error_set(err, "mode=%.*s is no mode; write an octal number, such as mode=0660",
                         TEXT_ARG(value));
    *ret_mode = mode;
    return 0;
}

static bool is_number(const char *name, uint32_t *ret_number)
{
    uint64_t number;
    if (text_to_u64(text_of(name), &number) || number >= UINT32_MAX)
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

/* A number stands for itself. */
static int find_user(const char *name, struct config_file_access *a, struct error *err)
{
    const struct passwd *p = getpwnam(name);
    a->has_user = true;
    if (p)
        a->user = p->pw_uid;
    else if (!is_number(name, &a->user))
        return error_set(err, "user=%s: this system has no such user", name);
    return 0;
}

static int find_group(const char *name, struct config_file_access *a, struct error *err)
{
    const struct group *g = getgrnam(name);
    a->has_group = true;
    if (g)
        a->group = g->gr_gid;
    else if (!is_number(name, &a->group))
        return error_set(err, "group=%s: this system has no such group", name);
    return 0;
}

static int take_owner(bool is_user, struct text value, struct config_file_access *a,
                      struct error *err)
{
    char *name = text_dup(value);
    if (!name)
        return out_of_memory(err);
    int failed = is_user ? find_user(name, a, err) : find_group(name, a, err);
    free(name);
    return failed;
}

static int refuse_word(struct text word, const struct config_address *a, struct error *err)
{
    if (a->unix_path)
        return error_set(err,
                         "\"%.*s\" behind a unix socket; expected mode=0660, user=NAME or "
                         "group=NAME",
                         TEXT_ARG(word));
    return error_set(err, "\"%.*s\" behind a TCP address; expected nothing but plain",
                     TEXT_ARG(word));
}

static int take_word(struct text word, struct config_address *a, struct error *err)
{
    struct text value;
    struct text name = text_cut(word, '=', &value);
    if (a->unix_path && text_equal(name, TEXT("mode")))
        return parse_mode(value, &a->access.mode, err);
    if (a->unix_path && text_equal(name, TEXT("user")))
        return take_owner(true, value, &a->access, err);
    if (a->unix_path && text_equal(name, TEXT("group")))
        return take_owner(false, value, &a->access, err);
    if (a->unix_path || !text_equal(word, TEXT("plain")))
        return refuse_word(word, a, err);
    a->plain = true;
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The next word of what is left; false when there is none. */
static bool next_word(struct text *left, struct text *ret_word)
{
    struct text t = text_trim(*left);
    size_t size = 0;
    while (size < t.size && !is_blank(t.at[size]))
        size++;
    *ret_word = (struct text){t.at, size};
    *left = (struct text){t.at + size, t.size - size};
    return size > 0;
}

static int take_address(struct text element, void *place, struct error *err)
{
    struct config_addresses *all = place;
    struct text address, word;
    (void)next_word(&element, &address);
    for (size_t i = 0; i < all->count; i++)
        if (text_equal(text_of(all->items[i].text), address))
            return error_set(err, "%.*s is listed twice", TEXT_ARG(address));
    struct config_address a = {0};
    int failed = fill_address(address, &a, err);
    while (!failed && next_word(&element, &word))
        failed = take_word(word, &a, err);
    if (failed) {
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

int addresses_parse(struct text value, struct config_addresses *ret, struct error *err)
{
    return list_each(value, take_address, ret, err);
}

void config_addresses_done(struct config_addresses *a)
{
    for (size_t i = 0; i < a->count; i++)
        address_done(&a->items[i]);
    free(a->items);
    *a = (struct config_addresses){0};
}
