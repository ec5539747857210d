#include "oauth/retry_after.h"

#include "base/clock.h"

/* A date taken apart; month and day count from 1. */
struct date {
    uint64_t year, month, day, hour, minute, second;
};

/* Reads one to four digits from the front. */
static int take_number(struct text *t, size_t min, size_t max, uint64_t *ret_number)
{
    size_t size = 0;
    while (size < t->size && size < max && t->at[size] >= '0' && t->at[size] <= '9')
        size++;
    if (size < min || text_to_u64((struct text){t->at, size}, ret_number))
        return -1;
    t->at += size;
    t->size -= size;
    return 0;
}

static int take(struct text *t, struct text what)
{
    if (!text_starts_with(*t, what))
        return -1;
    t->at += what.size;
    t->size -= what.size;
    return 0;
}

static int take_month(struct text *t, uint64_t *ret_month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (uint64_t i = 0; i < 12; i++)
        if (take(t, (struct text){names + i * 3, 3}) == 0) {
            *ret_month = i + 1;
            return 0;
        }
    return -1;
}

static int take_time(struct text *t, struct date *d)
{
    return take_number(t, 2, 2, &d->hour) || take(t, TEXT(":")) ||
                   take_number(t, 2, 2, &d->minute) || take(t, TEXT(":")) ||
                   take_number(t, 2, 2, &d->second)
               ? -1
               : 0;
}

/* `06 Nov 1994 08:49:37 GMT` or `06-Nov-94 08:49:37 GMT`, what follows the weekday and its comma */
static int read_day_first(struct text t, struct date *d)
{
    bool old = t.size > 2 && t.at[2] == '-'; /* RFC 850 */
    struct text separator = old ? TEXT("-") : TEXT(" ");
    size_t year_digits = old ? 2 : 4;
    if (take_number(&t, 2, 2, &d->day) || take(&t, separator) || take_month(&t, &d->month) ||
        take(&t, separator) || take_number(&t, year_digits, year_digits, &d->year) ||
        take(&t, TEXT(" ")) || take_time(&t, d) || !text_equal(t, TEXT(" GMT")))
        return -1;
    if (old)
        d->year += d->year < 70 ? 2000 : 1900;
    return 0;
}

/* `Nov  6 08:49:37 1994`, what follows the weekday */
static int read_month_first(struct text t, struct date *d)
{
    if (take_month(&t, &d->month) || take(&t, TEXT(" ")))
        return -1;
    size_t digits = take(&t, TEXT(" ")) == 0 ? 1 : 2;
    return take_number(&t, digits, digits, &d->day) || take(&t, TEXT(" ")) || take_time(&t, d) ||
                   take(&t, TEXT(" ")) || take_number(&t, 4, 4, &d->year) || t.size != 0
               ? -1
               : 0;
}

static int read_date(struct text t, struct date *d)
{
    struct text rest;
    struct text weekday = text_cut(t, ',', &rest);
    if (weekday.size < t.size)
        return take(&rest, TEXT(" ")) ? -1 : read_day_first(rest, d);
    (void)text_cut(t, ' ', &rest);
    return read_month_first(rest, d);
}

/* Days from 1970-01-01 to the date, in the Gregorian calendar. */
static int64_t days_since_epoch(const struct date *d)
{
    int64_t year = (int64_t)d->year - (d->month <= 2);
    int64_t month = ((int64_t)d->month + 9) % 12; /* March is 0, so that February is the last */
    int64_t day_of_year = (153 * month + 2) / 5 + (int64_t)d->day - 1;
    return year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719468;
}

static bool is_possible(const struct date *d)
{
    return d->year >= 1970 && d->day >= 1 && d->day <= 31 && d->hour <= 23 && d->minute <= 59 &&
           d->second <= 60;
}

int64_t retry_after_ms(struct text value, int64_t wall_ms)
{
    value = text_trim(value);
    uint64_t seconds;
    int64_t wait = 0;
    struct date d = {0};
    if (text_to_u64(value, &seconds) == 0)
        wait = seconds > RETRY_AFTER_MAX_MS / MS_PER_S ? RETRY_AFTER_MAX_MS
                                                       : (int64_t)seconds * MS_PER_S;
    else if (read_date(value, &d) == 0 && is_possible(&d))
        wait = ((days_since_epoch(&d) * 24 + (int64_t)d.hour) * 60 + (int64_t)d.minute) * 60 *
                   MS_PER_S +
               (int64_t)d.second * MS_PER_S - wall_ms;
    if (wait < 0)
        return 0;
    return wait < RETRY_AFTER_MAX_MS ? wait : RETRY_AFTER_MAX_MS;
}
