#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/store_table.h"
#include "oauth/store_testing.h"

struct bed {
    struct test_folder folder;
    struct store_disk disk;
    struct store_table table, other; /* as if of two processes */
};

static struct store_save save_of(unsigned i, uint64_t generation, const char *value)
{
    return (struct store_save){.record = {.name = name_number(i),
                                          .generation = generation,
                                          .keep_ms = 60000,
                                          .value = text_of(value)}};
}

static void write_saves(struct bed *bed, struct store_table *t, struct store_save *saves,
                        size_t count)
{
    struct buffer out;
    for (size_t i = 0; i < count; i++)
        saves[i].record.saved = store_table_now(t);
    buffer_init(&out, STORE_IMAGE_MAX);
    assert_int_equal(store_table_merge(t, &bed->disk, saves, count, &out, NULL), 0);
    if (buffer_size(&out))
        assert_int_equal(store_disk_replace(&bed->disk, buffer_text(&out), NULL), 0);
    buffer_done(&out);
}

static void assert_found(struct bed *bed, struct store_table *t, unsigned i, uint64_t generation,
                         const char *value)
{
    struct store_name name = name_number(i);
    struct buffer out;
    int64_t age = -7;
    bool damaged;
    buffer_init(&out, 1000);
    assert_int_equal(store_table_refresh(t, &bed->disk, &damaged, NULL), 0);
    assert_int_equal(store_table_find(t, &name, &out, &age), generation);
    assert_true(text_equal(buffer_text(&out), text_of(value)));
    if (generation)
        assert_in_range(age, 0, 60000);
    buffer_done(&out);
}

static void what_one_writes_the_other_reads(void **state)
{
    struct bed *bed = *state;
    struct store_save first[] = {save_of(1, 1, "a"), save_of(2, 5, "b")};
    struct store_save second[] = {save_of(3, 1, "c")};
    assert_found(bed, &bed->other, 1, 0, "");
    write_saves(bed, &bed->table, first, 2);
    write_saves(bed, &bed->other, second, 1); /* keeps what the first has written */
    assert_found(bed, &bed->other, 1, 1, "a");
    assert_found(bed, &bed->table, 2, 5, "b");
    assert_found(bed, &bed->table, 3, 1, "c");
}

static void a_late_writer_overwrites_nothing(void **state)
{
    struct bed *bed = *state;
    struct store_save new[] = {save_of(1, 5, "new")};
    struct store_save late[] = {save_of(1, 5, "same"), save_of(1, 4, "older"), save_of(2, 1, "x")};
    write_saves(bed, &bed->table, new, 1);
    write_saves(bed, &bed->other, late, 3);
    assert_true(late[0].stale && late[1].stale && !late[2].stale);
    assert_found(bed, &bed->table, 1, 5, "new");
    assert_found(bed, &bed->table, 2, 1, "x");
}

static void of_several_saves_of_a_name_the_newest_stays(void **state)
{
    struct bed *bed = *state;
    struct store_save saves[] = {save_of(1, 2, "b"), save_of(1, 3, "c"), save_of(1, 1, "a")};
    write_saves(bed, &bed->table, saves, 3);
    assert_false(saves[0].stale || saves[1].stale);
    assert_true(saves[2].stale);
    assert_found(bed, &bed->table, 1, 3, "c");
}

static void what_is_newer_is_news(void **state)
{
    struct bed *bed = *state;
    struct store_save saves[] = {save_of(1, 1, "a"), save_of(2, 1, "b")};
    struct store_save more[] = {save_of(2, 2, "bb")};
    size_t count;
    write_saves(bed, &bed->table, saves, 2);
    assert_found(bed, &bed->other, 1, 1, "a");
    struct store_news *news = store_table_take_news(&bed->other, &count);
    assert_int_equal(count, 2);
    free(news);
    write_saves(bed, &bed->table, more, 1);
    assert_found(bed, &bed->other, 2, 2, "bb");
    news = store_table_take_news(&bed->other, &count);
    assert_int_equal(count, 1);
    assert_int_equal(news[0].generation, 2);
    free(news);
    assert_null(store_table_take_news(&bed->other, &count));
    assert_int_equal(count, 0);
}

static void damage_under_way_loses_nothing(void **state)
{
    struct bed *bed = *state;
    struct store_save saves[] = {save_of(1, 1, "a")}, more[] = {save_of(2, 1, "b")};
    bool damaged;
    write_saves(bed, &bed->table, saves, 1);
    assert_found(bed, &bed->table, 1, 1, "a");
    put_file(bed->folder.file, TEXT("bearerd store 1\nno more"));
    assert_int_equal(store_table_refresh(&bed->other, &bed->disk, &damaged, NULL), 0);
    assert_true(damaged);
    assert_found(bed, &bed->table, 1, 1, "a"); /* as it was before */
    put_file(bed->folder.file, TEXT("and again"));
    write_saves(bed, &bed->table, more, 1);
    assert_found(bed, &bed->other, 1, 1, "a");
    assert_found(bed, &bed->other, 2, 1, "b");
    assert_int_equal(test_folder_count(&bed->folder, "tokens.damaged-"), 1);
}

/* Also when a reader has seen it before the writer. */
static void damage_that_a_reader_has_seen_is_kept_aside(void **state)
{
    struct bed *bed = *state;
    struct store_save more[] = {save_of(2, 1, "b")};
    bool damaged;
    put_file(bed->folder.file, TEXT("bearerd store 1\nno more"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_table_refresh(&bed->table, &bed->disk, &damaged, NULL), 0);
        assert_true(damaged);
    }
    write_saves(bed, &bed->table, more, 1);
    assert_int_equal(test_folder_count(&bed->folder, "tokens.damaged-"), 1);
    assert_int_equal(store_table_refresh(&bed->table, &bed->disk, &damaged, NULL), 0);
    assert_false(damaged);
    assert_found(bed, &bed->other, 2, 1, "b");
}

static void a_foreign_key_is_known(void **state)
{
    struct bed *bed = *state;
    struct token_seal *own = seal_of_key(KEY_A), *foreign = seal_of_key(KEY_B);
    struct store_name name = name_number(1);
    struct buffer sealed;
    bool damaged;
    buffer_init(&sealed, 1000);
    assert_int_equal(token_seal_close(own, &name, 1, TEXT("x"), &sealed), 0);
    struct store_save saves[] = {save_of(1, 1, "")};
    saves[0].record.value = buffer_text(&sealed);
    assert_false(store_table_is_foreign(&bed->table, foreign)); /* nothing is in it */
    write_saves(bed, &bed->table, saves, 1);
    assert_int_equal(store_table_refresh(&bed->table, &bed->disk, &damaged, NULL), 0);
    assert_true(store_table_is_foreign(&bed->table, foreign));
    assert_false(store_table_is_foreign(&bed->table, own));
    buffer_done(&sealed);
    token_seal_free(own);
    token_seal_free(foreign);
}

static int open_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    assert_non_null(bed);
    test_folder_open(&bed->folder);
    assert_int_equal(store_disk_init(&bed->disk, bed->folder.file, NULL), 0);
    store_table_init(&bed->table);
    store_table_init(&bed->other);
    *state = bed;
    return 0;
}

static int close_bed(void **state)
{
    struct bed *bed = *state;
    store_table_done(&bed->table);
    store_table_done(&bed->other);
    store_disk_done(&bed->disk);
    test_folder_close(&bed->folder);
    free(bed);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bed, close_bed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_one_writes_the_other_reads),
        TEST(a_late_writer_overwrites_nothing),
        TEST(of_several_saves_of_a_name_the_newest_stays),
        TEST(what_is_newer_is_news),
        TEST(damage_under_way_loses_nothing),
        TEST(damage_that_a_reader_has_seen_is_kept_aside),
        TEST(a_foreign_key_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
