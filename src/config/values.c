#include "config/values.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/addresses.h"
#include "config/fields.h"
#include "config/lists.h"
#include "config/numbers.h"
#include "config/secret_source.h"
#include "config/suggest.h"

static int out_of_memory(struct error *err)
{
    return error_set(err, "out of memory");
}

static int store_copy(struct text value, char **place, struct error *err)
{
    char *copy = text_dup(value);
    if (!copy)
        return out_of_memory(err);
    *place = copy;
    return 0;
}

/* ---- numbers ---- */

static int in_bounds(const struct option *o, int64_t value, struct error *err)
{
    if (value >= o->least && (o->most == 0 || value <= o->most))
        return 0;
    struct buffer form;
    buffer_init(&form, 256);
    (void)option_add_form(o, &form);
    const char *text = buffer_string(&form);
    (void)error_set(err, "out of bounds; expected: %s", text ? text : "another value");
    buffer_done(&form);
    return -1;
}

static int store_duration(const struct option *o, struct text value, int64_t *place,
                          struct error *err)
{
    int64_t ms;
    if (number_parse_duration(value, &ms, err) != 0 || in_bounds(o, ms, err) != 0)
        return -1;
    *place = ms;
    return 0;
}

static int store_size(const struct option *o, struct text value, uint64_t *place, struct error *err)
{
    uint64_t size;
    if (number_parse_size(value, &size, err) != 0 || in_bounds(o, (int64_t)size, err) != 0)
        return -1;
    *place = size;
    return 0;
}

static int store_number(const struct option *o, struct text value, uint64_t *place,
                        struct error *err)
{
    uint64_t number;
    if (number_parse(value, &number, err) != 0 || in_bounds(o, (int64_t)number, err) != 0)
        return -1;
    *place = number;
    return 0;
}

static int store_workers(const struct option *o, struct text value, unsigned *place,
                         struct error *err)
{
    uint64_t number = number_of_processors();
    if (!text_equal(value, text_of(o->word)) && store_number(o, value, &number, err) != 0)
        return -1;
    *place = (unsigned)number;
    return 0;
}

/* ---- words ---- */

static int store_flag(struct text value, bool *place, struct error *err)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (text_equal_nocase(value, text_of(words[i]))) {
            *place = i % 2;
            return 0;
        }
    }
    return error_set(err, "expected yes or no (or on, off, true, false), not \"%.*s\"",
                     TEXT_ARG(value));
}

/* The nearest choice, as a text to offer; copied into `word`. */
static const char *nearest_choice(const char *choices, struct text value, char *word, size_t size)
{
    struct suggestion nearest;
    suggestion_init(&nearest, value);
    size_t best = SIZE_MAX;
    struct text list = text_of(choices), choice;
    while (text_next_element(&list, &choice)) {
        char *copy = text_dup(choice);
        if (copy)
            suggestion_offer(&nearest, copy);
        if (copy && nearest.best == copy && nearest.distance < best && choice.size < size) {
            best = nearest.distance;
            memcpy(word, copy, choice.size + 1);
        }
        nearest.best = NULL;
        free(copy);
    }
    return best < SIZE_MAX ? word : NULL;
}

static int choice_index(const struct option *o, struct text value, unsigned *ret_index,
                        struct error *err)
{
    struct text list = text_of(o->choices), choice;
    for (unsigned i = 0; text_next_element(&list, &choice); i++) {
        if (text_equal(value, choice)) {
            *ret_index = i;
            return 0;
        }
    }
    char word[64];
    const char *near = nearest_choice(o->choices, value, word, sizeof(word));
    return error_set(err, "\"%.*s\" is not known; expected one of %s%s%s%s", TEXT_ARG(value),
                     o->choices, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int store_choice(const struct option *o, struct text value, void *place, struct error *err)
{
    unsigned index;
    if (choice_index(o, value, &index, err) != 0)
        return -1;
    if (o->type == OPTION_PAIR)
        *(bool *)place = index != 0;
    else
        memcpy(place, &index, sizeof(index)); /* every enum here has the size of an unsigned */
    return 0;
}

/* ---- the rest ---- */

static int store_url(struct text value, char **place, struct error *err)
{
    struct url url;
    if (url_parse(value, &url, err) != 0)
        return -1;
    return store_copy(value, place, err);
}

static int store_file(struct text value, char **place, struct error *err)
{
    char *path = path_from_reference(value, err);
    if (!path)
        return -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        (void)error_set(err, "%s cannot be read: %s; check the path and its permissions", path,
                        strerror(errno));
        free(path);
        return -1;
    }
    (void)close(fd);
    *place = path;
    return 0;
}

static int store_field_line(struct text value, char **places, struct error *err)
{
    struct text content;
    struct text name = text_trim(text_cut(value, ':', &content));
    if (!field_name_is_token(name) || content.size == 0)
        return error_set(err, "\"%.*s\" is no header field; write Name: value", TEXT_ARG(value));
    char *copy = text_dup(name);
    if (!copy)
        return out_of_memory(err);
    if (store_copy(text_trim(content), &places[1], err) != 0) {
        free(copy);
        return -1;
    }
    places[0] = copy;
    return 0;
}

static int store_quota(struct text value, struct provider_config *p, struct error *err)
{
    return number_parse_quota(value, &p->token_quota, &p->token_quota_window, err);
}

static int store_rate(struct text value, struct caller_config *c, struct error *err)
{
    return number_parse_rate(value, &c->rate, &c->rate_window, err);
}

static int store_rejects(struct text value, struct provider_config *p, struct error *err)
{
    return list_parse_rejects(value, &p->reject_match, &p->reject_match_count, err);
}

/* Nothing instead of what a preset says: only where nothing is a value. */
static bool may_be_empty(const struct option *o)
{
    return !o->fallback && !(o->flags & (OPTION_REQUIRED | OPTION_INHERITED)) &&
           (o->type == OPTION_TEXT || o->type == OPTION_LIST || o->type == OPTION_FIELD_LINE ||
            o->type == OPTION_URL || o->type == OPTION_FILE);
}

/* `auto`, `none`, `off`: the place stays as it is, but for a duration or a number. */
static int store_word(const struct option *o, void *place)
{
    if (o->type == OPTION_DURATION)
        *(int64_t *)place = o->word_value;
    else if (o->type == OPTION_NUMBER)
        *(uint64_t *)place = (uint64_t)o->word_value;
    return 0;
}

static int store(const struct option *o, struct text value, void *owner, struct error *err)
{
    void *place = (char *)owner + o->offset;
    switch (o->type) {
    case OPTION_TEXT:
        return store_copy(value, place, err);
    case OPTION_FLAG:
        return store_flag(value, place, err);
    case OPTION_NUMBER:
        return store_number(o, value, place, err);
    case OPTION_WORKERS:
        return store_workers(o, value, place, err);
    case OPTION_SIZE:
        return store_size(o, value, place, err);
    case OPTION_DURATION:
        return store_duration(o, value, place, err);
    case OPTION_CHOICE:
    case OPTION_PAIR:
        return store_choice(o, value, place, err);
    case OPTION_LIST:
        return list_parse(value, place, err);
    case OPTION_ADDRESSES:
        return addresses_parse(value, place, err);
    case OPTION_FIELD_LINE:
        return store_field_line(value, place, err);
    case OPTION_STATUSES:
        return list_parse_statuses(value, place, err);
    case OPTION_REJECTS:
        return store_rejects(value, owner, err);
    case OPTION_QUOTA:
        return store_quota(value, owner, err);
    case OPTION_RATE:
        return store_rate(value, owner, err);
    case OPTION_ZONE:
        return number_parse_zone(value, place, err);
    case OPTION_URL:
        return store_url(value, place, err);
    case OPTION_FILE:
        return store_file(value, place, err);
    case OPTION_SECRET:
    case OPTION_FIELDS:
    case OPTION_VARIABLE:
    case OPTION_LINK:
        break;
    }
    return 0;
}

/* A mistake names the key's own word, which the parser of its type does not know. */
static int mention_word(const struct option *o, struct error *err)
{
    size_t size = err ? strlen(err->text) : sizeof(err->text);
    if (o->word && size < sizeof(err->text))
        (void)snprintf(err->text + size, sizeof(err->text) - size, " (or %s)", o->word);
    return -1;
}

int value_store(const struct option *o, struct text value, void *owner, struct error *err)
{
    if (value.size == 0)
        return may_be_empty(o) ? 0 : error_set(err, "the value is missing");
    if (o->word && o->type != OPTION_WORKERS && text_equal(value, text_of(o->word)))
        return store_word(o, (char *)owner + o->offset);
    return store(o, value, owner, err) == 0 ? 0 : mention_word(o, err);
}

static void free_text(char **place)
{
    free(*place);
    *place = NULL;
}

static void free_rejects(struct provider_config *p)
{
    for (size_t i = 0; i < p->reject_match_count; i++)
        free(p->reject_match[i].text);
    free(p->reject_match);
    p->reject_match = NULL;
    p->reject_match_count = 0;
}

void value_free(const struct option *o, void *owner)
{
    void *place = (char *)owner + o->offset;
    switch (o->type) {
    case OPTION_TEXT:
    case OPTION_URL:
    case OPTION_FILE:
        free_text(place);
        break;
    case OPTION_FIELD_LINE:
        free_text(place);
        free_text((char **)place + 1);
        break;
    case OPTION_LIST:
        config_list_done(place);
        break;
    case OPTION_ADDRESSES:
        config_addresses_done(place);
        break;
    case OPTION_REJECTS:
        free_rejects(owner);
        break;
    case OPTION_SECRET:
        secret_unref(*(struct secret **)place);
        *(struct secret **)place = NULL;
        break;
    case OPTION_FIELDS:
        config_fields_done(place);
        break;
    case OPTION_FLAG:
    case OPTION_NUMBER:
    case OPTION_WORKERS:
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_CHOICE:
    case OPTION_PAIR:
    case OPTION_STATUSES:
    case OPTION_QUOTA:
    case OPTION_RATE:
    case OPTION_ZONE:
    case OPTION_VARIABLE:
    case OPTION_LINK:
        break;
    }
}
