/*
 * log.h - the event log: what changed and what an operator can do about it, one line each, to
 * standard error.
 *
 * Text lines read `2026-01-02T03:04:05.678Z info text`; where standard error is
 * the journal ($JOURNAL_STREAM names it) the time and level become the journal's `<6>` prefix; JSON
 * lines have the keys time, level, message. A message is cut after 1023 bytes.
 * Settings are global, set at start and on reload. A line is written by one write(2) and may come
 * from any thread. Where nobody reads standard error nobody waits either: lines are lost, and the
 * next one that gets through is followed by their number. Bytes outside printable ASCII are escaped
 * (valid UTF-8 stays in JSON): nobody forges a line. Never pass a secret.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/compiler.h"

/* name, syslog priority */
#define LOG_LEVELS(X)                                                                              \
    X(ERROR, "error", 3)                                                                           \
    X(WARNING, "warning", 4)                                                                       \
    X(INFO, "info", 6)                                                                             \
    X(DEBUG, "debug", 7)

enum log_level {
#define X(id, name, priority) LOG_##id,
    LOG_LEVELS(X)
#undef X
};

enum log_format { LOG_TEXT, LOG_JSON };

void log_configure(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);
const char *log_level_name(enum log_level level);

void log_write(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * One write(2) of whole lines to the stream of a log, by one thread of the process at a time; what
 * was written, 0 when it would have to wait, -1 with errno. Waits for nothing with a file, or when
 * `size` is PIPE_BUF at most.
 */
ssize_t log_put(int fd, const void *data, size_t size);

#define log_error(...)   log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                                             \
    do {                                                                                           \
        if (log_enabled(LOG_DEBUG))                                                                \
            log_write(LOG_DEBUG, __VA_ARGS__);                                                     \
    } while (0)

#endif
