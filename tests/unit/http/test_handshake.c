/* TLS handshakes that wait. What is spoken in them is test_tls_session.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/server_bed.h"
#include "http/server_internal.h"
#include "support/tls_files.h"

enum { SECOND = 1000 };

static struct tls_files server;
static int tls_fd;
static unsigned tls_port;
static char refused[128];

static void on_refused(void *ctx UNUSED, const char *peer, const char *why)
{
    assert_true(strncmp(peer, "127.0.0.1:", 10) == 0);
    (void)snprintf(refused, sizeof(refused), "%s", why);
}

static int setup(void **state)
{
    static struct http_handler handler;
    struct error err;
    enum tls_part culprit;
    (void)bed_setup(state);
    http_server_free(bed.server);
    const struct text pem[TLS_PARTS] = {text_of(server.cert_pem), text_of(server.key_pem)};
    handler = bed_handler;
    handler.on_refused = on_refused;
    refused[0] = '\0';
    bed.config.tls = tls_identity_new(pem, TLS_CLIENT_MAY, &culprit, &err);
    bed.server = http_server_new(bed.loop, &bed.config, &handler, &bed, &err);
    tls_identity_unref(bed.config.tls);
    bed.config.tls = NULL;
    tls_fd = wire_listen(&tls_port);
    const struct http_socket sockets[] = {{.fd = bed.fd}, {.fd = tls_fd, .tls = true}};
    assert_int_equal(http_server_listen_only(bed.server, sockets, 2, &err), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)close(tls_fd);
    return bed_teardown(state);
}

static int setup_files(void **state UNUSED)
{
    tls_files_make(&server, &(struct tls_files_wish){.name = "server"});
    return 0;
}

static int teardown_files(void **state UNUSED)
{
    tls_files_done(&server);
    return 0;
}

static const struct client *only_client(void)
{
    assert_int_equal(http_server_connections(bed.server), 1);
    return CONTAINER_OF(bed.server->clients.next, struct client, link);
}

static void let_pass(int64_t ms)
{
    wire_clock_advance(ms);
    bed_settle();
}

static void who_waits_costs_nothing(void **state UNUSED)
{
    struct wire client;
    wire_connect(&client, tls_port);
    AWAIT(http_server_connections(bed.server) == 1);
    wire_say_bytes(&client, "\x16\3\1", 3);
    AWAIT(only_client()->tls.heard);
    AWAIT(only_client()->handshake_naps);
    bed_settle();
    assert_true(only_client()->handshake_naps);
    assert_true(list_empty(&bed.server->handshakes));
    assert_int_equal(bed.server->runs, 0);
    wire_close(&client);
    AWAIT(http_server_connections(bed.server) == 0);
}

static void it_may_take_no_longer_than_a_head(void **state UNUSED)
{
    struct wire client;
    wire_connect(&client, tls_port);
    wire_say_bytes(&client, "\x16\3\1", 3);
    AWAIT(http_server_connections(bed.server) == 1 && only_client()->handshake_naps);
    let_pass(9 * SECOND);
    assert_int_equal(http_server_connections(bed.server), 1);
    let_pass(2 * SECOND);
    AWAIT(http_server_connections(bed.server) == 0);
    assert_string_equal(refused, "the handshake took longer than header_timeout");
    wire_close(&client);
}

static void plain_http_is_answered_and_told(void **state UNUSED)
{
    struct wire client;
    wire_connect(&client, tls_port);
    wire_say(&client, BED_GET);
    wire_await(&client, "This port speaks TLS");
    wire_await_end(&client);
    assert_non_null(strstr(refused, "plain HTTP"));
    assert_int_equal(bed.count, 0);
    wire_close(&client);
}

static void a_probe_is_not_told_of(void **state UNUSED)
{
    struct wire client;
    wire_connect(&client, tls_port);
    AWAIT(http_server_connections(bed.server) == 1);
    wire_close(&client);
    AWAIT(http_server_connections(bed.server) == 0);
    assert_string_equal(refused, "");
}

static void plain_clients_are_served_beside(void **state UNUSED)
{
    struct wire waiting[10], client;
    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
        wire_connect(&waiting[i], tls_port);
        wire_say_bytes(&waiting[i], "\x16", i % 2);
    }
    AWAIT(http_server_connections(bed.server) == ARRAY_SIZE(waiting));
    bed.at_body_end = bed_answer;
    bed_connect(&client);
    wire_say(&client, BED_GET);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    wire_close(&client);
    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
        wire_close(&waiting[i]);
    AWAIT(http_server_connections(bed.server) == 0);
}

static void the_server_may_go_meanwhile(void **state UNUSED)
{
    struct wire client;
    wire_connect(&client, tls_port);
    wire_say_bytes(&client, "\x16\3\1", 3);
    AWAIT(http_server_connections(bed.server) == 1 && only_client()->handshake_naps);
    http_server_free(bed.server);
    bed_start();
    wire_await_end(&client);
    wire_close(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_waits_costs_nothing),         TEST(it_may_take_no_longer_than_a_head),
        TEST(plain_http_is_answered_and_told), TEST(a_probe_is_not_told_of),
        TEST(plain_clients_are_served_beside), TEST(the_server_may_go_meanwhile),
    };
    return cmocka_run_group_tests(tests, setup_files, teardown_files);
}
