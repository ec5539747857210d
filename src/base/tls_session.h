/*
 * tls_session.h - one client's TLS, made by libmicrohttpd and told here what to be.
 *
 * libmicrohttpd owns the session and calls GnuTLS; this is what lies around it: identity, judgement
 * of client certificates, the way to the socket, and reading and writing past libmicrohttpd. In the
 * thread of the connection. Nothing blocks.
 */
#ifndef BASE_TLS_SESSION_H
#define BASE_TLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/tls_identity.h"

enum { TLS_FINGERPRINT_SIZE = 32 };

struct tls_session {
    void *gnutls; /* gnutls_session_t; NULL: the connection speaks no TLS */
    struct tls_identity *identity;
    int fd;
    bool established;    /* the handshake is over */
    bool read_blocked;   /* the socket had nothing more when it was last read */
    bool write_blocked;  /* it took nothing more */
    bool heard, spoke;   /* bytes have come, or gone */
    unsigned char first; /* byte that came */
    const char *why;     /* the handshake was refused, as far as we know; a constant phrase */
};

/*
 * Before the handshake. The struct is zeroed, must stay where it is and outlive the session; a
 * reference to the identity is taken. -1 when memory is out.
 */
WARN_UNUSED int tls_session_begin(struct tls_session *t, void *gnutls,
                                  struct tls_identity *identity, int fd);

/* When libmicrohttpd has freed its side. Harmless on a zeroed struct. */
void tls_session_done(struct tls_session *t);

/* As recv(2) and send(2) on a non-blocking socket: 0 is the end, -1 comes with errno. */
ssize_t tls_session_recv(struct tls_session *t, void *data, size_t size);
ssize_t tls_session_send(struct tls_session *t, const void *data, size_t size);

/* Bytes that have left the socket, but were not given out yet. */
size_t tls_session_pending(const struct tls_session *t);

/* Tells the client that nothing follows (close_notify). False: the socket takes nothing now. */
bool tls_session_bye(struct tls_session *t);

/* The handshake is given up, if it has begun and is not over; `why` is a constant phrase. */
void tls_session_give_up(struct tls_session *t, const char *why);

enum tls_standing { TLS_NO_CERTIFICATE, TLS_HAS_CERTIFICATE, TLS_MUST_GO };

/*
 * After the handshake, and again when `now` has taken the place of the identity that the session
 * began with: whether the client's certificate counts by it. One of an authority that `now` does
 * not know counts as none; who must have one then has to go, and is told so. The session takes a
 * reference to `now`.
 */
enum tls_standing tls_session_standing(struct tls_session *t, struct tls_identity *now);

/* GnuTLS's callback for a session without an identity: it has no certificate to show. */
int tls_session_no_certificate(void);

/*
 * After a handshake that failed, when the session is gone, though its socket is still open: tells
 * the client as well as that can be done (an alert, or 400 to one that speaks plain HTTP). Returns
 * why, as a phrase for the log; NULL when the client just went without a word.
 */
const char *tls_session_refused(struct tls_session *t);

/*
 * The client's certificate: its subject in the form of subject_name.h (malloc; empty when it has
 * none that can be written so), and its SHA-256. -1 when it sent none, or memory is out.
 */
WARN_UNUSED int tls_session_peer(const struct tls_session *t, char **ret_subject,
                                 unsigned char ret_fingerprint[TLS_FINGERPRINT_SIZE]);

#endif
