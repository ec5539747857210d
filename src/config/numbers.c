#include "config/numbers.h"

#include <sched.h>
#include <unistd.h>

int number_parse(struct text value, uint64_t *ret_number, struct error *err)
{
    uint64_t number;
    if (text_to_u64(value, &number) != 0 || number > INT64_MAX)
        return error_set(err, "\"%.*s\" is no whole number", TEXT_ARG(value));
    *ret_number = number;
    return 0;
}

/* Splits "10ms" into its number and its unit. */
static int split_number(struct text value, uint64_t *ret_number, struct text *ret_unit)
{
    size_t digits = 0;
    while (digits < value.size && value.at[digits] >= '0' && value.at[digits] <= '9')
        digits++;
    *ret_unit = (struct text){value.at + digits, value.size - digits};
    return text_to_u64((struct text){value.at, digits}, ret_number);
}

struct unit {
    const char *name;
    int64_t factor;
};

static int with_unit(struct text value, const struct unit *units, int64_t *ret_value)
{
    uint64_t number;
    struct text name;
    if (split_number(value, &number, &name) != 0)
        return -1;
    for (const struct unit *u = units; u->name; u++) {
        int64_t product;
        if (!text_equal(name, text_of(u->name)))
            continue;
        if (__builtin_mul_overflow(number, u->factor, &product))
            return -1;
        *ret_value = product;
        return 0;
    }
    return -1;
}

int number_parse_duration(struct text value, int64_t *ret_ms, struct error *err)
{
    static const struct unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}, {NULL, 0}};
    if (text_equal(value, TEXT("0"))) {
        *ret_ms = 0;
        return 0;
    }
    if (with_unit(value, units, ret_ms) != 0)
        return error_set(err,
                         "\"%.*s\" is no duration; write a whole number and a unit: 500ms, "
                         "10s, 5m, 2h",
                         TEXT_ARG(value));
    return 0;
}

int number_parse_size(struct text value, uint64_t *ret_size, struct error *err)
{
    static const struct unit units[] = {{"", 1}, {"k", 1024}, {"m", 1024 * 1024}, {NULL, 0}};
    int64_t size;
    if (with_unit(value, units, &size) != 0)
        return error_set(err, "\"%.*s\" is no size; write 512, 16k or 4m", TEXT_ARG(value));
    *ret_size = (uint64_t)size;
    return 0;
}

int number_parse_quota(struct text value, uint64_t *ret_count, int64_t *ret_window_ms,
                       struct error *err)
{
    struct text window;
    struct text count = text_cut(value, '/', &window);
    uint64_t requests;
    int64_t ms;
    if (text_to_u64(text_trim(count), &requests) != 0 || requests == 0 ||
        number_parse_duration(text_trim(window), &ms, NULL) != 0 || ms == 0)
        return error_set(err, "\"%.*s\" is no quota; write requests/duration: 10/10m",
                         TEXT_ARG(value));
    *ret_count = requests;
    *ret_window_ms = ms;
    return 0;
}

/* A million in a second: what is faster needs no limit. */
enum { RATE_MAX_PER_MS = 1000 };

int number_parse_rate(struct text value, uint64_t *ret_count, int64_t *ret_window_ms,
                      struct error *err)
{
    static const struct unit units[] = {{"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}};
    struct text window;
    struct text count = text_trim(text_cut(value, '/', &window));
    int64_t ms = 0;
    uint64_t requests;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (text_equal(text_trim(window), text_of(units[i].name)))
            ms = units[i].factor;
    if (ms == 0 || text_to_u64(count, &requests) != 0 || requests == 0)
        return error_set(err, "\"%.*s\" is no rate; write 100/s, 6000/m or 10/h", TEXT_ARG(value));
    if (requests > (uint64_t)ms * RATE_MAX_PER_MS)
        return error_set(err, "\"%.*s\" is more than a million requests per second",
                         TEXT_ARG(value));
    *ret_count = requests;
    *ret_window_ms = ms;
    return 0;
}

int number_parse_zone(struct text value, int *ret_minutes, struct error *err)
{
    uint64_t hours = 0, minutes = 0;
    bool sound = value.size == 6 && (value.at[0] == '+' || value.at[0] == '-') &&
                 value.at[3] == ':' && text_to_u64((struct text){value.at + 1, 2}, &hours) == 0 &&
                 text_to_u64((struct text){value.at + 4, 2}, &minutes) == 0 && hours <= 14 &&
                 minutes <= 59;
    if (!sound)
        return error_set(err, "\"%.*s\" is no offset from UTC; write +05:30", TEXT_ARG(value));
    int offset = (int)(hours * 60 + minutes);
    *ret_minutes = value.at[0] == '-' ? -offset : offset;
    return 0;
}

unsigned number_of_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}
