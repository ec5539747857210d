#include "base/log.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encoding.h"

/* A byte of the message becomes at most six (\u00XX). */
enum { MESSAGE_SIZE = 1024, LINE_CEILING = 6 * MESSAGE_SIZE + 256 };

static atomic_int current_level = LOG_INFO;
static atomic_int current_format = LOG_TEXT;
static atomic_uint lines_lost; /* since the last one that got through */

static const struct {
    const char *name;
    int priority;
} levels[] = {
#define X(id, name, priority) {name, priority},
    LOG_LEVELS(X)
#undef X
};

void log_configure(enum log_level level, enum log_format format)
{
    atomic_store(&current_level, (int)level);
    atomic_store(&current_format, (int)format);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

const char *log_level_name(enum log_level level)
{
    return levels[level].name;
}

static void add_escaped(struct buffer *line, const char *message)
{
    for (const char *c = message; *c; c++) {
        if (*c >= 0x20 && *c < 0x7f)
            (void)buffer_add_char(line, *c);
        else
            (void)buffer_addf(line, "\\x%02x", (unsigned)(unsigned char)*c);
    }
}

/*
 * Whether standard error is the journal's own stream. The variable alone does not say so: terminals
 * started by a user's systemd hand it down to everything that runs in them (systemd.exec(5)).
 */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char own[64];
    if (!stream || fstat(STDERR_FILENO, &st))
        return false;
    (void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(stream, own) == 0;
}

static void add_text_line(struct buffer *line, enum log_level level, const char *message)
{
    if (stderr_is_journal()) {
        (void)buffer_addf(line, "<%d>", levels[level].priority);
    } else {
        (void)buffer_add_rfc3339(line, clock_wall_ms());
        (void)buffer_addf(line, " %s ", levels[level].name);
    }
    add_escaped(line, message);
}

static void add_json_line(struct buffer *line, enum log_level level, const char *message)
{
    (void)buffer_add_string(line, "{\"time\":\"");
    (void)buffer_add_rfc3339(line, clock_wall_ms());
    (void)buffer_addf(line, "\",\"level\":\"%s\",\"message\":", levels[level].name);
    (void)buffer_add_json_string(line, text_of(message));
    (void)buffer_add_char(line, '}');
}

ssize_t log_put(int fd, const void *data, size_t size)
{
    /* a pipe that is ready takes PIPE_BUF bytes without waiting, but only once */
    static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    ssize_t put = 0;
    (void)pthread_mutex_lock(&writing);
    if (poll(&ready, 1, 0) > 0 && (ready.revents & POLLOUT))
        put = write(fd, data, size);
    (void)pthread_mutex_unlock(&writing);
    return put;
}

/* True when it was written. */
static bool put_line(enum log_level level, const char *message)
{
    struct buffer line;
    buffer_init(&line, LINE_CEILING);
    if (atomic_load_explicit(&current_format, memory_order_relaxed) == LOG_JSON)
        add_json_line(&line, level, message);
    else
        add_text_line(&line, level, message);
    (void)buffer_add_char(&line, '\n');
    bool written = log_put(STDERR_FILENO, buffer_data(&line), buffer_size(&line)) > 0;
    buffer_done(&line);
    return written;
}

static void tell_of_lost_lines(void)
{
    char message[MESSAGE_SIZE];
    unsigned lost = atomic_exchange(&lines_lost, 0);
    if (lost == 0)
        return;
    (void)snprintf(message, sizeof(message),
                   "%u line%s of this log could not be written and %s lost before the last one",
                   lost, lost == 1 ? "" : "s", lost == 1 ? "is" : "are");
    if (!put_line(LOG_WARNING, message))
        (void)atomic_fetch_add(&lines_lost, lost);
}

void log_write(enum log_level level, const char *fmt, ...)
{
    if (!log_enabled(level))
        return;
    char message[MESSAGE_SIZE];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    if (put_line(level, message))
        tell_of_lost_lines();
    else
        (void)atomic_fetch_add(&lines_lost, 1);
}
