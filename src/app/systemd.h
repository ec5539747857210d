/*
 * systemd.h - what a service tells systemd, and what it gets from it: sd_notify(3), the watchdog,
 * sd_listen_fds(3). By hand, since libsystemd would bring five libraries into a process that holds
 * secrets. Without systemd everything here does nothing.
 *
 * Reads and changes the environment: before other threads run.
 */
#ifndef APP_SYSTEMD_H
#define APP_SYSTEMD_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Sends lines such as "READY=1\nSTATUS=…" to $NOTIFY_SOCKET; a failure is nobody's concern. */
void systemd_notify(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* "RELOADING=1" with the moment, which Type=notify-reload wants. */
void systemd_notify_reloading(void);

/* How often "WATCHDOG=1" is expected, in milliseconds; 0: not at all. */
int64_t systemd_watchdog_ms(void);

enum { SYSTEMD_SOCKETS_MAX = 32, SYSTEMD_NAME_SIZE = 256 };

/* One socket of socket activation: listening, of a stream; non-blocking and close-on-exec now. */
struct systemd_socket {
    int fd;
    char name[SYSTEMD_NAME_SIZE]; /* FileDescriptorName=, or the unit's name; "" if unknown */
};

/*
 * Takes the sockets that were passed to this process, and forgets the variables, so that no child
 * takes them again. -1 with a sentence when one of them is no listening stream socket.
 */
WARN_UNUSED int systemd_take_sockets(struct systemd_socket ret_sockets[SYSTEMD_SOCKETS_MAX],
                                     size_t *ret_count, struct error *err);

#endif
