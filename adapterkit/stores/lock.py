"""A lock between processes that change one folder: many may add to it at once, and one alone may take away."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from adapterkit.stores.files import explained, make_directory

LOCK_FILE = ".lock"
# Said by file systems that lock no folders, such as NFS.
_NO_LOCKS = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def adding_to(folder: Path) -> Iterator[None]:
    """Hold the folder so that nothing is taken away from it; others may add at the same time.

    Raises:
        RegistryError: the folder cannot be created or locked.
    """
    with _locked(folder, fcntl.LOCK_SH):
        yield


@contextmanager
def taking_from(folder: Path) -> Iterator[None]:
    """Hold the folder alone. The kernel releases the lock when its holder dies, however that happens.

    Raises:
        RegistryError: the folder cannot be created or locked.
    """
    with _locked(folder, fcntl.LOCK_EX):
        yield


def lock_at_once(handle: int) -> bool:
    """Lock an open folder for this process alone; False when its file system locks no folders.

    Raises:
        BlockingIOError: somebody else holds it.
        OSError: it cannot be locked for another reason.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder that is there, and leave nothing in it; on a file system that locks no folders nothing is held.

    Raises:
        BlockingIOError: another process holds it, or this one does already.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        lock_at_once(handle)
        yield
    finally:
        with suppress(OSError):
            os.close(handle)


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[None]:
    with explained(f"Locking {folder}"):
        make_directory(folder)
        handle = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        with explained(f"Locking {folder}"):
            fcntl.flock(handle, kind)
        yield
    finally:
        with suppress(OSError):
            os.close(handle)
