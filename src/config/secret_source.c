#include "config/secret_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "config/suggest.h"

static struct secret *new_secret(struct text bytes, struct error *err)
{
    struct secret *s = secret_new(bytes);
    if (!s)
        (void)error_set(err, "out of memory");
    return s;
}

static struct secret *from_environment(const char *name, struct error *err)
{
    const char *value = getenv(name);
    if (!value)
        (void)error_set(err, "the environment variable %s is not set; export it before the start",
                        name);
    else if (!*value)
        (void)error_set(err, "the environment variable %s is empty", name);
    else
        return new_secret(text_of(value), err);
    return NULL;
}

/* True when the resolved path lies below the folder. */
static bool lies_below(const char *path, const char *folder)
{
    char resolved[PATH_MAX];
    if (!folder || !*folder || !realpath(folder, resolved))
        return false;
    struct text f = text_of(resolved);
    return text_starts_with(text_of(path), f) && path[f.size] == '/';
}

static bool is_secret_mount(const char *path)
{
    char resolved[PATH_MAX];
    return realpath(path, resolved) &&
           (lies_below(resolved, "/run/secrets") || lies_below(resolved, "/var/run/secrets") ||
            lies_below(resolved, getenv("CREDENTIALS_DIRECTORY")));
}

static int read_bytes(int fd, const char *path, struct buffer *out, struct error *err)
{
    for (;;) {
        char *place = buffer_reserve(out, 4096);
        if (!place)
            return error_set(err, "%s is larger than %d bytes; is it the right file?", path,
                             SECRET_FILE_MAX);
        ssize_t size = read(fd, place, 4096);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return error_set(err, "%s cannot be read: %s", path, strerror(errno));
        if (size == 0)
            return 0;
        buffer_written(out, (size_t)size);
    }
}

static struct text without_line_end(struct text t)
{
    if (t.size > 0 && t.at[t.size - 1] == '\n') {
        t.size--;
        if (t.size > 0 && t.at[t.size - 1] == '\r')
            t.size--;
    }
    return t;
}

static struct secret *from_descriptor(int fd, const char *path, struct error *warning,
                                      struct error *err)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        (void)error_set(err, "%s is not a regular file", path);
        return NULL;
    }
    if ((status.st_mode & S_IROTH) && !is_secret_mount(path))
        (void)error_set(warning, "everybody may read %s; run chmod o-r on it", path);
    struct buffer bytes;
    buffer_init_secret(&bytes, SECRET_FILE_MAX + 4096);
    struct secret *s = NULL;
    if (read_bytes(fd, path, &bytes, err) == 0) {
        struct text content = without_line_end(buffer_text(&bytes));
        if (content.size == 0)
            (void)error_set(err, "%s is empty", path);
        else
            s = new_secret(content, err);
    }
    buffer_done(&bytes);
    return s;
}

struct secret *secret_from_file(const char *path, struct error *warning, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int why = errno;
        (void)error_set(err, "%s cannot be read: %s; %s", path, strerror(why),
                        why == EACCES ? "let bearerd's user read it" : "check the path");
        return NULL;
    }
    struct secret *s = from_descriptor(fd, path, warning, err);
    (void)close(fd);
    return s;
}

static char *path_of_credential(const char *name, struct error *err)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char *path = NULL;
    if (!folder || !*folder)
        (void)error_set(err,
                        "$CREDENTIALS_DIRECTORY is not set; systemd sets it for "
                        "LoadCredential=%s:PATH",
                        name);
    else if (strchr(name, '/'))
        (void)error_set(err, "a credential's name has no slash; use file:PATH for a path");
    else if (asprintf(&path, "%s/%s", folder, name) < 0) {
        (void)error_set(err, "out of memory");
        path = NULL;
    }
    return path;
}

static struct secret *from_credential(const char *name, struct error *err)
{
    char *path = path_of_credential(name, err);
    struct secret *s = path ? secret_from_file(path, NULL, err) : NULL;
    free(path);
    return s;
}

char *path_from_reference(struct text reference, struct error *err)
{
    struct text rest;
    struct text scheme = text_cut(reference, ':', &rest);
    bool credential = text_equal(scheme, TEXT("credential"));
    bool has_scheme = rest.size > 0 && (credential || text_equal(scheme, TEXT("file")));
    char *argument = text_dup(has_scheme ? text_trim(rest) : reference);
    if (!argument)
        (void)error_set(err, "out of memory");
    if (!argument || !has_scheme || !credential)
        return argument;
    char *path = path_of_credential(argument, err);
    free(argument);
    return path;
}

/* A misspelled `env:` must not become the secret. */
static int refuse_slip(struct text bare, struct error *err)
{
    struct text rest;
    struct text scheme = text_cut(bare, ':', &rest);
    if (text_starts_with(bare, TEXT("${")) && bare.at[bare.size - 1] == '}')
        return error_set(err, "${…} is not replaced in secrets; write env:NAME");
    if (scheme.size == bare.size)
        return 0;
    struct suggestion nearest;
    suggestion_init(&nearest, scheme);
    suggestion_offer(&nearest, "env");
    suggestion_offer(&nearest, "file");
    suggestion_offer(&nearest, "credential");
    suggestion_offer(&nearest, "literal");
    if (nearest.best)
        return error_set(err,
                         "this looks like a misspelled %s:; write that, or literal:TEXT for a "
                         "secret that begins so",
                         nearest.best);
    return 0;
}

static struct secret *from_bare(struct text bare, struct error *warning, struct error *err)
{
    if (refuse_slip(bare, err) != 0)
        return NULL;
    (void)error_set(warning, "the secret stands in the file; write env:NAME or file:PATH, or "
                             "literal:… if it may stay there");
    return new_secret(bare, err);
}

struct secret *secret_from_reference(struct text reference, struct error *warning,
                                     struct error *err)
{
    struct text rest;
    struct text scheme = text_cut(reference, ':', &rest);
    bool has_scheme = scheme.size < reference.size;
    if (has_scheme && rest.size > 0 && text_equal(scheme, TEXT("literal"))) {
        if (rest.at[0] == ' ')
            (void)error_set(warning, "the secret begins with a blank; write literal:TEXT without "
                                     "one if that is a slip");
        return new_secret(rest, err);
    }
    bool env = text_equal(scheme, TEXT("env"));
    bool file = text_equal(scheme, TEXT("file"));
    bool credential = text_equal(scheme, TEXT("credential"));
    bool literal = text_equal(scheme, TEXT("literal"));
    if (!has_scheme || (!env && !file && !credential && !literal))
        return from_bare(reference, warning, err);

    char *argument = text_dup(text_trim(rest)); /* empty for literal: */
    struct secret *s = NULL;
    if (!argument)
        (void)error_set(err, "out of memory");
    else if (!*argument)
        (void)error_set(err, "%.*s: names nothing; write %.*s:%s", TEXT_ARG(scheme),
                        TEXT_ARG(scheme),
                        file      ? "PATH"
                        : literal ? "TEXT"
                                  : "NAME");
    else
        s = env    ? from_environment(argument, err)
            : file ? secret_from_file(argument, warning, err)
                   : from_credential(argument, err);
    free(argument);
    return s;
}
