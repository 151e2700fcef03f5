"""Publish a directory in one step: build it beside its target, then rename it there."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapterkit.stores.files import explained, sync_directory

STAGING_PREFIX = ".staging-"
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}


@contextmanager
def staging_directory(parent: Path) -> Iterator[Path]:
    """A new directory in `parent`, on the same file system as its later place; removed if it is still there at the end.

    Raises:
        RegistryError: the disk refuses the directory.
    """
    staged = parent / f"{STAGING_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    with explained(f"Creating {staged}"):
        parent.mkdir(parents=True, exist_ok=True)
        staged.mkdir()
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def move_into_place(staged: Path, target: Path) -> bool:
    """Rename a staged directory to its place and flush both; False, with nothing changed, when the place is taken.

    The rename is the compare-and-set between publishers: it fails on a directory that holds files. Onto an EMPTY
    directory it would succeed, so nobody may ever create a target beforehand, and one that exists is refused here.

    Raises:
        RegistryError: the disk refuses the rename.
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
        sync_directory(target.parent)
    return True
