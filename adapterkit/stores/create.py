"""Files that are created once: whole, or not at all, and never over another."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from adapterkit.stores.files import explained, sync_directory, write_file
from adapterkit.stores.staging import STAGING_PREFIX


def create_file(target: Path, data: bytes) -> bool:
    """Put a new file in place in one step; False, with nothing changed, when the place is taken.

    A hard link is the compare-and-set between processes: unlike a rename it fails where something stands already.

    Raises:
        RegistryError: the disk refuses.
    """
    with explained(f"Creating {target.parent}"):
        target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.parent / f"{STAGING_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        write_file(staged, data)
        with explained(f"Creating {target}"):
            try:
                os.link(staged, target)
            except FileExistsError:
                return False
            for folder in (target.parent, target.parent.parent):
                sync_directory(folder)
    finally:
        with suppress(OSError):
            staged.unlink()
    return True
