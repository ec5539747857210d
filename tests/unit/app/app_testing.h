/*
 * app_testing.h - runs the whole app in the test's own thread while another one does things to it.
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_APP_TESTING_H
#define TESTS_APP_TESTING_H

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "support/wire.h"

struct play {
    char folder[40], ini[80], log[80];
    unsigned port, admin_port;
    const char *routes; /* what follows [server] */
    void (*script)(struct play *p);
    bool stopped; /* the script has told it to stop */
};

/* A route that needs nobody else: its upstream refuses connections. */
#define PLAY_ROUTES "[route all]\nprovider = none\nupstream = http://127.0.0.1:1\n"

static inline void play_write(struct play *p, const char *server)
{
    FILE *file = fopen(p->ini, "w");
    assert_non_null(file);
    (void)fprintf(file,
                  "[server]\nlisten = 127.0.0.1:%u\nadmin_listen = 127.0.0.1:%u\n"
                  "access_log = off\nworkers = 1\n%s%s",
                  p->port, p->admin_port, server, p->routes);
    assert_int_equal(fclose(file), 0);
}

/* True when somebody listens there. */
static inline bool play_listens(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
    (void)close(fd);
    return connected;
}

/* True when the app has logged these words. */
static inline bool play_said(const struct play *p, const char *words)
{
    static char text[1 << 16];
    int fd = open(p->log, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    if (fd >= 0)
        (void)close(fd);
    text[size > 0 ? size : 0] = '\0';
    return strstr(text, words) != NULL;
}

/* The answer to a GET, up to the end of the connection. */
static inline void play_get(unsigned port, const char *target, struct wire *w)
{
    wire_connect(w, port);
    wire_say(w, "GET ");
    wire_say(w, target);
    wire_say(w, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    wire_await_end(w);
}

/* True when the answer to a GET contains these words. */
static inline bool play_answers(unsigned port, const char *target, const char *words)
{
    struct wire w;
    play_get(port, target, &w);
    bool found = wire_has(&w, words);
    wire_close(&w);
    return found;
}

static inline void play_signal(int number)
{
    assert_int_equal(kill(getpid(), number), 0);
}

/* From here on the script must not wait for anything that the app does after it has stopped. */
static inline void play_stop(struct play *p, int number)
{
    p->stopped = true;
    play_signal(number);
}

static inline void *play_act(void *arg)
{
    struct play *p = arg;
    AWAIT(play_listens(p->admin_port) && play_listens(p->port));
    p->script(p);
    if (!p->stopped)
        play_signal(SIGTERM);
    return NULL;
}

static inline void play_open(struct play *p)
{
    unsigned ports[2];
    int fds[2] = {wire_listen(&ports[0]), wire_listen(&ports[1])};
    *p = (struct play){.folder = "/tmp/bearerd-app-XXXXXX",
                       .port = ports[0],
                       .admin_port = ports[1],
                       .routes = PLAY_ROUTES};
    assert_non_null(mkdtemp(p->folder));
    (void)snprintf(p->ini, sizeof(p->ini), "%s/bearerd.ini", p->folder);
    (void)snprintf(p->log, sizeof(p->log), "%s/log", p->folder);
    (void)close(fds[0]);
    (void)close(fds[1]);
    play_write(p, "");
}

static inline void play_close(struct play *p)
{
    (void)unlink(p->ini);
    (void)unlink(p->log);
    (void)rmdir(p->folder);
}

/* The one of this program, and what most tests need around them. */
static struct play play;

static inline int play_setup(void **state)
{
    (void)state;
    play_open(&play);
    return 0;
}

static inline int play_teardown(void **state)
{
    (void)state;
    play_close(&play);
    return 0;
}

/* Runs the file until the script is over; what it logs goes to the log. */
static inline int play_run(struct play *p, void (*script)(struct play *p))
{
    pthread_t thread;
    sigset_t all, before;
    p->script = script;
    (void)fflush(stderr);
    int saved = dup(STDERR_FILENO);
    int log = open(p->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(saved >= 0 && log >= 0 && dup2(log, STDERR_FILENO) >= 0);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    assert_int_equal(pthread_create(&thread, NULL, play_act, p), 0);
    int status = app_run_file(p->ini);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    (void)close(log);
    return status;
}

#endif
