/*
 * process_stats.h - what the kernel knows about this process, for the process_* metrics.
 */
#ifndef ADMIN_PROCESS_STATS_H
#define ADMIN_PROCESS_STATS_H

#include <stdint.h>

#include "base/text.h"

struct process_stats {
    uint64_t cpu_ms; /* user and system */
    uint64_t virtual_bytes, resident_bytes;
    uint64_t open_fds, max_fds;
};

/* What cannot be read is 0. */
void process_stats_read(struct process_stats *ret_stats);

/* The part that comes from the line of /proc/PID/stat (proc(5)); -1 when it is none. */
WARN_UNUSED int process_stats_parse(struct text line, struct process_stats *stats);

#endif
