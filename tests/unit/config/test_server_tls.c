#include "config_testing.h"

#include <sys/stat.h>
#include <unistd.h>

#include "support/tls_files.h"

static char folder[] = "/tmp/test-server-tls-XXXXXX";
static struct tls_files server, other;

static void write_file(const char *name, const char *contents)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(contents, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    tls_files_make(&server, &(struct tls_files_wish){.name = "server"});
    tls_files_make(&other,
                   &(struct tls_files_wish){.name = "other", .from_hours = -2, .until_hours = -1});
    write_file("cert", server.cert_pem);
    write_file("key", server.key_pem);
    write_file("old-cert", other.cert_pem);
    write_file("old-key", other.key_pem);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {"cert", "key", "old-cert", "old-key"};
    char path[96];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    tls_files_done(&server);
    tls_files_done(&other);
    return rmdir(folder);
}

/* Loads with these keys of [server]; each @ stands for the folder. */
static struct loaded load_with(const char *lines)
{
    char text[4096] = "[server]\n";
    size_t size = strlen(text);
    for (const char *at = lines; *at && size < sizeof(text) - 1024; at++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, *at == '@' ? "%s" : "%.1s",
                                 *at == '@' ? folder : at);
    (void)snprintf(text + size, sizeof(text) - size, "\n" PROVIDER ROUTE);
    return load(text);
}

static void assert_told_by(const char *lines, bool sound, const char *words)
{
    struct loaded l = load_with(lines);
    assert_true((l.config != NULL) == sound);
    assert_told(&l, words);
    unload(&l);
}

static void an_identity_is_made_of_the_files(void **state)
{
    (void)state;
    struct loaded l = load_with("tls_cert = @/cert\ntls_key = @/key\ntls_client_ca = @/cert");
    assert_non_null(l.config);
    assert_int_equal(l.messages.count, 0);
    assert_non_null(l.config->server.tls);
    unload(&l);
    l = load_with("");
    assert_null(l.config->server.tls);
    unload(&l);
}

static void mistakes_name_their_key(void **state)
{
    (void)state;
    assert_told_by("tls_cert = @/cert", false, "t.ini:2: [server] tls_cert: it needs tls_key");
    assert_told_by("tls_key = @/key", false, "t.ini:2: [server] tls_key: it needs tls_cert");
    assert_told_by("tls_client_ca = @/cert", false, "[server] tls_client_ca: only TLS has");
    assert_told_by("tls_cert = @/cert\ntls_key = @/old-key", false,
                   "t.ini:3: [server] tls_key: /tmp/");
    assert_told_by("tls_cert = @/key\ntls_key = @/key", false, "t.ini:2: [server] tls_cert: /tmp/");
    assert_told_by("tls_cert = @/cert\ntls_key = @/none", false, "cannot be read");
}

static void warnings_do_no_harm(void **state)
{
    (void)state;
    char path[96];
    assert_told_by("tls_cert = @/old-cert\ntls_key = @/old-key", true, "the certificate expired");
    assert_told_by("tls_cert = @/cert\ntls_key = @/key\nlisten = unix:/x, 127.0.0.1:1 plain", true,
                   "no listener speaks TLS");
    (void)snprintf(path, sizeof(path), "%s/key", folder);
    assert_int_equal(chmod(path, 0604), 0);
    assert_told_by("tls_cert = @/cert\ntls_key = @/key", true, "everybody may read");
    assert_int_equal(chmod(path, 0600), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_identity_is_made_of_the_files),
        cmocka_unit_test(mistakes_name_their_key),
        cmocka_unit_test(warnings_do_no_harm),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
