/* Faults at the calls by which a process reaches its files, for a library that is preloaded (LD_PRELOAD).
 *
 * Calls on paths under one root are counted and written to a log in memory; the interpreter's own files stay out of it.
 * Armed, the library lets call number `target` fail, fall short, or kill the process. It is not made for threads: the
 * processes it is loaded into fork one child for each fault and act in its only thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

/* What happens at the target. The last three are for writes, the others for any call. */
enum mode { NOTHING, FAIL, FAIL_AFTER, KILL_BEFORE, KILL_AFTER, SHORT, SHORT_THEN_FAIL, TORN };

static struct {
    char root[PATH_MAX];
    int counted, onward, mode, error, fired;
    long target, count;
} armed;
static char log_text[1 << 20];
static size_t log_length;

/* ---- where a call goes ---- */

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;)
        pause();
}

static const char *read_link(const char *link, char *into) {
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, into, PATH_MAX - 1);
    into[length > 0 ? length : 0] = 0;
    return into;
}

static const char *path_of(int fd, char *into) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return read_link(link, into);
}

static const char *path_at(int directory, const char *path, char *into) {
    char start[PATH_MAX];
    if (!path || path[0] == '/')
        return path ? path : "";
    if (directory == AT_FDCWD)
        read_link("/proc/self/cwd", start);
    else
        path_of(directory, start);
    if ((size_t)snprintf(into, PATH_MAX, "%s/%s", start, path) >= PATH_MAX)
        into[PATH_MAX - 1] = 0;
    return into;
}

static int inside(const char *path) {
    size_t length = strlen(armed.root);
    return !strncmp(path, armed.root, length) && (path[length] == '/' || path[length] == 0);
}

/* ---- the decision ---- */

static enum order refuse(void) {
    errno = armed.error;
    return REFUSE;
}

static enum order at_target(void) {
    armed.fired = 1;
    if (armed.mode == KILL_BEFORE)
        die();
    switch (armed.mode) {
    case FAIL:
        return refuse();
    case FAIL_AFTER:
        return DENY_AFTER;
    case KILL_AFTER:
        return DIE_AFTER;
    case SHORT:
    case SHORT_THEN_FAIL:
        return HALF;
    case TORN:
        return HALF_THEN_DIE;
    }
    return PROCEED;
}

static enum order meet(int kind, const char *call, const char *path, const char *other) {
    if (!armed.counted || !(inside(path) || inside(other)))
        return PROCEED;
    if (armed.fired && (kind & armed.onward))
        return refuse();
    if (!(kind & armed.counted))
        return PROCEED;
    armed.count++;
    if (log_length < sizeof log_text - 2 * PATH_MAX - 64)
        log_length += snprintf(log_text + log_length, 2 * PATH_MAX + 64, "%s\t%s\t%s\n", call, path, other);
    return armed.count == armed.target ? at_target() : PROCEED;
}

enum order shim_meet_path(int kind, const char *call, int directory, const char *path) {
    char room[PATH_MAX];
    return armed.counted ? meet(kind, call, path_at(directory, path, room), "") : PROCEED;
}

enum order shim_meet_paths(int kind, const char *call, int from, const char *path, int to, const char *other) {
    char room[PATH_MAX], more[PATH_MAX];
    return armed.counted ? meet(kind, call, path_at(from, path, room), path_at(to, other, more)) : PROCEED;
}

enum order shim_meet_fd(int kind, const char *call, int fd) {
    char room[PATH_MAX];
    return armed.counted ? meet(kind, call, path_of(fd, room), "") : PROCEED;
}

int shim_denied(enum order order) {
    if (order == DIE_AFTER || order == HALF_THEN_DIE)
        die();
    if (order == DENY_AFTER)
        errno = armed.error;
    return order == DENY_AFTER;
}

/* ---- what Python calls through ctypes ---- */

void shim_arm(const char *root, int counted, long target, int mode, int error, int onward) {
    memset(&armed, 0, sizeof armed);
    log_length = 0, log_text[0] = 0;
    snprintf(armed.root, sizeof armed.root, "%s", root);
    armed.target = target, armed.mode = mode, armed.error = error;
    armed.onward = mode == SHORT_THEN_FAIL || mode == FAIL ? onward : 0;
    armed.counted = counted;
}

int shim_counts(void) { return armed.counted; }

void shim_disarm(void) { armed.counted = 0; }

long shim_count(void) { return armed.count; }

int shim_fired(void) { return armed.fired; }

const char *shim_log(void) { return log_text; }
