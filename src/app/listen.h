/*
 * listen.h - listening sockets from the addresses of the configuration, or from systemd.
 */
#ifndef APP_LISTEN_H
#define APP_LISTEN_H

#include "app/listen_file.h"
#include "config/config.h"
#include "http/server.h"

enum { LISTEN_SOCKETS_MAX = HTTP_SOCKETS_MAX };

struct listen_socket {
    int fd;
    char *text;              /* the address as people know it */
    bool plain;              /* no TLS on it, even if there is a certificate */
    struct listen_file file; /* of a unix socket of ours, removed when the socket is closed */
};

struct listen_sockets {
    struct listen_socket items[LISTEN_SOCKETS_MAX];
    size_t count;
    bool inherited; /* from systemd: the configuration's addresses do not count */
};

/*
 * A socket for each of these addresses: non-blocking, close-on-exec. A name that has several
 * addresses gets one for each. Sockets of `before` (NULL: none) that have such an address are taken
 * over as they are, also all of them when they are inherited; the others are opened, also where one
 * of `before` that is not taken over has the port at another address. The file of a unix socket
 * that nobody serves any more is replaced. -1 with a sentence that names the address, the reason
 * and the remedy; then nothing has changed.
 */
WARN_UNUSED int listen_open(const struct config_addresses *addresses,
                            const struct listen_sockets *before, struct listen_sockets *ret_sockets,
                            struct error *err);

/* Adds a socket that was passed to the process: the configuration's addresses count no more. */
WARN_UNUSED int listen_adopt(struct listen_sockets *s, int fd, const char *text, bool plain,
                             struct error *err);

/* In order, as the HTTP server takes them. With `tls` those that are not plain speak TLS. */
void listen_http(const struct listen_sockets *s, bool tls,
                 struct http_socket ret_sockets[LISTEN_SOCKETS_MAX]);

/* Gives socket files that were taken over the mode and owner of the new configuration. */
void listen_set_access(const struct listen_sockets *s);

/* Forgets, without closing them, those that `others` (NULL: nobody) has, too. */
void listen_forget(struct listen_sockets *s, const struct listen_sockets *others);

/*
 * Lets nobody else in, so that those who are in can be accepted before the socket is closed: a
 * connection in the queue of a socket that closes is reset. Whoever knocks meanwhile is not heard,
 * and knocks again after a second.
 */
void listen_take_no_more(const struct listen_sockets *s);

void listen_close(struct listen_sockets *s);

#endif
