/*
 * store_testing.h - what the tests of the file store share: a folder that goes away, names, keys.
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_STORE_TESTING_H
#define TESTS_STORE_TESTING_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "oauth/store_disk.h"
#include "oauth/token_seal.h"

/* 32 bytes each: all zeros, all ones. */
#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "//////////////////////////////////////////8="

struct test_folder {
    char path[64];
    char file[96]; /* of the store */
};

static inline void test_folder_open(struct test_folder *f)
{
    (void)snprintf(f->path, sizeof(f->path), "/tmp/test-store-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    (void)snprintf(f->file, sizeof(f->file), "%s/tokens", f->path);
    log_configure(LOG_ERROR, LOG_TEXT);
}

/* How many files begin with that. */
static inline int test_folder_count(const struct test_folder *f, const char *begin)
{
    int count = 0;
    DIR *dir = opendir(f->path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        count += strncmp(e->d_name, begin, strlen(begin)) == 0;
    (void)closedir(dir);
    return count;
}

static inline void test_folder_close(struct test_folder *f)
{
    char path[512];
    DIR *dir = opendir(f->path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        (void)snprintf(path, sizeof(path), "%s/%s", f->path, e->d_name);
        (void)unlink(path);
    }
    (void)closedir(dir);
    assert_int_equal(rmdir(f->path), 0);
}

static inline struct store_name name_number(unsigned i)
{
    struct store_name name = {{0}};
    name.bytes[0] = (unsigned char)(i >> 8);
    name.bytes[1] = (unsigned char)i;
    name.bytes[STORE_NAME_SIZE - 1] = 7;
    return name;
}

static inline struct token_seal *seal_of_key(const char *key)
{
    struct secret *secret = secret_new(text_of(key));
    struct token_seal *s = token_seal_new(secret, NULL, NULL);
    assert_non_null(s);
    secret_unref(secret);
    return s;
}

static inline void put_file(const char *path, struct text bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.at, bytes.size), bytes.size);
    assert_int_equal(close(fd), 0);
}

#endif
