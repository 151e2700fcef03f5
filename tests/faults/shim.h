/* What the two halves of the preloaded library say to each other: `shim.c` decides, `calls.c` obeys. */
#ifndef SHIM_H
#define SHIM_H

/* What a call does. SPACE asks the disk for room; it is a part of CHANGE. */
enum kind { READ = 1, CHANGE = 2, SPACE = 4, GROW = CHANGE | SPACE };
/* What a call is told to do. */
enum order { PROCEED, REFUSE, DENY_AFTER, DIE_AFTER, HALF, HALF_THEN_DIE };

/* Whether calls are counted at all. */
int shim_counts(void);
/* A call was met, on a path, on two, or on an open file: what shall it do? REFUSE has set errno. */
enum order shim_meet_path(int kind, const char *call, int directory, const char *path);
enum order shim_meet_paths(int kind, const char *call, int from, const char *path, int to, const char *other);
enum order shim_meet_fd(int kind, const char *call, int fd);
/* What comes after a call was made: death, the lie that it failed (and errno), or nothing. */
int shim_denied(enum order order);

#endif
