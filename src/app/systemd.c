#include "app/systemd.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

enum { MESSAGE_SIZE = 512, FIRST_SOCKET = 3 };

/* ---- telling ---- */

/* A path, or a name in the abstract namespace that is written with an @. */
static int notify_address(struct sockaddr_un *address, socklen_t *ret_size)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t size = name ? strlen(name) : 0;
    if (size < 2 || size >= sizeof(address->sun_path) || (name[0] != '/' && name[0] != '@'))
        return -1;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, name, size);
    if (name[0] == '@')
        address->sun_path[0] = '\0';
    *ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    return 0;
}

void systemd_notify(const char *fmt, ...)
{
    char message[MESSAGE_SIZE];
    struct sockaddr_un address;
    socklen_t size;
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    if (length <= 0 || length >= (int)sizeof(message) || notify_address(&address, &size))
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, message, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT,
                 (struct sockaddr *)&address, size);
    (void)close(fd);
}

void systemd_notify_reloading(void)
{
    struct timespec now; /* not base/clock: systemd compares it with CLOCK_MONOTONIC */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    systemd_notify("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading",
                   (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

/* ---- what it wants ---- */

/* The number in a variable; -1 when there is none. */
static int variable(const char *name, uint64_t *ret_value)
{
    const char *text = getenv(name);
    return text ? text_to_u64(text_of(text), ret_value) : -1;
}

/* True when this process is meant: the variable may have been handed down by a parent. */
static bool is_for_us(const char *pid_variable)
{
    uint64_t pid;
    return variable(pid_variable, &pid) == 0 && pid == (uint64_t)getpid();
}

int64_t systemd_watchdog_ms(void)
{
    uint64_t us;
    if (variable("WATCHDOG_USEC", &us) || us < 1000 || us / 1000 > INT64_MAX / 2)
        return 0;
    if (getenv("WATCHDOG_PID") && !is_for_us("WATCHDOG_PID"))
        return 0;
    return (int64_t)(us / 1000);
}

/* ---- what it gives ---- */

static bool is_listening(int fd)
{
    int listens = 0, type = 0;
    socklen_t size = sizeof(int);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

static int take_socket(int fd, struct text name, struct systemd_socket *ret_socket,
                       struct error *err)
{
    if (!is_listening(fd))
        return error_set(
            err,
            "descriptor %d from systemd is no listening stream socket; the socket unit "
            "needs ListenStream= and Accept=no",
            fd);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
        return error_set(err, "descriptor %d from systemd cannot be made non-blocking", fd);
    ret_socket->fd = fd;
    size_t size = name.size < SYSTEMD_NAME_SIZE ? name.size : SYSTEMD_NAME_SIZE - 1;
    if (size > 0)
        memcpy(ret_socket->name, name.at, size);
    ret_socket->name[size] = '\0';
    return 0;
}

static void forget_variables(void)
{
    static const char *const names[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        (void)unsetenv(names[i]);
}

int systemd_take_sockets(struct systemd_socket ret_sockets[SYSTEMD_SOCKETS_MAX], size_t *ret_count,
                         struct error *err)
{
    uint64_t count;
    *ret_count = 0;
    if (!is_for_us("LISTEN_PID") || variable("LISTEN_FDS", &count))
        return 0;
    if (count > SYSTEMD_SOCKETS_MAX)
        return error_set(err, "systemd passed %llu sockets; %d is the most",
                         (unsigned long long)count, SYSTEMD_SOCKETS_MAX);
    struct text names = text_of(getenv("LISTEN_FDNAMES"));
    for (size_t i = 0; i < count; i++)
        if (take_socket(FIRST_SOCKET + (int)i, text_cut(names, ':', &names), &ret_sockets[i], err))
            return -1;
    forget_variables();
    *ret_count = (size_t)count;
    return 0;
}
