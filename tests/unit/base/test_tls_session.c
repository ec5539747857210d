/* Sessions of GnuTLS as libmicrohttpd makes them, with OpenSSL as the client at the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/tls_session.h"
#include "support/tls_files.h"

static struct tls_files ca, server;

/* Both ends of one connection. */
static struct bed {
    int fds[2]; /* ours, the client's */
    struct tls_identity *identity;
    gnutls_session_t gnutls;
    struct tls_session t;
    SSL_CTX *context;
    SSL *client;
} bed;

static int setup_files(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    tls_files_make(&ca, &(struct tls_files_wish){.name = "authority", .is_ca = true});
    tls_files_make(&server, &(struct tls_files_wish){.name = "server", .issuer = &ca});
    return 0;
}

static int teardown_files(void **state)
{
    (void)state;
    tls_files_done(&ca);
    tls_files_done(&server);
    return 0;
}

static struct tls_identity *identity_of(const struct tls_files *clients, enum tls_client_auth auth)
{
    struct error err;
    enum tls_part culprit;
    const struct text pem[TLS_PARTS] = {text_of(server.cert_pem), text_of(server.key_pem),
                                        clients ? text_of(clients->cert_pem) : TEXT_NONE};
    struct tls_identity *t = tls_identity_new(pem, auth, &culprit, &err);
    assert_non_null(t);
    return t;
}

static void begin_with(struct tls_identity *identity)
{
    bed = (struct bed){.identity = identity};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, bed.fds), 0);
    assert_int_equal(gnutls_init(&bed.gnutls, GNUTLS_SERVER | GNUTLS_NONBLOCK), 0);
    assert_int_equal(gnutls_priority_set_direct(bed.gnutls, tls_priorities, NULL), 0);
    assert_int_equal(tls_session_begin(&bed.t, bed.gnutls, bed.identity, bed.fds[0]), 0);
    bed.context = SSL_CTX_new(TLS_client_method());
    bed.client = SSL_new(bed.context);
    assert_int_equal(SSL_set_fd(bed.client, bed.fds[1]), 1);
    SSL_set_connect_state(bed.client);
}

static void begin(bool asks, enum tls_client_auth auth)
{
    begin_with(identity_of(asks ? &ca : NULL, auth));
}

static void end(void)
{
    if (bed.gnutls)
        gnutls_deinit(bed.gnutls);
    tls_session_done(&bed.t);
    tls_identity_unref(bed.identity);
    SSL_free(bed.client);
    SSL_CTX_free(bed.context);
    (void)close(bed.fds[0]);
    if (bed.fds[1] >= 0)
        (void)close(bed.fds[1]);
}

/* 0, or what GnuTLS says went wrong. */
static int shake_hands(void)
{
    for (int i = 0; i < 100; i++) {
        (void)SSL_do_handshake(bed.client);
        int result = gnutls_handshake(bed.gnutls);
        if (result == 0 || gnutls_error_is_fatal(result))
            return result;
    }
    return GNUTLS_E_TIMEDOUT;
}

static void show(const struct tls_files *f)
{
    assert_int_equal(SSL_use_certificate(bed.client, f->cert), 1);
    assert_int_equal(SSL_use_PrivateKey(bed.client, f->key), 1);
}

/* As libmicrohttpd does it: the session goes, the socket stays for a moment. */
static const char *refusal(void)
{
    gnutls_deinit(bed.gnutls);
    bed.gnutls = NULL;
    return tls_session_refused(&bed.t);
}

static void bytes_go_both_ways(void **state)
{
    (void)state;
    char data[64];
    begin(false, TLS_CLIENT_MAY);
    assert_false(bed.t.established);
    assert_int_equal(shake_hands(), 0);
    assert_true(bed.t.established);
    assert_int_equal(tls_session_recv(&bed.t, data, sizeof(data)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_true(bed.t.read_blocked);
    assert_int_equal(SSL_write(bed.client, "hello world", 11), 11);
    assert_int_equal(tls_session_recv(&bed.t, data, 5), 5);
    assert_memory_equal(data, "hello", 5);
    assert_int_equal(tls_session_pending(&bed.t), 6);
    assert_int_equal(tls_session_recv(&bed.t, data, sizeof(data)), 6);
    assert_int_equal(tls_session_pending(&bed.t), 0);
    assert_int_equal(tls_session_send(&bed.t, "answer", 6), 6);
    assert_int_equal(SSL_read(bed.client, data, sizeof(data)), 6);
    assert_true(tls_session_bye(&bed.t));
    assert_int_equal(SSL_read(bed.client, data, sizeof(data)), 0);
    assert_int_equal(SSL_get_error(bed.client, 0), SSL_ERROR_ZERO_RETURN);
    assert_int_equal(SSL_shutdown(bed.client), 1);
    assert_int_equal(tls_session_recv(&bed.t, data, sizeof(data)), 0);
    end();
}

static void a_full_socket_blocks(void **state)
{
    (void)state;
    static char much[1 << 16];
    ssize_t sent = 0;
    begin(false, TLS_CLIENT_MAY);
    assert_int_equal(shake_hands(), 0);
    for (int i = 0; i < 1000 && sent >= 0; i++)
        sent = tls_session_send(&bed.t, much, sizeof(much));
    assert_int_equal(sent, -1);
    assert_int_equal(errno, EAGAIN);
    assert_true(bed.t.write_blocked);
    assert_false(tls_session_bye(&bed.t));
    end();
}

static void a_cut_connection_is_no_end(void **state)
{
    (void)state;
    char data[16];
    begin(false, TLS_CLIENT_MAY);
    assert_int_equal(shake_hands(), 0);
    (void)close(bed.fds[1]);
    bed.fds[1] = -1;
    assert_int_equal(tls_session_recv(&bed.t, data, sizeof(data)), -1);
    assert_int_equal(errno, ECONNRESET);
    end();
}

static void a_client_is_known_by_its_certificate(void **state)
{
    (void)state;
    char *subject = NULL;
    unsigned char print[TLS_FINGERPRINT_SIZE], expected[EVP_MAX_MD_SIZE];
    struct tls_files shop;
    unsigned size;
    tls_files_make(
        &shop, &(struct tls_files_wish){.name = "shop+1", .issuer = &ca, .usage = "clientAuth"});
    begin(true, TLS_CLIENT_MUST);
    show(&shop);
    assert_int_equal(shake_hands(), 0);
    assert_int_equal(tls_session_peer(&bed.t, &subject, print), 0);
    assert_string_equal(subject, "2.5.4.3=shop\\2b1,2.5.4.10=Test\\2c\\20Inc.");
    assert_int_equal(X509_digest(shop.cert, EVP_sha256(), expected, &size), 1);
    assert_memory_equal(print, expected, sizeof(print));
    free(subject);
    end();
    tls_files_done(&shop);
}

static void without_one_it_depends(void **state)
{
    (void)state;
    char *subject;
    unsigned char print[TLS_FINGERPRINT_SIZE];
    begin(true, TLS_CLIENT_MAY);
    assert_int_equal(shake_hands(), 0);
    assert_int_equal(tls_session_peer(&bed.t, &subject, print), -1);
    end();
    begin(true, TLS_CLIENT_MUST);
    assert_int_not_equal(shake_hands(), 0);
    assert_non_null(strstr(refusal(), "has shown no certificate"));
    end();
}

static void assert_not_let_in(const struct tls_files_wish *wish, const char *words)
{
    for (int auth = TLS_CLIENT_MAY; auth <= TLS_CLIENT_MUST; auth++) {
        struct tls_files f;
        tls_files_make(&f, wish);
        begin(true, (enum tls_client_auth)auth);
        show(&f);
        assert_int_not_equal(shake_hands(), 0);
        const char *why = refusal();
        assert_non_null(why);
        if (!strstr(why, words))
            fail_msg("%s", why);
        end();
        tls_files_done(&f);
    }
}

static void bad_certificates_are_refused(void **state)
{
    (void)state;
    assert_not_let_in(&(struct tls_files_wish){.name = "stranger"}, "tls_client_ca does not name");
    assert_not_let_in(
        &(struct tls_files_wish){.name = "old", .issuer = &ca, .from_hours = -9, .until_hours = -8},
        "has expired");
    assert_not_let_in(
        &(struct tls_files_wish){.name = "young", .issuer = &ca, .from_hours = 8, .until_hours = 9},
        "not valid yet");
    assert_not_let_in(
        &(struct tls_files_wish){.name = "server", .issuer = &ca, .usage = "serverAuth"},
        "not made for clients");
}

/* What the client gets to read in the end. */
static void assert_answered(const char *said, size_t said_size, const char *why, const char *answer,
                            size_t answer_size)
{
    char got[512];
    begin(false, TLS_CLIENT_MAY);
    assert_int_equal(write(bed.fds[1], said, said_size), said_size);
    int result = gnutls_handshake(bed.gnutls);
    assert_true(result < 0 && result != GNUTLS_E_AGAIN);
    const char *reason = refusal();
    assert_non_null(reason);
    if (!strstr(reason, why))
        fail_msg("%s", reason);
    ssize_t size = read(bed.fds[1], got, sizeof(got));
    assert_true(size >= (ssize_t)answer_size);
    assert_memory_equal(got, answer, answer_size);
    end();
}

static void what_is_no_tls_gets_an_answer(void **state)
{
    (void)state;
    static const char http[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                      hello[] = "\x16\3\1\0\4\1\0\0\0", expected[] = "HTTP/1.1 400 Bad Request\r\n",
                      alert[] = "\x15\3\3\0\2\2\x28";
    assert_answered(http, sizeof(http) - 1, "plain HTTP", expected, sizeof(expected) - 1);
    assert_answered(hello, sizeof(hello) - 1, "no TLS version", alert, sizeof(alert) - 1);
}

static void who_says_nothing_is_no_news(void **state)
{
    (void)state;
    begin(false, TLS_CLIENT_MAY);
    assert_int_equal(gnutls_handshake(bed.gnutls), GNUTLS_E_AGAIN);
    tls_session_give_up(&bed.t, "too late");
    assert_null(refusal());
    end();
    begin(false, TLS_CLIENT_MAY);
    assert_int_equal(write(bed.fds[1], "\x16", 1), 1);
    assert_int_equal(gnutls_handshake(bed.gnutls), GNUTLS_E_AGAIN);
    tls_session_give_up(&bed.t, "too late");
    assert_string_equal(refusal(), "too late");
    end();
}

/* ---- once more, when the identity is another ---- */

static enum tls_standing standing_by(const struct tls_files *clients, enum tls_client_auth auth)
{
    struct tls_identity *now = identity_of(clients, auth);
    enum tls_standing s = tls_session_standing(&bed.t, now);
    assert_ptr_equal(bed.t.identity, now);
    tls_identity_unref(now);
    return s;
}

static void a_new_identity_judges_anew(void **state)
{
    (void)state;
    struct tls_files shop, other;
    tls_files_make(&other, &(struct tls_files_wish){.name = "other", .is_ca = true});
    tls_files_make(&shop, &(struct tls_files_wish){.name = "shop", .issuer = &ca});
    begin(true, TLS_CLIENT_MAY);
    show(&shop);
    assert_int_equal(shake_hands(), 0);
    assert_int_equal(tls_session_standing(&bed.t, bed.identity), TLS_HAS_CERTIFICATE);
    assert_int_equal(standing_by(&ca, TLS_CLIENT_MUST), TLS_HAS_CERTIFICATE);
    assert_int_equal(standing_by(&other, TLS_CLIENT_MAY), TLS_NO_CERTIFICATE);
    assert_int_equal(standing_by(NULL, TLS_CLIENT_MUST), TLS_NO_CERTIFICATE);
    assert_int_equal(standing_by(&ca, TLS_CLIENT_MAY), TLS_HAS_CERTIFICATE);
    assert_null(bed.t.why);
    assert_int_equal(standing_by(&other, TLS_CLIENT_MUST), TLS_MUST_GO);
    assert_non_null(strstr(refusal(), "an authority that tls_client_ca does not name"));
    end();
    tls_files_done(&shop);
    tls_files_done(&other);
}

static void who_showed_none_goes_once_one_is_wanted(void **state)
{
    (void)state;
    begin(false, TLS_CLIENT_MUST);
    assert_int_equal(shake_hands(), 0);
    assert_int_equal(tls_session_standing(&bed.t, bed.identity), TLS_NO_CERTIFICATE);
    assert_int_equal(standing_by(NULL, TLS_CLIENT_MUST), TLS_NO_CERTIFICATE);
    assert_int_equal(standing_by(&ca, TLS_CLIENT_MAY), TLS_NO_CERTIFICATE);
    assert_int_equal(standing_by(&ca, TLS_CLIENT_MUST), TLS_MUST_GO);
    assert_non_null(strstr(refusal(), "has shown no certificate"));
    end();
}

static int minutes_later;

static time_t shifted_time(time_t *ret)
{
    time_t then = time(NULL) + minutes_later * 60L;
    if (ret)
        *ret = then;
    return then;
}

/* Its session is good for longer than the certificate that it began with. */
static void a_resumed_session_does_not_outlive_its_certificate(void **state)
{
    (void)state;
    struct tls_files shop;
    tls_files_make(&shop, &(struct tls_files_wish){.name = "shop", .issuer = &ca});
    minutes_later = 45;
    gnutls_global_set_time_function(shifted_time);
    begin(true, TLS_CLIENT_MUST);
    show(&shop);
    /* a ticket of 1.3 has the client's idea of its age, which no hook can change */
    assert_int_equal(SSL_set_max_proto_version(bed.client, TLS1_2_VERSION), 1);
    assert_int_equal(shake_hands(), 0);
    assert_int_equal(SSL_do_handshake(bed.client), 1); /* it has not heard of the end so far */
    SSL_SESSION *session = SSL_get1_session(bed.client);
    (void)SSL_shutdown(bed.client); /* else it is not to be used again */
    struct tls_identity *identity = tls_identity_ref(bed.identity);
    end();
    for (int later = 0; later < 2; later++) {
        begin_with(tls_identity_ref(identity));
        assert_int_equal(SSL_set_max_proto_version(bed.client, TLS1_2_VERSION), 1);
        assert_int_equal(SSL_set_session(bed.client, session), 1);
        minutes_later = later ? 75 : 45; /* it is good for an hour */
        assert_int_equal(shake_hands(), 0);
        assert_true(gnutls_session_is_resumed(bed.gnutls));
        assert_int_equal(tls_session_standing(&bed.t, bed.identity),
                         later ? TLS_MUST_GO : TLS_HAS_CERTIFICATE);
        (void)SSL_do_handshake(bed.client);
        (void)SSL_shutdown(bed.client);
        end();
    }
    gnutls_global_set_time_function(time);
    SSL_SESSION_free(session);
    tls_identity_unref(identity);
    tls_files_done(&shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways),
        cmocka_unit_test(a_full_socket_blocks),
        cmocka_unit_test(a_cut_connection_is_no_end),
        cmocka_unit_test(a_client_is_known_by_its_certificate),
        cmocka_unit_test(a_new_identity_judges_anew),
        cmocka_unit_test(who_showed_none_goes_once_one_is_wanted),
        cmocka_unit_test(a_resumed_session_does_not_outlive_its_certificate),
        cmocka_unit_test(without_one_it_depends),
        cmocka_unit_test(bad_certificates_are_refused),
        cmocka_unit_test(what_is_no_tls_gets_an_answer),
        cmocka_unit_test(who_says_nothing_is_no_news),
    };
    return cmocka_run_group_tests(tests, setup_files, teardown_files);
}
