#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/secret_source.h"

static char folder[] = "/tmp/bearerd-secret-XXXXXX";
static char path[128], reference[160];
static struct error warning, err;

static struct secret *resolve(const char *text)
{
    warning.text[0] = err.text[0] = '\0';
    return secret_from_reference(text_of(text), &warning, &err);
}

static void assert_secret(const char *text, const char *expected, const char *warned)
{
    struct secret *s = resolve(text);
    if (!s)
        fail_msg("%s: %s", text, err.text);
    assert_true(secret_equal(s, text_of(expected)));
    if (warned ? !strstr(warning.text, warned) : *warning.text)
        fail_msg("%s warned: %s", text, warning.text);
    secret_unref(s);
}

static void assert_refused(const char *text, const char *reason)
{
    assert_null(resolve(text));
    if (!strstr(err.text, reason))
        fail_msg("%s: \"%s\" lacks \"%s\"", text, err.text, reason);
}

static void write_file(const char *content, size_t size, mode_t mode)
{
    (void)unlink(path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/secret", folder);
    (void)snprintf(reference, sizeof(reference), "file:%s", path);
    return unsetenv("CREDENTIALS_DIRECTORY");
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static void literals(void **state)
{
    (void)state;
    assert_secret("literal:a ; b # c:d", "a ; b # c:d", NULL);
    assert_secret("literal:env:X", "env:X", NULL);
    assert_secret("literal:${HOME}", "${HOME}", NULL);
    assert_secret("literal: x", " x", "begins with a blank");
    assert_refused("literal:", "names nothing");
}

static void bare_texts_are_warned_about(void **state)
{
    (void)state;
    assert_secret("s3cr3t", "s3cr3t", "stands in the file");
    assert_secret("vault:x", "vault:x", "stands in the file");
    assert_refused("evn:X", "env:");
    assert_refused("fil:/x", "file:");
    assert_refused("ENV:X", "env:");
    assert_refused("${SECRET}", "env:NAME");
    assert_null(strstr(err.text, "SECRET"));
}

static void environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("CFG_SECRET", "from outside", 1), 0);
    assert_int_equal(setenv("CFG_EMPTY", "", 1), 0);
    assert_int_equal(unsetenv("CFG_UNSET"), 0);
    assert_secret("env:CFG_SECRET", "from outside", NULL);
    assert_secret("env: CFG_SECRET", "from outside", NULL);
    assert_refused("env:CFG_UNSET", "CFG_UNSET is not set");
    assert_refused("env:CFG_EMPTY", "CFG_EMPTY is empty");
    assert_refused("env:", "NAME");
}

static void files(void **state)
{
    (void)state;
    write_file(" a\n\n", 4, 0600);
    assert_secret(reference, " a\n", NULL);
    write_file("a\r\n", 3, 0600);
    assert_secret(reference, "a", NULL);
    write_file("a\0b", 3, 0600);
    struct secret *s = resolve(reference);
    assert_int_equal(secret_bytes(s).size, 3);
    secret_unref(s);
    write_file("\n", 1, 0600);
    assert_refused(reference, "is empty");
    assert_refused("file:/nonexistent/x", "No such file");
    assert_refused("file:/tmp", "not a regular file");
    assert_refused("file:/dev/null", "not a regular file");
    assert_refused("file:", "PATH");
}

static void files_have_a_limit(void **state)
{
    (void)state;
    char *big = calloc(1, SECRET_FILE_MAX + 1);
    memset(big, 'x', SECRET_FILE_MAX + 1);
    write_file(big, SECRET_FILE_MAX, 0600);
    struct secret *s = resolve(reference);
    assert_int_equal(secret_bytes(s).size, SECRET_FILE_MAX);
    secret_unref(s);
    write_file(big, SECRET_FILE_MAX + 1, 0600);
    assert_refused(reference, "larger than");
    free(big);
}

static void files_for_everybody_are_warned_about(void **state)
{
    (void)state;
    write_file("a", 1, 0644);
    assert_secret(reference, "a", path);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
    assert_secret(reference, "a", NULL);
    /* a neighbour whose name begins the same is another folder */
    char beginning[128];
    (void)snprintf(beginning, sizeof(beginning), "%.*s", (int)strlen(folder) - 1, folder);
    assert_int_equal(mkdir(beginning, 0700), 0);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", beginning, 1), 0);
    assert_secret(reference, "a", path);
    assert_int_equal(rmdir(beginning), 0);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

static void credentials(void **state)
{
    (void)state;
    assert_refused("credential:secret", "CREDENTIALS_DIRECTORY is not set");
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
    write_file("b\n", 2, 0644);
    assert_secret("credential:secret", "b", NULL);
    assert_refused("credential:none", "No such file");
    assert_refused("credential:../x", "slash");
    assert_refused("credential:", "NAME");
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

static void assert_path(const char *text, const char *expected, const char *reason)
{
    err.text[0] = 0;
    char *found = path_from_reference(text_of(text), &err);
    if (expected)
        assert_string_equal(found, expected);
    else
        assert_null(found);
    if (reason && !strstr(err.text, reason))
        fail_msg("%s: \"%s\" lacks \"%s\"", text, err.text, reason);
    free(found);
}

static void paths_may_be_references(void **state)
{
    (void)state;
    assert_path("/a/b:c", "/a/b:c", NULL);
    assert_path("file:/a/b", "/a/b", NULL);
    assert_path("file: /a/b", "/a/b", NULL);
    assert_path("file:", "file:", NULL);
    assert_path("credential:key", NULL, "CREDENTIALS_DIRECTORY is not set");
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "/run/x", 1), 0);
    assert_path("credential:key", "/run/x/key", NULL);
    assert_path("credential:../key", NULL, "slash");
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals),
        cmocka_unit_test(bare_texts_are_warned_about),
        cmocka_unit_test(environment),
        cmocka_unit_test(files),
        cmocka_unit_test(files_have_a_limit),
        cmocka_unit_test(files_for_everybody_are_warned_about),
        cmocka_unit_test(credentials),
        cmocka_unit_test(paths_may_be_references),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
