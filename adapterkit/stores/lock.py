"""A lock between processes that change one folder: many may add to it at once, and one alone may take away."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from adapterkit.stores.files import explained, make_directory

LOCK_FILE = ".lock"


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
