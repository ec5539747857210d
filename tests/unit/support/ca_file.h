/*
 * ca_file.h - a file with the certificate of an authority, made on the spot. Include after
 * cmocka.h.
 */
#ifndef TESTS_SUPPORT_CA_FILE_H
#define TESTS_SUPPORT_CA_FILE_H

#include <stdlib.h>
#include <unistd.h>

#include "support/tls_files.h"

struct ca_file {
    char path[64];
    struct tls_files authority;
};

static inline void ca_file_write(struct ca_file *f, const char *text)
{
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static inline void ca_file_make(struct ca_file *f, const char *name)
{
    *f = (struct ca_file){.path = "/tmp/test-ca-XXXXXX"};
    tls_files_make(&f->authority, &(struct tls_files_wish){.name = name, .is_ca = true});
    ca_file_write(f, f->authority.cert_pem);
}

/* Puts a copy of `by` in its place, as a package manager does. */
static inline void ca_file_replace(struct ca_file *f, const struct ca_file *by)
{
    struct ca_file copy = {.path = "/tmp/test-ca-XXXXXX"};
    ca_file_write(&copy, by->authority.cert_pem);
    assert_int_equal(rename(copy.path, f->path), 0);
}

static inline void ca_file_done(struct ca_file *f)
{
    (void)unlink(f->path);
    tls_files_done(&f->authority);
}

#endif
