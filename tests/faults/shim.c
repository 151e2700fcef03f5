/* Faults at the calls by which a process reaches its files, for a library that is preloaded (LD_PRELOAD).
 *
 * Calls on paths under one root are counted and written to a log in memory; the interpreter's own files stay out of it.
 * Armed, the library lets call number `target` fail, fall short, or kill the process. It is not made for threads: the
 * processes it is loaded into fork one child for each fault and act in its only thread.
 */
#define _GNU_SOURCE
#define _LARGEFILE64_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* What a call does. SPACE asks the disk for room; it is a part of CHANGE. */
enum kind { READ = 1, CHANGE = 2, SPACE = 4, GROW = CHANGE | SPACE };
/* What happens at the target. The last three are for writes, the others for any call. */
enum mode { NOTHING, FAIL, FAIL_AFTER, KILL_BEFORE, KILL_AFTER, SHORT, SHORT_THEN_FAIL, TORN };
/* What a wrapper is told to do. */
enum order { PROCEED, REFUSE, DENY_AFTER, DIE_AFTER, HALF, HALF_THEN_DIE };

static struct {
    char root[PATH_MAX];
    int counted, onward, mode, error, fired;
    long target, count;
} armed;
static char log_text[1 << 20];
static size_t log_length;

#define REAL(name)                         \
    static __typeof__(&name) real;         \
    if (!real)                             \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

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

static enum order meet_at(int kind, const char *call, int directory, const char *path) {
    char room[PATH_MAX];
    return armed.counted ? meet(kind, call, path_at(directory, path, room), "") : PROCEED;
}

static enum order meet_two(int kind, const char *call, int from, const char *path, int to, const char *other) {
    char room[PATH_MAX], more[PATH_MAX];
    return armed.counted ? meet(kind, call, path_at(from, path, room), path_at(to, other, more)) : PROCEED;
}

static enum order meet_fd(int kind, const char *call, int fd) {
    char room[PATH_MAX];
    return armed.counted ? meet(kind, call, path_of(fd, room), "") : PROCEED;
}

/* What comes after a call was made: death, the lie that it failed, or nothing. */
static int denied(enum order order) {
    if (order == DIE_AFTER || order == HALF_THEN_DIE)
        die();
    if (order == DENY_AFTER)
        errno = armed.error;
    return order == DENY_AFTER;
}

/* Do a call, unless it is refused. */
#define OBEY(type, failed, orders, call)   \
    do {                                   \
        enum order told = (orders);        \
        if (told == REFUSE)                \
            return failed;                 \
        type result = (call);              \
        return denied(told) ? failed : result; \
    } while (0)

/* The same for a write of `size` bytes, which may be told to write the first half only. */
#define OBEY_WRITE(orders, size, call)             \
    do {                                           \
        enum order told = (orders);                \
        if (told == REFUSE)                        \
            return -1;                             \
        size_t part = size;                        \
        if (told >= HALF && part > 1)              \
            part /= 2;                             \
        ssize_t result = (call);                   \
        return denied(told) ? -1 : result;         \
    } while (0)

/* ---- opening and closing ---- */

static int open_kind(int flags) {
    if (flags & (O_CREAT | O_TRUNC))
        return GROW;
    return (flags & O_ACCMODE) == O_RDONLY ? READ : CHANGE;
}

static mode_t mode_argument(int flags, va_list arguments) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                                                        \
    int name(const char *path, int flags, ...) {                                                          \
        REAL(name);                                                                                       \
        va_list arguments;                                                                                \
        va_start(arguments, flags);                                                                       \
        mode_t mode = mode_argument(flags, arguments);                                                    \
        va_end(arguments);                                                                                \
        OBEY(int, -1, meet_at(open_kind(flags), "open", AT_FDCWD, path), real(path, flags, mode));        \
    }
#define OPENAT(name)                                                                                      \
    int name(int directory, const char *path, int flags, ...) {                                           \
        REAL(name);                                                                                       \
        va_list arguments;                                                                                \
        va_start(arguments, flags);                                                                       \
        mode_t mode = mode_argument(flags, arguments);                                                    \
        va_end(arguments);                                                                                \
        OBEY(int, -1, meet_at(open_kind(flags), "open", directory, path), real(directory, path, flags, mode)); \
    }
#define CREAT(name)                                                                                       \
    int name(const char *path, mode_t mode) {                                                             \
        REAL(name);                                                                                       \
        OBEY(int, -1, meet_at(GROW, "open", AT_FDCWD, path), real(path, mode));                           \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
CREAT(creat)
CREAT(creat64)

/* Closing a file that was written may tell of a failed write. It closes the file all the same. */
int close(int fd) {
    REAL(close);
    enum order order = PROCEED;
    if (armed.counted) {
        long flags = syscall(SYS_fcntl, fd, F_GETFL);
        if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
            order = meet_fd(CHANGE, "close", fd);
    }
    int result = real(fd);
    if (denied(order == REFUSE ? DENY_AFTER : order))
        return -1;
    return result;
}

/* ---- writing ---- */

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    OBEY_WRITE(meet_fd(GROW, "write", fd), size, real(fd, data, part));
}

#define PWRITE(name, offset_type)                                                             \
    ssize_t name(int fd, const void *data, size_t size, offset_type offset) {                 \
        REAL(name);                                                                           \
        OBEY_WRITE(meet_fd(GROW, "write", fd), size, real(fd, data, part, offset));           \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    REAL(writev);
    OBEY_WRITE(meet_fd(GROW, "write", fd), (size_t)count, real(fd, pieces, (int)part));
}

#define PWRITEV(name, offset_type, ...)                                                                   \
    ssize_t name(int fd, const struct iovec *pieces, int count, offset_type offset __VA_OPT__(, int flags)) { \
        REAL(name);                                                                                       \
        OBEY_WRITE(meet_fd(GROW, "write", fd), (size_t)count,                                             \
                   real(fd, pieces, (int)part, offset __VA_OPT__(, flags)));                              \
    }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)
PWRITEV(pwritev2, off_t, flags)
PWRITEV(pwritev64v2, off64_t, flags)

#define SENDFILE(name, offset_type)                                                           \
    ssize_t name(int to, int from, offset_type *offset, size_t size) {                        \
        REAL(name);                                                                           \
        OBEY_WRITE(meet_fd(GROW, "write", to), size, real(to, from, offset, part));           \
    }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *there, size_t size, unsigned flags) {
    REAL(copy_file_range);
    OBEY_WRITE(meet_fd(GROW, "write", to), size, real(from, at, to, there, part, flags));
}

/* ---- calls that change a file or a directory, by what they name ---- */

#define BY_FD(name, kind, call, parameters, arguments)                \
    int name parameters {                                             \
        REAL(name);                                                   \
        OBEY(int, -1, meet_fd(kind, call, fd), real arguments);       \
    }
#define BY_PATH(name, kind, call, parameters, arguments)              \
    int name parameters {                                             \
        REAL(name);                                                   \
        OBEY(int, -1, meet_at(kind, call, AT_FDCWD, path), real arguments); \
    }
#define BY_PATH_AT(name, kind, call, parameters, arguments)           \
    int name parameters {                                             \
        REAL(name);                                                   \
        OBEY(int, -1, meet_at(kind, call, directory, path), real arguments); \
    }
#define BY_TWO(name, kind, call, from, to, parameters, arguments)     \
    int name parameters {                                             \
        REAL(name);                                                   \
        OBEY(int, -1, meet_two(kind, call, from, path, to, other), real arguments); \
    }

BY_FD(fsync, CHANGE, "fsync", (int fd), (fd))
BY_FD(fdatasync, CHANGE, "fsync", (int fd), (fd))
BY_FD(flock, CHANGE, "flock", (int fd, int how), (fd, how))
BY_FD(lockf, CHANGE, "flock", (int fd, int how, off_t length), (fd, how, length))
BY_FD(lockf64, CHANGE, "flock", (int fd, int how, off64_t length), (fd, how, length))
BY_FD(ftruncate, GROW, "truncate", (int fd, off_t length), (fd, length))
BY_FD(ftruncate64, GROW, "truncate", (int fd, off64_t length), (fd, length))
BY_FD(fallocate, GROW, "truncate", (int fd, int mode, off_t start, off_t length), (fd, mode, start, length))
BY_FD(fallocate64, GROW, "truncate", (int fd, int mode, off64_t start, off64_t length), (fd, mode, start, length))
BY_FD(fchmod, CHANGE, "chmod", (int fd, mode_t mode), (fd, mode))
BY_FD(futimens, CHANGE, "utime", (int fd, const struct timespec times[2]), (fd, times))

BY_PATH(truncate, GROW, "truncate", (const char *path, off_t length), (path, length))
BY_PATH(truncate64, GROW, "truncate", (const char *path, off64_t length), (path, length))
BY_PATH(unlink, CHANGE, "unlink", (const char *path), (path))
BY_PATH(rmdir, CHANGE, "rmdir", (const char *path), (path))
BY_PATH(mkdir, GROW, "mkdir", (const char *path, mode_t mode), (path, mode))
BY_PATH(chmod, CHANGE, "chmod", (const char *path, mode_t mode), (path, mode))

BY_PATH_AT(unlinkat, CHANGE, flags &AT_REMOVEDIR ? "rmdir" : "unlink", (int directory, const char *path, int flags),
           (directory, path, flags))
BY_PATH_AT(mkdirat, GROW, "mkdir", (int directory, const char *path, mode_t mode), (directory, path, mode))
BY_PATH_AT(fchmodat, CHANGE, "chmod", (int directory, const char *path, mode_t mode, int flags),
           (directory, path, mode, flags))
BY_PATH_AT(utimensat, CHANGE, "utime", (int directory, const char *path, const struct timespec times[2], int flags),
           (directory, path, times, flags))

BY_TWO(rename, CHANGE, "rename", AT_FDCWD, AT_FDCWD, (const char *path, const char *other), (path, other))
BY_TWO(renameat, CHANGE, "rename", from, to, (int from, const char *path, int to, const char *other),
       (from, path, to, other))
BY_TWO(renameat2, CHANGE, "rename", from, to, (int from, const char *path, int to, const char *other, unsigned flags),
       (from, path, to, other, flags))
BY_TWO(link, GROW, "link", AT_FDCWD, AT_FDCWD, (const char *path, const char *other), (path, other))
BY_TWO(linkat, GROW, "link", from, to, (int from, const char *path, int to, const char *other, int flags),
       (from, path, to, other, flags))
/* The text of a symbolic link is no path of its own: only the link's place decides. */
BY_TWO(symlink, GROW, "symlink", AT_FDCWD, AT_FDCWD, (const char *path, const char *other), (path, other))
BY_TWO(symlinkat, GROW, "symlink", AT_FDCWD, to, (const char *path, int to, const char *other), (path, to, other))

/* fcntl matters here only where it locks. Its third argument is a number or a pointer, passed on as it came. */
#define FCNTL(name)                                                                                  \
    int name(int fd, int command, ...) {                                                             \
        REAL(name);                                                                                  \
        va_list arguments;                                                                           \
        va_start(arguments, command);                                                                \
        void *argument = va_arg(arguments, void *);                                                  \
        va_end(arguments);                                                                           \
        int locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW; \
        OBEY(int, -1, locks ? meet_fd(CHANGE, "flock", fd) : PROCEED, real(fd, command, argument));  \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

/* ---- reading ---- */

ssize_t read(int fd, void *into, size_t size) {
    REAL(read);
    OBEY(ssize_t, -1, meet_fd(READ, "read", fd), real(fd, into, size));
}

ssize_t pread64(int fd, void *into, size_t size, off64_t offset) {
    REAL(pread64);
    OBEY(ssize_t, -1, meet_fd(READ, "read", fd), real(fd, into, size, offset));
}

BY_PATH(stat, READ, "stat", (const char *path, struct stat *into), (path, into))
BY_PATH(stat64, READ, "stat", (const char *path, struct stat64 *into), (path, into))
BY_PATH(lstat, READ, "stat", (const char *path, struct stat *into), (path, into))
BY_PATH(lstat64, READ, "stat", (const char *path, struct stat64 *into), (path, into))
BY_FD(fstat, READ, "stat", (int fd, struct stat *into), (fd, into))
BY_FD(fstat64, READ, "stat", (int fd, struct stat64 *into), (fd, into))
BY_PATH_AT(fstatat, READ, "stat", (int directory, const char *path, struct stat *into, int flags),
           (directory, path, into, flags))
BY_PATH_AT(fstatat64, READ, "stat", (int directory, const char *path, struct stat64 *into, int flags),
           (directory, path, into, flags))
BY_PATH(access, READ, "access", (const char *path, int mode), (path, mode))

DIR *opendir(const char *path) {
    REAL(opendir);
    OBEY(DIR *, NULL, meet_at(READ, "opendir", AT_FDCWD, path), real(path));
}

DIR *fdopendir(int fd) {
    REAL(fdopendir);
    OBEY(DIR *, NULL, meet_fd(READ, "opendir", fd), real(fd));
}

struct dirent *readdir(DIR *directory) {
    REAL(readdir);
    OBEY(struct dirent *, NULL, meet_fd(READ, "readdir", dirfd(directory)), real(directory));
}

struct dirent64 *readdir64(DIR *directory) {
    REAL(readdir64);
    OBEY(struct dirent64 *, NULL, meet_fd(READ, "readdir", dirfd(directory)), real(directory));
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

void shim_disarm(void) { armed.counted = 0; }

long shim_count(void) { return armed.count; }

int shim_fired(void) { return armed.fired; }

const char *shim_log(void) { return log_text; }
