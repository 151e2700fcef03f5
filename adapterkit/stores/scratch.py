"""Folders for what is made on the way to a registry: gone with the process, and with the next one if it was killed."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapterkit.errors import RegistryError
from adapterkit.stores.files import explained
from adapterkit.stores.staging import remove_stale_staging, staging_directory


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A new folder below `$TMPDIR` that no other user may look into; removed at the end.

    What killed processes left there is removed first.

    Raises:
        RegistryError: the disk refuses, or somebody else's folder stands in the place.
    """
    place = Path(tempfile.gettempdir()) / f"adapterkit-{os.getuid()}"
    with explained(f"Creating {place}"):
        place.mkdir(mode=0o700, exist_ok=True)
        _require_private(place)
    remove_stale_staging(place)
    with staging_directory(place) as folder:
        yield folder


def _require_private(place: Path) -> None:
    """In a folder that all may write to, anybody may have made it first, or a link of that name."""
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise RegistryError(
            f"{place} is not a folder of this user's alone, and what is made there could be exchanged. Remove it, or "
            "name another place: TMPDIR=FOLDER"
        )
