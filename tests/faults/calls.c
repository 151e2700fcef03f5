/* The calls that are interposed: each asks `shim.c` what to do, and does it. */
#define _GNU_SOURCE
#define _LARGEFILE64_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim.h"

#define REAL(name)                         \
    static __typeof__(&name) real;         \
    if (!real)                             \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* Do a call, unless it is refused. */
#define OBEY(type, failed, orders, call)   \
    do {                                   \
        enum order told = (orders);        \
        if (told == REFUSE)                \
            return failed;                 \
        type result = (call);              \
        return shim_denied(told) ? failed : result; \
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
        return shim_denied(told) ? -1 : result;         \
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
        OBEY(int, -1, shim_meet_path(open_kind(flags), "open", AT_FDCWD, path), real(path, flags, mode));        \
    }
#define OPENAT(name)                                                                                      \
    int name(int directory, const char *path, int flags, ...) {                                           \
        REAL(name);                                                                                       \
        va_list arguments;                                                                                \
        va_start(arguments, flags);                                                                       \
        mode_t mode = mode_argument(flags, arguments);                                                    \
        va_end(arguments);                                                                                \
        OBEY(int, -1, shim_meet_path(open_kind(flags), "open", directory, path), real(directory, path, flags, mode)); \
    }
#define CREAT(name)                                                                                       \
    int name(const char *path, mode_t mode) {                                                             \
        REAL(name);                                                                                       \
        OBEY(int, -1, shim_meet_path(GROW, "open", AT_FDCWD, path), real(path, mode));                           \
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
    if (shim_counts()) {
        long flags = syscall(SYS_fcntl, fd, F_GETFL);
        if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
            order = shim_meet_fd(CHANGE, "close", fd);
    }
    int result = real(fd);
    if (shim_denied(order == REFUSE ? DENY_AFTER : order))
        return -1;
    return result;
}

/* ---- writing ---- */

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    OBEY_WRITE(shim_meet_fd(GROW, "write", fd), size, real(fd, data, part));
}

#define PWRITE(name, offset_type)                                                             \
    ssize_t name(int fd, const void *data, size_t size, offset_type offset) {                 \
        REAL(name);                                                                           \
        OBEY_WRITE(shim_meet_fd(GROW, "write", fd), size, real(fd, data, part, offset));           \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    REAL(writev);
    OBEY_WRITE(shim_meet_fd(GROW, "write", fd), (size_t)count, real(fd, pieces, (int)part));
}

#define PWRITEV(name, offset_type, ...)                                                                   \
    ssize_t name(int fd, const struct iovec *pieces, int count, offset_type offset __VA_OPT__(, int flags)) { \
        REAL(name);                                                                                       \
        OBEY_WRITE(shim_meet_fd(GROW, "write", fd), (size_t)count,                                             \
                   real(fd, pieces, (int)part, offset __VA_OPT__(, flags)));                              \
    }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)
PWRITEV(pwritev2, off_t, flags)
PWRITEV(pwritev64v2, off64_t, flags)

#define SENDFILE(name, offset_type)                                                           \
    ssize_t name(int to, int from, offset_type *offset, size_t size) {                        \
        REAL(name);                                                                           \
        OBEY_WRITE(shim_meet_fd(GROW, "write", to), size, real(to, from, offset, part));           \
    }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *there, size_t size, unsigned flags) {
    REAL(copy_file_range);
    OBEY_WRITE(shim_meet_fd(GROW, "write", to), size, real(from, at, to, there, part, flags));
}

/* ---- calls that change a file or a directory, by what they name ---- */

#define BY_FD(name, kind, call, parameters, arguments)                \
    int name parameters {                                             \
        REAL(name);                                                   \
        OBEY(int, -1, shim_meet_fd(kind, call, fd), real arguments);       \
    }
#define BY_PATH(name, kind, call, parameters, arguments)              \
    int name parameters {                                             \
        REAL(name);                                                   \
        OBEY(int, -1, shim_meet_path(kind, call, AT_FDCWD, path), real arguments); \
    }
#define BY_PATH_AT(name, kind, call, parameters, arguments)           \
    int name parameters {                                             \
        REAL(name);                                                   \
        OBEY(int, -1, shim_meet_path(kind, call, directory, path), real arguments); \
    }
#define BY_TWO(name, kind, call, from, to, parameters, arguments)     \
    int name parameters {                                             \
        REAL(name);                                                   \
        OBEY(int, -1, shim_meet_paths(kind, call, from, path, to, other), real arguments); \
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
        OBEY(int, -1, locks ? shim_meet_fd(CHANGE, "flock", fd) : PROCEED, real(fd, command, argument));  \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

/* ---- reading ---- */

ssize_t read(int fd, void *into, size_t size) {
    REAL(read);
    OBEY(ssize_t, -1, shim_meet_fd(READ, "read", fd), real(fd, into, size));
}

ssize_t pread64(int fd, void *into, size_t size, off64_t offset) {
    REAL(pread64);
    OBEY(ssize_t, -1, shim_meet_fd(READ, "read", fd), real(fd, into, size, offset));
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
    OBEY(DIR *, NULL, shim_meet_path(READ, "opendir", AT_FDCWD, path), real(path));
}

DIR *fdopendir(int fd) {
    REAL(fdopendir);
    OBEY(DIR *, NULL, shim_meet_fd(READ, "opendir", fd), real(fd));
}

struct dirent *readdir(DIR *directory) {
    REAL(readdir);
    OBEY(struct dirent *, NULL, shim_meet_fd(READ, "readdir", dirfd(directory)), real(directory));
}

struct dirent64 *readdir64(DIR *directory) {
    REAL(readdir64);
    OBEY(struct dirent64 *, NULL, shim_meet_fd(READ, "readdir", dirfd(directory)), real(directory));
}
