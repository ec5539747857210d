#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/listen_file.h"

static char folder[32], path[64];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/test-listen-file-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/socket", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static int bound(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void assert_no_way(const char *where, const char *words)
{
    struct error err = {""};
    assert_int_equal(listen_file_make_way(where, &err), -1);
    if (!strstr(err.text, words))
        fail_msg("%s", err.text);
}

static void only_what_nobody_serves_is_removed(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(listen_file_make_way(path, &err), 0); /* nothing there */
    int fd = bound();
    assert_int_equal(listen(fd, 0), 0);
    assert_no_way(path, "another program listens there");
    (void)close(fd);
    assert_int_equal(listen_file_make_way(path, &err), 0);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_full_queue_is_somebody_too(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = bound(), waiting[2];
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(listen(fd, 0), 0);
    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
        waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(waiting[i], (struct sockaddr *)&address, sizeof(address));
    }
    assert_no_way(path, "another program listens there");
    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
        (void)close(waiting[i]);
    (void)close(fd);
}

static void other_files_are_never_touched(void **state)
{
    (void)state;
    char longest[200] = "/tmp/";
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_no_way(path, "is no socket");
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/nonexistent", path), 0);
    assert_no_way(path, "is no socket");
    memset(longest + 5, 'x', 150);
    assert_no_way(longest, "longer than 107 bytes");
}

static void it_gets_its_mode_and_owner(void **state)
{
    (void)state;
    struct error err;
    struct stat status;
    struct listen_file f = {0}, copy;
    struct config_address a = {.unix_path = path,
                               .access = {.mode = 0621, .has_group = true, .group = getegid()}};
    int fd = bound();
    assert_int_equal(listen_file_take(&f, &a, &err), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0621);
    assert_int_equal(status.st_gid, getegid());
    a.access.mode = 0600;
    assert_int_equal(listen_file_copy(&copy, &f, &a), 0);
    assert_int_equal(listen_file_set_access(&copy, &err), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    listen_file_remove(&f);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(listen_file_set_access(&copy, &err), -1);
    listen_file_done(&f);
    listen_file_done(&copy);
    (void)close(fd);
}

static void another_file_of_that_name_stays(void **state)
{
    (void)state;
    struct error err;
    struct listen_file f = {0};
    const struct config_address a = {.unix_path = path};
    int fd = bound();
    assert_int_equal(listen_file_take(&f, &a, &err), 0);
    assert_int_equal(unlink(path), 0);
    int other = bound();
    listen_file_remove(&f);
    assert_int_equal(access(path, F_OK), 0);
    listen_file_done(&f);
    (void)close(fd);
    (void)close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_what_nobody_serves_is_removed), TEST(a_full_queue_is_somebody_too),
        TEST(other_files_are_never_touched),      TEST(it_gets_its_mode_and_owner),
        TEST(another_file_of_that_name_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
