/*
 * server_tls.h - tls_cert, tls_key and tls_client_ca of [server]: from files to an identity.
 */
#ifndef CONFIG_SERVER_TLS_H
#define CONFIG_SERVER_TLS_H

#include "config/document.h"

/*
 * Reads the files into server->tls, which the section owns; NULL when there are none. Mistakes are
 * told, among them a key that is not the certificate's; so is what clients will not like. With
 * `auth` TLS_CLIENT_MAY a client may be known by something else than a certificate.
 */
void server_tls_build(const struct document *d, const struct section *s, enum tls_client_auth auth,
                      struct server_config *server);

#endif
