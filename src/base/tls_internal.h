/*
 * tls_internal.h - what tls_identity.c and tls_session.c share; for no one else.
 */
#ifndef BASE_TLS_INTERNAL_H
#define BASE_TLS_INTERNAL_H

#include <gnutls/gnutls.h>
#include <stdatomic.h>

#include "base/tls_identity.h"

struct tls_identity {
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t ticket_key; /* GnuTLS derives keys from it that change with time */
    bool asks_clients;
    enum tls_client_auth auth;
    int64_t valid_from, valid_until; /* seconds since 1970 */
    atomic_uint refs;
};

/* Judges the certificate that a client shows; GnuTLS calls it within the handshake. */
int tls_session_verify(gnutls_session_t session);

#endif
