/*
 * tls_identity.h - what a TLS server shows and believes: certificate, key, authority of clients.
 *
 * Made whole from PEM texts, immutable and counted: connections go on with the identity they began
 * with while a reload puts the next in place. Any thread. Beside tls_session.c the only file that
 * knows GnuTLS, which libmicrohttpd speaks TLS with.
 */
#ifndef BASE_TLS_IDENTITY_H
#define BASE_TLS_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

struct tls_identity;

/*
 * TLS 1.2 and 1.3, forward secrecy and authenticated encryption only, certificates of clients with
 * 112 bits of security (2048 of RSA) or more; as GnuTLS writes it.
 */
extern const char tls_priorities[];

enum tls_part { TLS_CERTIFICATE, TLS_KEY, TLS_CLIENT_CA, TLS_PARTS };

/* Whether clients show a certificate. One that they show must be good in any case. */
enum tls_client_auth { TLS_CLIENT_MAY, TLS_CLIENT_MUST };

/*
 * `pem` has the certificate with its chain, its key without a passphrase, and the certificates of
 * the authorities that vouch for clients (empty: clients are not asked). A count of 1. NULL with a
 * sentence that says what is wrong with *ret_culprit; no text of the key is in it.
 */
WARN_UNUSED struct tls_identity *tls_identity_new(const struct text pem[TLS_PARTS],
                                                  enum tls_client_auth auth,
                                                  enum tls_part *ret_culprit, struct error *err);

struct tls_identity *tls_identity_ref(struct tls_identity *t);
void tls_identity_unref(struct tls_identity *t);

/*
 * -1 with a sentence when the certificate is not valid at that time (seconds since 1970): clients
 * will refuse it.
 */
WARN_UNUSED int tls_identity_check_time(const struct tls_identity *t, int64_t now,
                                        struct error *err);

#endif
