/*
 * capture.h - runs a command and keeps what it wrote; a configuration file for it to read.
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_CAPTURE_H
#define TESTS_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"

enum { CAPTURE_SIZE = 32 * 1024 };

struct capture {
    char folder[32], config[64], out_path[64], errors_path[64];
    char out[CAPTURE_SIZE], errors[CAPTURE_SIZE];
    int saved[2];
};

static inline void capture_open(struct capture *c, const char *ini)
{
    *c = (struct capture){.folder = "/tmp/bearerd-cli-XXXXXX"};
    assert_non_null(mkdtemp(c->folder));
    (void)snprintf(c->config, sizeof(c->config), "%s/bearerd.ini", c->folder);
    (void)snprintf(c->out_path, sizeof(c->out_path), "%s/out", c->folder);
    (void)snprintf(c->errors_path, sizeof(c->errors_path), "%s/errors", c->folder);
    FILE *file = fopen(c->config, "w");
    assert_non_null(file);
    assert_true(fputs(ini, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline void capture_close(struct capture *c)
{
    (void)unlink(c->config);
    (void)unlink(c->out_path);
    (void)unlink(c->errors_path);
    assert_int_equal(rmdir(c->folder), 0);
}

static inline int capture_redirect(FILE *stream, const char *path)
{
    (void)fflush(stream);
    int saved = dup(fileno(stream));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(dup2(fileno(file), fileno(stream)) >= 0);
    (void)fclose(file);
    return saved;
}

static inline void capture_restore(FILE *stream, int saved, const char *path, char *text)
{
    (void)fflush(stream);
    assert_true(dup2(saved, fileno(stream)) >= 0);
    (void)close(saved);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, CAPTURE_SIZE - 1, file)] = '\0';
    (void)fclose(file);
}

/* Between these two, what is written goes to c->out and c->errors. */
static inline void capture_begin(struct capture *c)
{
    c->saved[0] = capture_redirect(stdout, c->out_path);
    c->saved[1] = capture_redirect(stderr, c->errors_path);
}

static inline void capture_end(struct capture *c)
{
    capture_restore(stdout, c->saved[0], c->out_path, c->out);
    capture_restore(stderr, c->saved[1], c->errors_path, c->errors);
}

static inline void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is missing in:\n%s", part, text);
}

static inline void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" must not be in:\n%s", part, text);
}

/* Errors are told in one line. */
static inline void assert_one_line(const char *text)
{
    const char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_string_equal(end, "\n");
}

#endif
