#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/store_image.h"
#include "oauth/store_testing.h"

static const struct store_moment now = {.wall_ms = 1000000, .boot_ms = 5000, .boot_id = "boot"};

static struct store_record record(unsigned i, uint64_t generation, const char *value)
{
    return (struct store_record){.name = name_number(i),
                                 .generation = generation,
                                 .saved = now,
                                 .keep_ms = 1000,
                                 .value = text_of(value)};
}

/* Writes the records over the image, and reads the result back in its place. */
static void rewrite(struct store_image *image, struct store_record *records, size_t count,
                    const struct store_moment *when)
{
    struct buffer bytes;
    struct store_image next;
    buffer_init(&bytes, STORE_IMAGE_MAX);
    assert_int_equal(store_image_write(image, records, count, when, &bytes), 0);
    assert_int_equal(store_image_parse(&next, &bytes), 0);
    store_image_done(image);
    *image = next;
}

static void assert_found(const struct store_image *image, unsigned i, uint64_t generation,
                         const char *value)
{
    struct store_name name = name_number(i);
    const struct store_record *r = store_image_find(image, &name);
    assert_non_null(r);
    assert_int_equal(r->generation, generation);
    assert_true(text_equal(r->value, text_of(value)));
    assert_int_equal(r->saved.wall_ms, now.wall_ms);
    assert_int_equal(r->keep_ms, 1000);
}

static void entries_come_back(void **state)
{
    (void)state;
    struct store_image image;
    struct store_record records[] = {record(300, 3, "three"), record(1, 1, ""),
                                     record(2, 9, "two")};
    struct store_name other = name_number(4);
    store_image_init(&image);
    assert_null(store_image_find(&image, &other));
    rewrite(&image, records, 3, &now);
    assert_int_equal(image.count, 3);
    assert_found(&image, 1, 1, "");
    assert_found(&image, 2, 9, "two");
    assert_found(&image, 300, 3, "three");
    assert_null(store_image_find(&image, &other));
    store_image_done(&image);
}

static void a_write_keeps_the_others(void **state)
{
    (void)state;
    struct store_image image;
    struct store_record first[] = {record(1, 1, "a"), record(3, 1, "c")};
    struct store_record second[] = {record(4, 1, "d"), record(2, 1, "b"), record(3, 2, "cc")};
    store_image_init(&image);
    rewrite(&image, first, 2, &now);
    rewrite(&image, second, 3, &now);
    assert_int_equal(image.count, 4);
    assert_found(&image, 1, 1, "a");
    assert_found(&image, 2, 1, "b");
    assert_found(&image, 3, 2, "cc");
    assert_found(&image, 4, 1, "d");
    store_image_done(&image);
}

static void what_is_too_old_goes_with_the_next_write(void **state)
{
    (void)state;
    struct store_image image;
    struct store_moment later = now;
    struct store_record first[] = {record(1, 1, "a")}, second[] = {record(2, 1, "b")};
    struct store_name name = name_number(1);
    store_image_init(&image);
    rewrite(&image, first, 1, &now);
    later.boot_ms += 1001;
    rewrite(&image, second, 1, &later);
    assert_null(store_image_find(&image, &name));
    assert_int_equal(image.count, 1);
    store_image_done(&image);
}

static void the_age_survives_boots_and_stepped_clocks(void **state)
{
    (void)state;
    struct store_moment then = now, same = now, other = now, back = now;
    same.boot_ms += 700;
    same.wall_ms -= 100000; /* stepped: of no matter within a boot */
    assert_int_equal(store_moment_age(&then, &same), 700);
    memcpy(other.boot_id, "next", 5);
    other.boot_ms = 3;
    other.wall_ms += 9000;
    assert_int_equal(store_moment_age(&then, &other), 9000);
    back = other;
    back.wall_ms = now.wall_ms - 1;
    assert_int_equal(store_moment_age(&then, &back), -1);
}

/* Cut anywhere, or any bit flipped: never taken for a good one. */
static void damage_is_seen(void **state)
{
    (void)state;
    struct store_image image, broken;
    struct buffer bytes, copy;
    struct store_record records[] = {record(1, 1, "alpha"), record(2, 2, "beta")};
    store_image_init(&image);
    buffer_init(&bytes, STORE_IMAGE_MAX);
    buffer_init(&copy, STORE_IMAGE_MAX);
    assert_int_equal(store_image_write(&image, records, 2, &now, &bytes), 0);
    size_t size = buffer_size(&bytes);
    for (size_t i = 1; i < size; i++) {
        (void)buffer_add(&copy, buffer_data(&bytes), i);
        assert_int_equal(store_image_parse(&broken, &copy), -1);
    }
    for (size_t i = 0; i < size; i++) {
        (void)buffer_add_text(&copy, buffer_text(&bytes));
        copy.data[i] ^= 4;
        assert_int_equal(store_image_parse(&broken, &copy), -1);
    }
    assert_int_equal(store_image_parse(&broken, &copy), 0); /* nothing at all is no damage */
    assert_int_equal(broken.count, 0);
    store_image_done(&broken);
    buffer_done(&bytes);
    buffer_done(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_back),
        cmocka_unit_test(a_write_keeps_the_others),
        cmocka_unit_test(what_is_too_old_goes_with_the_next_write),
        cmocka_unit_test(the_age_survives_boots_and_stepped_clocks),
        cmocka_unit_test(damage_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
