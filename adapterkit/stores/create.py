"""Files that are created once: whole, or not at all, and never over another one unasked."""

from __future__ import annotations

import os
from pathlib import Path

from adapterkit.stores.files import explained, write_file
from adapterkit.stores.staging import flush_place, remove_stale_staging, staging_directory


def create_file(target: Path, data: bytes, *, staging: Path | None = None, replace: bool = False) -> bool:
    """Put a new file in place in one step, also where others are reading.

    A hard link is the compare-and-set between processes: unlike a rename it fails where something stands already.

    Args:
        target: where it shall be.
        data: all of it.
        staging: the folder to make it in, on the same file system; null: the target's own.
        replace: put it in place of a file that is there.

    Returns:
        False, with nothing changed, when the place is taken and may not be replaced.

    Raises:
        RegistryError: the disk refuses the file, or refuses to flush it; then it is in place all the same.
    """
    where = staging or target.parent
    remove_stale_staging(where)
    with staging_directory(where) as staged, explained(f"Creating {target}"):
        write_file(staged / target.name, data)
        try:
            os.replace(staged / target.name, target) if replace else os.link(staged / target.name, target)
        except FileExistsError:
            return False
    flush_place(target)
    return True
