/*
 * redis_server.h - a real redis-server of the test's own, on a unix socket in a directory of its
 * own. Nothing is left behind.
 */
#ifndef TESTS_REDIS_SERVER_H
#define TESTS_REDIS_SERVER_H

#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "oauth/redis_link.h"
#include "oauth/redis_peer.h"

struct redis_server {
    struct loop *loop;
    char folder[64], path[96];
    pid_t pid; /* 0: does not run */
    struct redis_link *link;
    struct redis_call call;
    struct redis_reply last; /* of the last order; its text is cut */
    char text[256];
    int replies;
};

static inline struct socket_address server_address(const struct redis_server *s)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct socket_address address = {.size = sizeof(at)};
    memcpy(at.sun_path, s->path, strlen(s->path));
    memcpy(&address.storage, &at, sizeof(at));
    return address;
}

static inline bool server_accepts(const struct redis_server *s)
{
    struct socket_address address = server_address(s);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool accepted = connect(fd, (struct sockaddr *)&address.storage, address.size) == 0;
    close(fd);
    return accepted;
}

/* Waits until it accepts. `option` and `value` may be NULL. */
static inline void server_run(struct redis_server *s, const char *option, const char *value)
{
    pid_t parent = getpid();
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        if (!freopen("/dev/null", "w", stdout))
            _exit(1);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", s->path, "--dir",
               s->folder, "--save", "", "--appendonly", "no", option, value, (char *)NULL);
        _exit(1);
    }
    int64_t end = clock_monotonic_ms() + PEER_PATIENCE_MS;
    while (!server_accepts(s)) {
        assert_true(clock_monotonic_ms() < end);
        assert_int_equal(waitpid(s->pid, NULL, WNOHANG), 0);
        loop_turn(s->loop, PEER_TURN_MS);
    }
}

/* False: there is no redis-server on this machine. */
static inline bool server_start(struct redis_server *s, struct loop *loop)
{
    if (access("/usr/bin/redis-server", X_OK))
        return false;
    *s = (struct redis_server){.loop = loop};
    (void)snprintf(s->folder, sizeof(s->folder), "/tmp/bearerd-redis-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    (void)snprintf(s->path, sizeof(s->path), "%s/sock", s->folder);
    server_run(s, NULL, NULL);
    return true;
}

static inline void server_kill(struct redis_server *s)
{
    redis_link_free(s->link);
    s->link = NULL;
    if (s->pid <= 0)
        return;
    (void)kill(s->pid, SIGKILL);
    (void)waitpid(s->pid, NULL, 0);
    s->pid = 0;
    (void)unlink(s->path);
}

static inline int server_remove(const char *path, const struct stat *st UNUSED, int type UNUSED,
                                struct FTW *where UNUSED)
{
    return remove(path);
}

static inline void server_stop(struct redis_server *s)
{
    server_kill(s);
    (void)nftw(s->folder, server_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void server_on_down(void *ctx UNUSED, const char *reason)
{
    fail_msg("the test's own connection: %s", reason);
}

static inline void server_on_reply(struct redis_call *call, const struct redis_reply *reply)
{
    struct redis_server *s = call->ctx;
    s->replies++;
    s->last = *reply;
    (void)snprintf(s->text, sizeof(s->text), "%.*s", TEXT_ARG(reply->text));
    s->last.text = text_of(s->text);
    s->last.items = NULL;
}

/* One command, its words parted by blanks; the reply is in `last`. */
static inline void server_order(struct redis_server *s, const char *words)
{
    struct text args[32], rest = text_of(words);
    size_t count = 0;
    struct redis_link_events events = {.ctx = s, .down = server_on_down};
    struct socket_address address = server_address(s);
    while (rest.size > 0 && count < ARRAY_SIZE(args))
        args[count++] = text_cut(rest, ' ', &rest);
    if (!s->link)
        s->link = redis_link_new(s->loop, &address, &events, NULL);
    assert_non_null(s->link);
    s->call = (struct redis_call){.done = server_on_reply, .ctx = s};
    int replies = s->replies;
    assert_int_equal(redis_link_send(s->link, &s->call, args, count), 0);
    TURN_UNTIL(s->loop, s->replies > replies);
}

#endif
