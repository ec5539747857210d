/*
 * source_testing.h - the one source_bed of a test program, opened by each test and closed behind
 * it.
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_SOURCE_TESTING_H
#define TESTS_SOURCE_TESTING_H

#include "oauth/source_bed.h"

static struct source_bed bed;

static inline void open_bed(const char *lines)
{
    bed_open(&bed, lines);
}

static inline int teardown(void **state)
{
    (void)state;
    bed_close(&bed);
    return 0;
}

/* The source with a token of that life that was just got, and used once. */
static inline void open_with_token(const char *lines, int seconds)
{
    open_bed(lines);
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    bed_grant(&bed, "first", seconds, "");
    bed_assert_token(&bed, "first");
    assert_int_equal(bed.started, 1);
}

#endif
