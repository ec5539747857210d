#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "oauth/store_testing.h"

struct bed {
    struct test_folder folder;
    struct store_disk disk, other; /* as if of two processes */
};

static void replace(struct bed *bed, const char *text)
{
    struct error err = {0};
    if (store_disk_replace(&bed->disk, text_of(text), &err))
        fail_msg("%s", err.text);
}

static void assert_contents(struct bed *bed, const char *text)
{
    struct store_stamp stamp;
    struct buffer b;
    buffer_init(&b, 100000);
    assert_int_equal(store_disk_read(&bed->disk, &b, &stamp, NULL), 0);
    assert_true(text_equal(buffer_text(&b), text_of(text)));
    buffer_done(&b);
}

static void a_file_is_replaced_whole(void **state)
{
    struct bed *bed = *state;
    struct stat st;
    assert_contents(bed, "");
    replace(bed, "one");
    assert_contents(bed, "one");
    replace(bed, "another");
    assert_contents(bed, "another");
    assert_int_equal(stat(bed->folder.file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(test_folder_count(&bed->folder, "tokens"), 1); /* nothing is left beside it */
}

static void what_a_crash_has_left_does_not_matter(void **state)
{
    struct bed *bed = *state;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s.new", bed->folder.file);
    put_file(path, TEXT("half of it"));
    replace(bed, "whole");
    assert_contents(bed, "whole");
    assert_int_equal(symlink("/nowhere/else", path), 0); /* somebody's trap */
    replace(bed, "again");
    assert_contents(bed, "again");
}

/* In a child, whose limit on the size of files is as good as a full disk. */
static void a_full_disk_leaves_the_old_file(void **state)
{
    struct bed *bed = *state;
    int status = -1;
    replace(bed, "good");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static char large[8192];
        struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
        struct error err = {0};
        (void)signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit))
            _exit(2);
        int failed = store_disk_replace(&bed->disk, (struct text){large, sizeof(large)}, &err);
        _exit(failed && strstr(err.text, "cannot write") ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_contents(bed, "good");
    assert_int_equal(test_folder_count(&bed->folder, "tokens"), 1);
}

static void each_version_has_its_stamp(void **state)
{
    struct bed *bed = *state;
    struct store_stamp none, one, same, two;
    assert_int_equal(store_disk_stamp(&bed->disk, &none, NULL), 0);
    replace(bed, "a");
    assert_int_equal(store_disk_stamp(&bed->disk, &one, NULL), 0);
    assert_int_equal(store_disk_stamp(&bed->disk, &same, NULL), 0);
    assert_true(store_stamp_same(&one, &same));
    assert_false(store_stamp_same(&none, &one));
    replace(bed, "bb");
    assert_int_equal(store_disk_stamp(&bed->disk, &two, NULL), 0);
    assert_false(store_stamp_same(&one, &two));
}

static void a_right_to_fetch_belongs_to_one(void **state)
{
    struct bed *bed = *state;
    struct store_name one = name_number(1), two = name_number(2);
    assert_int_equal(store_disk_lock_name(&bed->disk, &one, NULL), 1);
    assert_int_equal(store_disk_lock_name(&bed->disk, &one, NULL), 1); /* its own already */
    assert_int_equal(store_disk_lock_name(&bed->other, &one, NULL), 0);
    assert_int_equal(store_disk_lock_name(&bed->other, &two, NULL), 1);
    store_disk_unlock_name(&bed->disk, &one);
    assert_int_equal(store_disk_lock_name(&bed->other, &one, NULL), 1);
    assert_int_equal(store_disk_lock_writer(&bed->disk, NULL), 0);
    assert_int_equal(store_disk_lock_name(&bed->disk, &two, NULL), 0); /* the writer is apart */
    store_disk_unlock_writer(&bed->disk);
}

static void a_killed_holder_holds_nothing(void **state)
{
    struct bed *bed = *state;
    struct store_name name = name_number(1);
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store_disk own;
        if (store_disk_init(&own, bed->folder.file, NULL) ||
            store_disk_lock_name(&own, &name, NULL) != 1 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(store_disk_lock_name(&bed->disk, &name, NULL), 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(store_disk_lock_name(&bed->disk, &name, NULL), 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void the_writers_lock_has_a_limit(void **state)
{
    struct bed *bed = *state;
    struct error err = {0};
    assert_int_equal(store_disk_lock_writer(&bed->disk, NULL), 0);
    assert_int_equal(store_disk_lock_writer(&bed->other, &err), -1);
    assert_non_null(strstr(err.text, "stays locked"));
    store_disk_unlock_writer(&bed->disk);
    assert_int_equal(store_disk_lock_writer(&bed->other, &err), 0);
}

static void what_is_damaged_is_kept(void **state)
{
    struct bed *bed = *state;
    char one[STORE_DISK_NAME_SIZE], two[STORE_DISK_NAME_SIZE];
    replace(bed, "broken");
    assert_int_equal(store_disk_set_aside(&bed->disk, one, NULL), 0);
    assert_contents(bed, "");
    replace(bed, "broken again");
    assert_int_equal(store_disk_set_aside(&bed->disk, two, NULL), 0);
    assert_string_not_equal(one, two);
    assert_int_equal(test_folder_count(&bed->folder, "tokens.damaged-"), 2);
    assert_int_equal(store_disk_set_aside(&bed->disk, two, NULL), -1); /* there is none */
}

static void assert_no_file(struct bed *bed)
{
    struct store_stamp stamp;
    struct error err = {0};
    assert_int_equal(store_disk_stamp(&bed->disk, &stamp, &err), -1);
    assert_non_null(strstr(err.text, "is no regular file"));
}

/* A device, a pipe or a link would be replaced by a file. */
static void what_is_no_file_is_left_alone(void **state)
{
    struct bed *bed = *state;
    struct store_stamp stamp;
    struct buffer b;
    char target[128];
    (void)snprintf(target, sizeof(target), "%s/target", bed->folder.path);
    put_file(target, TEXT("theirs"));
    assert_int_equal(symlink(target, bed->folder.file), 0);
    assert_no_file(bed);
    buffer_init(&b, 1000);
    assert_int_equal(store_disk_read(&bed->disk, &b, &stamp, NULL), -1);
    buffer_done(&b);
    assert_int_equal(unlink(bed->folder.file), 0);
    assert_int_equal(mkfifo(bed->folder.file, 0600), 0);
    assert_no_file(bed);
}

static void what_others_may_read_is_closed_to_them(void **state)
{
    struct bed *bed = *state;
    struct stat st;
    replace(bed, "tokens");
    assert_int_equal(chmod(bed->folder.file, 0644), 0);
    assert_contents(bed, "tokens");
    assert_int_equal(stat(bed->folder.file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_missing_folder_is_told(void **state)
{
    struct bed *bed = *state;
    struct store_disk d;
    struct error err = {0};
    struct store_name name = name_number(1);
    (void)bed;
    assert_int_equal(store_disk_init(&d, "/nonexistent/folder/tokens", NULL), 0);
    assert_int_equal(store_disk_replace(&d, TEXT("x"), &err), -1);
    assert_non_null(strstr(err.text, "/nonexistent/folder/tokens.new: No such file"));
    assert_int_equal(store_disk_lock_name(&d, &name, &err), -1);
    assert_non_null(strstr(err.text, "tokens.lock"));
    store_disk_done(&d);
}

static int open_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    assert_non_null(bed);
    test_folder_open(&bed->folder);
    assert_int_equal(store_disk_init(&bed->disk, bed->folder.file, NULL), 0);
    assert_int_equal(store_disk_init(&bed->other, bed->folder.file, NULL), 0);
    *state = bed;
    return 0;
}

static int close_bed(void **state)
{
    struct bed *bed = *state;
    store_disk_done(&bed->disk);
    store_disk_done(&bed->other);
    test_folder_close(&bed->folder);
    free(bed);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bed, close_bed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_replaced_whole),
        TEST(what_a_crash_has_left_does_not_matter),
        TEST(a_full_disk_leaves_the_old_file),
        TEST(each_version_has_its_stamp),
        TEST(a_right_to_fetch_belongs_to_one),
        TEST(a_killed_holder_holds_nothing),
        TEST(the_writers_lock_has_a_limit),
        TEST(what_is_damaged_is_kept),
        TEST(a_missing_folder_is_told),
        TEST(what_is_no_file_is_left_alone),
        TEST(what_others_may_read_is_closed_to_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
