"""Publish a directory in one step: build it beside its target, then rename it there.

A staging directory is locked (`flock`) for as long as its owner lives. The kernel lets go of the lock when the owner
dies, of whatever cause, so a staging directory that can be locked is stale. Process ids would be reused, and mean
nothing in another container; a lock follows the directory, needs no file of its own, and is never left behind.

A lock may be unknown to other machines that share the disk. So the name also says which running kernel made the
directory (`.staging-<kernel>-<pid>-<random>`), and nothing of another kernel is taken for stale, unless the caller says
after which time it counts as abandoned. The same goes for a file system that locks no directories (NFS).
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path

from adapterkit.digest import sha256_bytes
from adapterkit.stores.files import explained, make_directory, sync_directory
from adapterkit.stores.lock import lock_at_once

STAGING_PREFIX = ".staging-"
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}
_UNLOCKED = "unlocked"


@contextmanager
def staging_directory(parent: Path) -> Iterator[Path]:
    """A new directory in `parent`, on the same file system as its later place; removed if it is still there at the end.

    What cannot be removed then is stale as soon as this process ends; see `remove_stale_staging`.

    Raises:
        RegistryError: the disk refuses the directory.
    """
    make_directory(parent)
    with explained(f"Creating a staging folder in {parent}"):
        staged, handle = _claim(parent)
    try:
        yield staged
    finally:
        _remove(staged)
        _close(handle)


def move_into_place(staged: Path, target: Path) -> bool:
    """Rename a staged directory to its place and flush both; False, with nothing changed, when the place is taken.

    The rename is the compare-and-set between publishers: it fails on a directory that holds files. Onto an EMPTY
    directory it would succeed, so nobody may ever create a target beforehand, and one that exists is refused here.

    Raises:
        RegistryError: the disk refuses the rename, or refuses to flush it; then the target is in place all the same.
    """
    with explained(f"Publishing {target}"):
        sync_directory(staged)
        if os.path.lexists(target):
            return False
        try:
            os.rename(staged, target)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
    flush_place(target)
    return True


def flush_place(target: Path) -> None:
    """Flush the entry of what was put in its place, so that a power cut cannot undo that.

    Raises:
        RegistryError: the disk refuses.
    """
    again = "It is in place and whole, but until it is flushed a power cut may undo that; do it again to flush it"
    with explained(f"Flushing {target} ({again})"):
        sync_directory(target.parent)


def stale_staging(parent: Path, *, abandoned_after: timedelta | None = None) -> list[Path]:
    """The staging directories in a folder that nobody will ever finish, sorted.

    Args:
        parent: the folder; it need not exist.
        abandoned_after: when a staging directory of another machine, or of this one before it was last started, counts
            as abandoned: the time since anything in it was written. None means never.
    """
    found = []
    for folder in _staging_directories(parent):
        if (handle := _take(folder, abandoned_after)) is not None:
            found.append(folder)
            _close(handle)
    return found


def remove_stale_staging(parent: Path, *, abandoned_after: timedelta | None = None) -> list[Path]:
    """Remove what `stale_staging` finds, as far as the disk lets it, and return what is gone. It never raises."""
    removed = []
    for folder in _staging_directories(parent):
        if (handle := _take(folder, abandoned_after)) is not None:
            _remove(folder)
            _close(handle)
            removed += [] if os.path.lexists(folder) else [folder]
    return removed


def _claim(parent: Path) -> tuple[Path, int]:
    """Make a staging directory and lock it; when a collector takes it before it is locked, another is made."""
    maker = _kernel()
    while True:
        staged = parent / f"{STAGING_PREFIX}{maker}-{os.getpid()}-{secrets.token_hex(4)}"
        staged.mkdir()
        try:
            handle, locked = _hold(staged)
        except (BlockingIOError, FileNotFoundError):
            continue
        except OSError:
            with suppress(OSError):
                staged.rmdir()
            raise
        if locked or maker == _UNLOCKED:
            return staged, handle
        _close(handle)
        staged.rmdir()
        maker = _UNLOCKED


def _take(folder: Path, abandoned_after: timedelta | None) -> int | None:
    """A handle on a staging directory without an owner, which keeps it locked; None when its owner may be alive."""
    try:
        handle, locked = _hold(folder)
    except OSError:
        return None
    of_this_kernel = folder.name.startswith(f"{STAGING_PREFIX}{_kernel()}-")
    if (locked and of_this_kernel) or _is_older(folder, abandoned_after):
        return handle
    _close(handle)
    return None


def _hold(folder: Path) -> tuple[int, bool]:
    """Open a staging directory and lock it; False when its file system locks no directories.

    Raises:
        BlockingIOError: somebody else holds it.
        FileNotFoundError: it was removed, or renamed to its place, before it was locked.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        locked = lock_at_once(handle)
        if not os.path.samestat(os.fstat(handle), os.stat(folder, follow_symlinks=False)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    except OSError:
        _close(handle)
        raise
    return handle, locked


def _remove(folder: Path) -> None:
    """Remove a directory as far as the disk lets it; nothing that fails here may hide what failed before."""
    with suppress(OSError):  # In Python 3.11 a failing fstat escapes `ignore_errors`.
        shutil.rmtree(folder, ignore_errors=True)


def _close(handle: int) -> None:
    with suppress(OSError):
        os.close(handle)


def _is_older(folder: Path, age: timedelta | None) -> bool:
    """Whether nothing in a directory was written for some time; a clock that runs behind only makes it younger."""
    if age is None:
        return False
    try:
        newest = max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return False
    return time.time() - newest > age.total_seconds()


def _staging_directories(parent: Path) -> list[Path]:
    try:
        with os.scandir(parent) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.name.startswith(STAGING_PREFIX))
    except OSError:
        return []


@cache
def _kernel() -> str:
    """What tells this running kernel from any other, and from itself before its last start; its containers share it."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        text = f"{socket.gethostname()} {uuid.getnode()}"
    return sha256_bytes(text.encode("utf-8"))[:12]
