#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/connector_bed.h"

enum { MANY = 70 };

/* ---- plain connections ---- */

static void bytes_go_both_ways(void **state UNUSED)
{
    struct attempt a;
    struct wire peer;
    char byte;
    connect_now(&a);
    wire_accept(&peer, bed.fd);
    assert_false(connection_is_tls(a.conn));
    assert_true(connection_fd(a.conn) >= 0);
    assert_int_equal(connection_recv(a.conn, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(connection_send(a.conn, "to", 2), 2);
    wire_expect(&peer, "to");
    wire_say(&peer, "fro");
    expect_bytes(a.conn, "fro");
    wire_close(&peer);
    assert_int_equal(next_recv(a.conn, &byte, 1), 0);
    connection_close(a.conn);
    assert_int_equal(a.calls, 1);
}

static void nothing_is_said_unasked(void **state UNUSED)
{
    struct attempt a;
    struct wire peer;
    connect_now(&a);
    wire_accept(&peer, bed.fd);
    connection_close(a.conn);
    wire_await_end(&peer);
    assert_int_equal(buffer_size(&peer.heard), 0);
    wire_close(&peer);
}

static void a_reset_is_an_error(void **state UNUSED)
{
    struct attempt a;
    struct wire peer;
    char byte;
    connect_now(&a);
    wire_accept(&peer, bed.fd);
    wire_reset(&peer);
    assert_int_equal(next_recv(a.conn, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    (void)signal(SIGPIPE, SIG_DFL); /* it would end the test */
    assert_int_equal(connection_send(a.conn, "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    (void)signal(SIGPIPE, SIG_IGN);
    connection_close(a.conn);
}

static void a_full_socket_says_so(void **state UNUSED)
{
    static char block[1 << 20];
    struct attempt a;
    struct wire peer;
    connect_now(&a);
    wire_accept(&peer, bed.fd);
    ssize_t sent = 0;
    for (int i = 0; i < 100 && sent >= 0; i++)
        sent = connection_send(a.conn, block, sizeof(block));
    assert_int_equal(sent, -1);
    assert_int_equal(errno, EAGAIN);
    connection_close(a.conn);
    wire_close(&peer);
}

static void make_and_close_many(void)
{
    static struct attempt attempts[MANY];
    static struct wire peers[MANY];
    for (size_t i = 0; i < MANY; i++)
        begin(&attempts[i], TIMEOUT_MS);
    for (size_t i = 0; i < MANY; i++) {
        AWAIT(attempts[i].calls > 0);
        assert_int_equal(attempts[i].result, CONNECT_OK);
        wire_accept(&peers[i], bed.fd);
    }
    for (size_t i = 0; i < MANY; i++) {
        connection_close(attempts[i].conn);
        assert_int_equal(attempts[i].calls, 1);
    }
    for (size_t i = 0; i < MANY; i++) {
        wire_await_end(&peers[i]);
        wire_close(&peers[i]);
    }
}

static void each_is_a_connection_of_its_own(void **state UNUSED)
{
    make_and_close_many();
    size_t descriptors = wire_open_descriptors();
    make_and_close_many(); /* in the places of those before */
    assert_int_equal(wire_open_descriptors(), descriptors);
}

static void the_environments_proxy_is_ignored(void **state UNUSED)
{
    struct attempt a;
    struct wire peer;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("all_proxy", "http://127.0.0.1:1", 1), 0);
    connect_now(&a);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("all_proxy"), 0);
    wire_accept(&peer, bed.fd);
    connection_close(a.conn);
    wire_close(&peer);
}

static void a_configured_proxy_is_asked_for_a_tunnel(void **state UNUSED)
{
    struct attempt a;
    struct wire proxy;
    char address[64];
    (void)snprintf(address, sizeof(address), "http://127.0.0.1:%u", bed.port);
    bed.origin = (struct origin){.url = "http://api.example.com:80", .proxy = address};
    assert_int_equal(setenv("no_proxy", "*", 1), 0);
    begin(&a, TIMEOUT_MS);
    wire_accept(&proxy, bed.fd);
    wire_await(&proxy, "\r\n\r\n");
    assert_int_equal(unsetenv("no_proxy"), 0);
    assert_true(wire_has(&proxy, "CONNECT api.example.com:80 HTTP/1.1\r\n"));
    wire_forget(&proxy);
    wire_say(&proxy, "HTTP/1.1 200 Go ahead\r\n\r\n");
    AWAIT(a.calls > 0);
    assert_int_equal(a.result, CONNECT_OK);
    assert_int_equal(connection_send(a.conn, "GET", 3), 3);
    wire_expect(&proxy, "GET");
    connection_close(a.conn);
    wire_close(&proxy);
}

static void use_tls_proxy(char address[64])
{
    (void)snprintf(address, 64, "https://127.0.0.1:%u", bed.port);
    bed.origin = (struct origin){.url = "http://api.example.com:80",
                                 .proxy = address,
                                 .proxy_trusted = ca_store_open(identity.ca_file)};
}

static void a_proxy_may_speak_tls(void **state UNUSED)
{
    struct attempt a;
    struct tls_peer proxy;
    char address[64];
    use_tls_proxy(address);
    begin(&a, TIMEOUT_MS);
    tls_peer_accept(&proxy, bed.fd, &identity);
    tls_peer_expect(&proxy, "CONNECT api.example.com:80 HTTP/1.1\r\n");
    tls_peer_say(&proxy, "HTTP/1.1 200 Go ahead\r\n\r\n");
    AWAIT(a.calls > 0);
    assert_int_equal(a.result, CONNECT_OK);
    assert_true(connection_is_tls(a.conn));
    assert_int_equal(connection_send(a.conn, "to", 2), 2);
    tls_peer_expect(&proxy, "Host: api.example.com:80\r\nProxy-Connection: Keep-Alive\r\n\r\nto");
    tls_peer_say(&proxy, "fro");
    expect_bytes(a.conn, "fro");
    connection_close(a.conn);
    tls_peer_close(&proxy);
    ca_store_unref(bed.origin.proxy_trusted);
}

static void a_proxy_must_be_trusted(void **state UNUSED)
{
    struct attempt a;
    struct tls_peer proxy;
    char address[64];
    use_tls_proxy(address);
    ca_store_unref(bed.origin.proxy_trusted);
    bed.origin.proxy_trusted = ca_store_open(connector_ca_file(NULL)); /* does not know ours */
    begin(&a, TIMEOUT_MS);
    tls_peer_begin(&proxy, bed.fd, &identity);
    AWAIT((SSL_accept(proxy.ssl), a.calls > 0));
    assert_int_not_equal(a.result, CONNECT_OK);
    tls_peer_close(&proxy);
    ca_store_unref(bed.origin.proxy_trusted);
}

/* ---- failures ---- */

static void nobody_there_is_unreachable(void **state UNUSED)
{
    (void)close(bed.fd);
    bed.fd = -1;
    assert_int_equal(try_connecting(TIMEOUT_MS), CONNECT_UNREACHABLE);
}

static void a_silent_tls_peer_is_a_timeout(void **state UNUSED)
{
    use_tls();
    assert_int_equal(try_connecting(50), CONNECT_TIMEOUT);
}

static void another_protocol_is_a_tls_failure(void **state UNUSED)
{
    struct attempt a;
    struct wire peer;
    use_tls();
    begin(&a, TIMEOUT_MS);
    wire_accept(&peer, bed.fd);
    wire_say(&peer, "220 mail.example.com ESMTP\r\n");
    AWAIT(a.calls > 0);
    assert_int_equal(a.result, CONNECT_TLS);
    wire_close(&peer);
}

static void whoever_leaves_is_not_called(void **state UNUSED)
{
    struct attempt a;
    begin(&a, TIMEOUT_MS);
    connection_close(a.conn);
    assert_int_equal(try_connecting(TIMEOUT_MS), CONNECT_OK); /* began later, and is through */
    assert_int_equal(a.calls, 0);
    connection_close(NULL);
}

/* ---- TLS ---- */

static void bytes_go_both_ways_over_tls(void **state UNUSED)
{
    struct attempt a;
    struct tls_peer peer;
    char byte;
    use_tls();
    begin(&a, TIMEOUT_MS);
    tls_peer_accept(&peer, bed.fd, &identity);
    AWAIT(a.calls > 0);
    assert_int_equal(a.result, CONNECT_OK);
    assert_true(connection_is_tls(a.conn));
    assert_int_equal(connection_recv(a.conn, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(connection_send(a.conn, "to", 2), 2);
    tls_peer_expect(&peer, "to");
    tls_peer_say(&peer, "fro");
    expect_bytes(a.conn, "fro");
    tls_peer_finish(&peer);
    assert_int_equal(next_recv(a.conn, &byte, 1), 0);
    connection_close(a.conn);
    tls_peer_close(&peer);
}

static void it_is_known_when_all_was_read_over_tls(void **state UNUSED)
{
    struct attempt a;
    struct tls_peer peer;
    char many[10001], got[sizeof(many)];
    memset(many, 'x', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    use_tls();
    begin(&a, TIMEOUT_MS);
    tls_peer_accept(&peer, bed.fd, &identity);
    AWAIT(a.calls > 0);
    tls_peer_say(&peer, "one");
    expect_bytes(a.conn, "one");
    assert_true(connection_is_drained(a.conn));

    tls_peer_say(&peer, "two");
    tls_peer_say(&peer, "three");
    expect_bytes(a.conn, "two");
    bool together = connection_has_part(a.conn);
    assert_int_equal(connection_is_drained(a.conn), !together);
    expect_bytes(a.conn, "three");
    assert_true(connection_is_drained(a.conn));
    assert_false(connection_has_part(a.conn));

    tls_peer_say(&peer, many); /* so much that the library's buffer might have been full */
    for (size_t have = 0; have < sizeof(many) - 1;) {
        ssize_t more = next_recv(a.conn, got, sizeof(got));
        assert_true(more > 0);
        have += (size_t)more;
    }
    assert_false(connection_is_drained(a.conn));
    assert_int_equal(connection_recv(a.conn, got, sizeof(got)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_true(connection_is_drained(a.conn)); /* finding nothing is the proof */
    connection_close(a.conn);
    tls_peer_close(&peer);
}

static void a_part_of_a_record_is_told(void **state UNUSED)
{
    struct attempt a;
    struct tls_peer peer;
    char byte;
    use_tls();
    begin(&a, TIMEOUT_MS);
    tls_peer_accept(&peer, bed.fd, &identity);
    AWAIT(a.calls > 0);
    tls_peer_say(&peer, "whole");
    expect_bytes(a.conn, "whole");
    const char start[] = {0x17, 0x03, 0x03, 0x00, 0x20, 0x01};
    assert_int_equal(send(peer.wire.fd, start, sizeof(start), MSG_NOSIGNAL), sizeof(start));
    AWAIT(connection_recv(a.conn, &byte, 1) < 0 && errno == EAGAIN && connection_has_part(a.conn));
    assert_false(connection_is_drained(a.conn));
    connection_close(a.conn);
    tls_peer_close(&peer);
}

static void a_cut_is_not_the_end(void **state UNUSED)
{
    struct attempt a;
    struct tls_peer peer;
    char byte;
    use_tls();
    begin(&a, TIMEOUT_MS);
    tls_peer_accept(&peer, bed.fd, &identity);
    AWAIT(a.calls > 0);
    tls_peer_say(&peer, "half");
    tls_peer_close(&peer);
    expect_bytes(a.conn, "half");
    assert_int_equal(next_recv(a.conn, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    connection_close(a.conn);
}

/* The handshake as far as it gets: the client is to break it off. */
static enum connect_result shake_hands(void)
{
    struct attempt a;
    struct tls_peer peer;
    begin(&a, TIMEOUT_MS);
    tls_peer_begin(&peer, bed.fd, &identity);
    AWAIT((SSL_accept(peer.ssl), a.calls > 0));
    if (a.result == CONNECT_OK)
        connection_close(a.conn);
    tls_peer_close(&peer);
    return a.result;
}

static void a_certificate_must_be_trusted(void **state UNUSED)
{
    use_tls();
    assert_int_equal(shake_hands(), CONNECT_OK);
    trust(connector_ca_file(NULL)); /* the system's: it does not know ours */
    assert_int_equal(shake_hands(), CONNECT_TLS);
}

static void a_certificate_must_be_for_that_host(void **state UNUSED)
{
    use_tls();
    (void)snprintf(bed.url, sizeof(bed.url), "https://127.0.0.2:%u", bed.port);
    (void)close(bed.fd);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1),
                                  .sin_port = htons((uint16_t)bed.port)};
    bed.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(bed.fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(bed.fd, 5), 0);
    assert_int_equal(shake_hands(), CONNECT_TLS);
}

static void a_missing_ca_file_is_a_tls_failure(void **state UNUSED)
{
    use_tls();
    trust("/nowhere/ca.pem");
    assert_int_equal(try_connecting(TIMEOUT_MS), CONNECT_TLS);
    ca_store_unref(bed.origin.trusted);
    bed.origin.trusted = NULL;
    assert_int_equal(try_connecting(TIMEOUT_MS), CONNECT_TLS);
}

/* Even where the system's configuration would let it through: begin_all has seen to that. */
static void old_tls_is_refused(void **state UNUSED)
{
    use_tls();
    SSL_CTX_set_security_level(identity.context, 0);
    assert_int_equal(SSL_CTX_set_max_proto_version(identity.context, TLS1_1_VERSION), 1);
    assert_int_equal(shake_hands(), CONNECT_TLS);
    assert_int_equal(SSL_CTX_set_max_proto_version(identity.context, TLS1_2_VERSION), 1);
    assert_int_equal(shake_hands(), CONNECT_OK);
    assert_int_equal(SSL_CTX_set_max_proto_version(identity.context, 0), 1);
}

/* A session is taken up again: the second handshake costs no signature. */
static void sessions_are_shared(void **state UNUSED)
{
    struct attempt a;
    struct tls_peer peer;
    char byte;
    use_tls();
    for (int i = 0; i < 2; i++) {
        begin(&a, TIMEOUT_MS);
        tls_peer_accept(&peer, bed.fd, &identity);
        AWAIT(a.calls > 0);
        assert_int_equal(SSL_session_reused(peer.ssl), i);
        tls_peer_finish(&peer);
        assert_int_equal(next_recv(a.conn, &byte, 1), 0); /* the ticket comes before */
        connection_close(a.conn);
        tls_peer_close(&peer);
    }
}

/* Whoever connects before the next ticket has come, which here is never, resumes the same one. */
static void one_session_serves_many(void **state UNUSED)
{
    struct attempt a[4];
    struct tls_peer peers[4];
    char byte;
    use_tls();
    for (int i = 0; i < 4; i++) {
        begin(&a[i], TIMEOUT_MS);
        tls_peer_accept(&peers[i], bed.fd, &identity);
        AWAIT(a[i].calls > 0);
        assert_int_equal(a[i].result, CONNECT_OK);
        assert_int_equal(SSL_session_reused(peers[i].ssl), i > 0);
        assert_int_equal(connection_recv(a[i].conn, &byte, 1), -1);
        assert_int_equal(SSL_CTX_set_num_tickets(identity.context, 0), 1);
    }
    assert_int_equal(SSL_CTX_set_num_tickets(identity.context, 2), 1);
    for (int i = 0; i < 4; i++) {
        connection_close(a[i].conn);
        tls_peer_close(&peers[i]);
    }
}

/* The same place, but another file says whom to trust: its connections have sessions of their own.
 */
static void sessions_are_not_shared_with_those_who_trust_others(void **state UNUSED)
{
    struct attempt a;
    struct tls_peer peer;
    char byte, copy[] = "/tmp/test-ca-XXXXXX", line[256];
    FILE *from = fopen(identity.ca_file, "r"), *to = fdopen(mkstemp(copy), "w");
    assert_true(from && to);
    while (fgets(line, sizeof(line), from))
        assert_true(fputs(line, to) >= 0);
    assert_int_equal(fclose(from) | fclose(to), 0);
    use_tls();
    for (int i = 0; i < 2; i++) {
        begin(&a, TIMEOUT_MS);
        tls_peer_accept(&peer, bed.fd, &identity);
        AWAIT(a.calls > 0);
        assert_int_equal(a.result, CONNECT_OK);
        assert_int_equal(SSL_session_reused(peer.ssl), 0);
        tls_peer_finish(&peer);
        assert_int_equal(next_recv(a.conn, &byte, 1), 0);
        connection_close(a.conn);
        tls_peer_close(&peer);
        trust(copy);
    }

    to = fopen(copy, "w"); /* now it trusts nobody */
    assert_true(to && fclose(to) == 0);
    assert_int_equal(shake_hands(), CONNECT_OK); /* not before it is opened again */
    trust(copy);
    assert_int_equal(shake_hands(), CONNECT_TLS);
    assert_int_equal(unlink(copy), 0);
}

static void some_ca_file_is_always_named(void **state UNUSED)
{
    assert_string_equal(connector_ca_file("/etc/own.pem"), "/etc/own.pem");
    assert_non_null(connector_ca_file(NULL));
    connector_free(NULL);
    multi_driver_free(NULL);
}

/* OpenSSL reads it once, before its first use. */
static void allow_old_tls(char *path)
{
    static const char lenient[] = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n"
                                  "[c]\nMinProtocol = TLSv1\n"
                                  "CipherString = DEFAULT:@SECLEVEL=0\n";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, lenient, sizeof(lenient) - 1), sizeof(lenient) - 1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(setenv("OPENSSL_CONF", path, 1), 0);
}

static int begin_all(void **state UNUSED)
{
    char path[] = "/tmp/test-openssl-XXXXXX";
    allow_old_tls(path);
    tls_identity_init(&identity);
    assert_int_equal(unlink(path), 0);
    return 0;
}

static int end_all(void **state UNUSED)
{
    tls_identity_done(&identity);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_go_both_ways),
        TEST(nothing_is_said_unasked),
        TEST(a_reset_is_an_error),
        TEST(a_full_socket_says_so),
        TEST(each_is_a_connection_of_its_own),
        TEST(the_environments_proxy_is_ignored),
        TEST(a_configured_proxy_is_asked_for_a_tunnel),
        TEST(a_proxy_may_speak_tls),
        TEST(a_proxy_must_be_trusted),
        TEST(nobody_there_is_unreachable),
        TEST(a_silent_tls_peer_is_a_timeout),
        TEST(another_protocol_is_a_tls_failure),
        TEST(whoever_leaves_is_not_called),
        TEST(bytes_go_both_ways_over_tls),
        TEST(it_is_known_when_all_was_read_over_tls),
        TEST(a_part_of_a_record_is_told),
        TEST(a_cut_is_not_the_end),
        TEST(a_certificate_must_be_trusted),
        TEST(a_certificate_must_be_for_that_host),
        TEST(a_missing_ca_file_is_a_tls_failure),
        TEST(old_tls_is_refused),
        TEST(sessions_are_shared),
        TEST(one_session_serves_many),
        TEST(sessions_are_not_shared_with_those_who_trust_others),
        TEST(some_ca_file_is_always_named),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
