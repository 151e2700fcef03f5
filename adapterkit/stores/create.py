"""Files that are created once: whole, or not at all, and never over another."""

from __future__ import annotations

import os
from pathlib import Path

from adapterkit.stores.files import explained, write_file
from adapterkit.stores.staging import flush_place, remove_stale_staging, staging_directory


def create_file(target: Path, data: bytes) -> bool:
    """Put a new file in place in one step; False, with nothing changed, when the place is taken.

    A hard link is the compare-and-set between processes: unlike a rename it fails where something stands already.

    Raises:
        RegistryError: the disk refuses the file, or refuses to flush it; then it is in place all the same.
    """
    remove_stale_staging(target.parent)
    with staging_directory(target.parent) as staged, explained(f"Creating {target}"):
        write_file(staged / target.name, data)
        try:
            os.link(staged / target.name, target)
        except FileExistsError:
            return False
    flush_place(target)
    return True
