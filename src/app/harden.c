#include "app/harden.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

enum { HEAP_TRIM_BYTES = 4 << 20, HEAP_PAD_BYTES = 1 << 20 };

void harden_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY); /* for writing, too: a write that is lost is an error */
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        (void)close(fd);
}

void harden_process(void)
{
    /* both, since a sandbox around the process may forbid one of them */
    const struct rlimit no_core = {0, 0};
    bool limited = setrlimit(RLIMIT_CORE, &no_core) == 0;
    bool undumpable = prctl(PR_SET_DUMPABLE, 0) == 0;
    if (!limited && !undumpable)
        log_warning("cannot switch core dumps off; a crash could write secrets to disk");
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a log at its size limit is a failed write */
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_TRIM_BYTES);
    (void)mallopt(M_TOP_PAD, HEAP_PAD_BYTES);
}
