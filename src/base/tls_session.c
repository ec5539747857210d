#include "base/tls_session.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/subject_name.h"
#include "base/tls_internal.h"

enum { ALERT_BYTES = 7, DRAIN_SIZE = 4096, DRAINS = 16 };

/* ---- the way to the socket ---- */

static ssize_t pull(gnutls_transport_ptr_t transport, void *data, size_t size)
{
    struct tls_session *t = transport;
    ssize_t got = recv(t->fd, data, size, MSG_DONTWAIT);
    t->read_blocked = got < 0 && errno == EAGAIN;
    if (got > 0 && !t->heard) {
        t->heard = true;
        t->first = *(const unsigned char *)data;
    }
    if (got < 0)
        gnutls_transport_set_errno(t->gnutls, errno);
    return got;
}

static ssize_t push(gnutls_transport_ptr_t transport, const giovec_t *pieces, int count)
{
    struct tls_session *t = transport;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces,
                             .msg_iovlen = (size_t)count};
    ssize_t sent = sendmsg(t->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    t->write_blocked = sent < 0 && errno == EAGAIN;
    t->spoke |= sent > 0;
    if (sent < 0)
        gnutls_transport_set_errno(t->gnutls, errno);
    return sent;
}

/* ---- the handshake ---- */

static void note(struct tls_session *t, const char *why)
{
    if (!t->why)
        t->why = why;
}

static void refuse(struct tls_session *t, gnutls_alert_description_t alert, const char *why)
{
    note(t, why);
    (void)gnutls_alert_send(t->gnutls, GNUTLS_AL_FATAL, alert);
}

struct verdict {
    gnutls_alert_description_t alert;
    const char *why;
};

static const struct verdict holds;

/* What the session's identity says of the certificate; one that was not shown holds. */
static struct verdict judge(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned status = 0, count = 0;
    if (!gnutls_certificate_get_peers(session, &count))
        return holds;
    int failed = gnutls_certificate_verify_peers(session, &purpose, 1, &status);
    if (failed == 0 && status == 0)
        return holds;
    if (failed == 0 && (status & GNUTLS_CERT_EXPIRED))
        return (struct verdict){GNUTLS_A_CERTIFICATE_EXPIRED,
                                "the client's certificate has expired"};
    if (failed == 0 && (status & GNUTLS_CERT_NOT_ACTIVATED))
        return (struct verdict){GNUTLS_A_BAD_CERTIFICATE,
                                "the client's certificate is not valid yet"};
    if (failed == 0 && (status & GNUTLS_CERT_SIGNER_NOT_FOUND))
        return (struct verdict){
            GNUTLS_A_UNKNOWN_CA,
            "the client's certificate is of an authority that tls_client_ca does not name"};
    if (failed == 0 && (status & GNUTLS_CERT_PURPOSE_MISMATCH))
        return (struct verdict){GNUTLS_A_UNSUPPORTED_CERTIFICATE,
                                "the client's certificate is not made for clients"};
    return (struct verdict){GNUTLS_A_BAD_CERTIFICATE, "the client's certificate does not hold"};
}

int tls_session_verify(gnutls_session_t session)
{
    struct verdict v = judge(session); /* who must show one is refused by on_message */
    if (!v.why)
        return 0;
    refuse(gnutls_transport_get_ptr(session), v.alert, v.why);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

/* An empty list of certificates; TLS 1.3 has a byte more, the length of an empty context. */
static bool is_empty_list(const gnutls_datum_t *message)
{
    for (unsigned i = 0; i < message->size; i++)
        if (message->data[i] != 0)
            return false;
    return message->size <= 4;
}

static int on_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                      const gnutls_datum_t *message)
{
    struct tls_session *t = gnutls_transport_get_ptr(session);
    if (!incoming)
        return 0;
    if (type == GNUTLS_HANDSHAKE_FINISHED && when == GNUTLS_HOOK_POST)
        t->established = true;
    if (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT && when == GNUTLS_HOOK_PRE &&
        t->identity->auth == TLS_CLIENT_MUST && is_empty_list(message)) {
        refuse(t,
               gnutls_protocol_get_version(session) == GNUTLS_TLS1_3 ? GNUTLS_A_CERTIFICATE_REQUIRED
                                                                     : GNUTLS_A_HANDSHAKE_FAILURE,
               "the client has shown no certificate");
        return GNUTLS_E_NO_CERTIFICATE_FOUND;
    }
    return 0;
}

/* Who offers protocols, but none of these, means another server (RFC 7301 3.2). */
static int offer_protocols(gnutls_session_t gnutls)
{
    static char names[][9] = {"http/1.1", "http/1.0"};
    const gnutls_datum_t protocols[] = {{(unsigned char *)names[0], 8},
                                        {(unsigned char *)names[1], 8}};
    return gnutls_alpn_set_protocols(gnutls, protocols, ARRAY_SIZE(protocols),
                                     GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE);
}

int tls_session_begin(struct tls_session *t, void *gnutls, struct tls_identity *identity, int fd)
{
    *t = (struct tls_session){.gnutls = gnutls, .identity = tls_identity_ref(identity), .fd = fd};
    if (gnutls_credentials_set(gnutls, GNUTLS_CRD_CERTIFICATE, identity->credentials) ||
        gnutls_session_ticket_enable_server(gnutls, &identity->ticket_key) ||
        offer_protocols(gnutls))
        return -1;
    gnutls_transport_set_ptr(gnutls, t);
    gnutls_transport_set_pull_function(gnutls, pull);
    gnutls_transport_set_vec_push_function(gnutls, push);
    gnutls_handshake_set_hook_function(gnutls, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, on_message);
    gnutls_certificate_server_set_request(gnutls, !identity->asks_clients ? GNUTLS_CERT_IGNORE
                                                  : identity->auth == TLS_CLIENT_MUST
                                                      ? GNUTLS_CERT_REQUIRE
                                                      : GNUTLS_CERT_REQUEST);
    return 0;
}

int tls_session_no_certificate(void)
{
    return -1;
}

void tls_session_give_up(struct tls_session *t, const char *why)
{
    if (t->heard && !t->established)
        note(t, why);
}

void tls_session_done(struct tls_session *t)
{
    tls_identity_unref(t->identity);
    *t = (struct tls_session){0};
}

/* A client of an unknown protocol is closed without a word; what it sent must not bring a reset. */
static void drain(int fd)
{
    char dropped[DRAIN_SIZE];
    for (int i = 0; i < DRAINS && recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT) > 0; i++)
        ;
}

static const char *answer_plain(const struct tls_session *t)
{
    static const char answer[] =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 52\r\n"
        "Connection: close\r\n\r\nThis port speaks TLS: ask with https:// instead of\n\n";
    (void)send(t->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    return "the client speaks plain HTTP on a TLS port";
}

/* Before the first flight of ours, alerts are plain (RFC 8446 5.1). */
static const char *answer_hello(const struct tls_session *t)
{
    static const unsigned char alert[ALERT_BYTES] = {
        21, 3, 3, 0, 2, GNUTLS_AL_FATAL, GNUTLS_A_HANDSHAKE_FAILURE};
    (void)send(t->fd, alert, sizeof(alert), MSG_NOSIGNAL | MSG_DONTWAIT);
    return "client and server have no TLS version, cipher, curve or protocol in common";
}

const char *tls_session_refused(struct tls_session *t)
{
    enum { RECORD_OF_HANDSHAKE = 22 };
    if (t->established || !t->heard)
        return t->why;
    drain(t->fd);
    if (t->why)
        return t->why;
    if (t->spoke)
        return "the client ended the handshake; it may not trust the certificate";
    if (t->first == RECORD_OF_HANDSHAKE)
        return answer_hello(t);
    if (t->first >= 'A' && t->first <= 'Z')
        return answer_plain(t);
    return "the client speaks no TLS";
}

/* ---- past libmicrohttpd ---- */

static ssize_t fail(ssize_t code)
{
    errno = code == GNUTLS_E_AGAIN ? EAGAIN : code == GNUTLS_E_INTERRUPTED ? EINTR : ECONNRESET;
    return -1;
}

ssize_t tls_session_recv(struct tls_session *t, void *data, size_t size)
{
    ssize_t got = gnutls_record_recv(t->gnutls, data, size);
    return got >= 0 ? got : fail(got);
}

ssize_t tls_session_send(struct tls_session *t, const void *data, size_t size)
{
    ssize_t sent = gnutls_record_send(t->gnutls, data, size);
    return sent >= 0 ? sent : fail(sent);
}

size_t tls_session_pending(const struct tls_session *t)
{
    return gnutls_record_check_pending(t->gnutls);
}

bool tls_session_bye(struct tls_session *t)
{
    int result = gnutls_bye(t->gnutls, GNUTLS_SHUT_WR);
    return result != GNUTLS_E_AGAIN && result != GNUTLS_E_INTERRUPTED;
}

/* ---- who the client is ---- */

static bool shows_certificate(const struct tls_session *t)
{
    unsigned count = 0;
    return gnutls_certificate_get_peers(t->gnutls, &count) && count > 0;
}

/* A session that was resumed was judged when it began, which may be hours ago. */
static bool needs_judgement(const struct tls_session *t, const struct tls_identity *now)
{
    return t->identity != now || gnutls_session_is_resumed(t->gnutls);
}

static void take_identity(struct tls_session *t, struct tls_identity *now)
{
    (void)gnutls_credentials_set(t->gnutls, GNUTLS_CRD_CERTIFICATE, now->credentials);
    (void)tls_identity_ref(now);
    tls_identity_unref(t->identity);
    t->identity = now;
}

enum tls_standing tls_session_standing(struct tls_session *t, struct tls_identity *now)
{
    bool again = needs_judgement(t, now);
    if (t->identity != now)
        take_identity(t, now);
    if (!shows_certificate(t)) {
        if (!again || now->auth == TLS_CLIENT_MAY || !now->asks_clients)
            return TLS_NO_CERTIFICATE;
        refuse(t, GNUTLS_A_CERTIFICATE_REQUIRED, "the client has shown no certificate");
        return TLS_MUST_GO;
    }
    if (!now->asks_clients)
        return TLS_NO_CERTIFICATE;
    struct verdict v = again ? judge(t->gnutls) : holds;
    if (!v.why)
        return TLS_HAS_CERTIFICATE;
    if (now->auth == TLS_CLIENT_MAY)
        return TLS_NO_CERTIFICATE;
    refuse(t, v.alert, v.why);
    return TLS_MUST_GO;
}

/* Some certificates have none; then it is empty. */
static char *subject_of(const gnutls_datum_t *certificate)
{
    CLEANUP(buffer_done) struct buffer canonical;
    gnutls_x509_crt_t crt;
    gnutls_datum_t name = {0};
    buffer_init(&canonical, 4UL * SUBJECT_NAME_MAX);
    if (gnutls_x509_crt_init(&crt))
        return NULL;
    if (gnutls_x509_crt_import(crt, certificate, GNUTLS_X509_FMT_DER) ||
        gnutls_x509_crt_get_dn3(crt, &name, 0) ||
        subject_name_canonical(&canonical, (struct text){(const char *)name.data, name.size}))
        buffer_clear(&canonical);
    gnutls_free(name.data);
    gnutls_x509_crt_deinit(crt);
    return text_dup(buffer_text(&canonical));
}

int tls_session_peer(const struct tls_session *t, char **ret_subject,
                     unsigned char ret_fingerprint[TLS_FINGERPRINT_SIZE])
{
    unsigned count = 0;
    size_t size = TLS_FINGERPRINT_SIZE;
    const gnutls_datum_t *list = gnutls_certificate_get_peers(t->gnutls, &count);
    if (!list || count == 0 ||
        gnutls_fingerprint(GNUTLS_DIG_SHA256, &list[0], ret_fingerprint, &size))
        return -1;
    char *subject = subject_of(&list[0]);
    if (!subject)
        return -1;
    *ret_subject = subject;
    return 0;
}
