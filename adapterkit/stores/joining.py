"""A file that joins a published directory: there whole or not at all, and never over another one unasked."""

from __future__ import annotations

import os
from pathlib import Path

from adapterkit.stores.files import explained, sync_directory, write_file
from adapterkit.stores.staging import staging_directory


def add_file(path: Path, data: bytes, *, replace: bool = False) -> bool:
    """Write a file into a directory that others may be reading.

    It is made beside the directory, where nobody counts it among the directory's files, and linked in: of two writers
    one wins.

    Args:
        path: where it shall be.
        data: all of it.
        replace: put it in place of a file that is there.

    Returns:
        False, with nothing changed, when a file is there and may not be replaced.

    Raises:
        RegistryError: the disk refuses.
    """
    with staging_directory(path.parent.parent) as staged, explained(f"Adding {path}"):
        write_file(staged / path.name, data)
        try:
            os.replace(staged / path.name, path) if replace else os.link(staged / path.name, path)
        except FileExistsError:
            return False
        sync_directory(path.parent)
    return True
