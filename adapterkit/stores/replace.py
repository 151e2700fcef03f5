"""Replace files of a folder that is in use: a reader meets the old ones or the new ones, never half of either."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from adapterkit.stores.files import explained, sync_directory, write_file
from adapterkit.stores.staging import remove_stale_staging, staging_directory


def replace_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a directory, made if it is missing, in place of those that bear the same names.

    All are written and flushed aside first, and those whose bytes are there already stay. A single file that differs is
    renamed over the old one: there is no moment without it. When several differ, the LAST is taken away before another
    is replaced and is put in place when all others are: whoever looks for it has a whole set, or finds none.

    Args:
        directory: the directory.
        files: contents by name; last the one without which no reader takes the others.

    Raises:
        RegistryError: the disk refuses; the old files are in place again, unless the disk refuses that too.
    """
    remove_stale_staging(directory)
    with staging_directory(directory) as staged, explained(f"Writing {', '.join(files)} in {directory}"):
        changed = [name for name, data in files.items() if not _holds(directory / name, data)]
        for name in changed:
            write_file(staged / name, files[name])
        if len(changed) > 1:
            _replace_set(directory, staged, changed)
        elif changed:
            os.replace(staged / changed[0], directory / changed[0])
        sync_directory(directory)


def _replace_set(directory: Path, staged: Path, names: list[str]) -> None:
    """Move the old files aside, the last first, and the new ones in, the last last; undo it all when one step fails."""
    aside = staged / "old"
    aside.mkdir()
    held = {name for name in names if os.path.lexists(directory / name)}
    try:
        for name in reversed(names):
            if name in held:
                os.rename(directory / name, aside / name)
        for name in names:
            os.rename(staged / name, directory / name)
    except OSError:
        with suppress(OSError):
            _undo(directory, aside, names, held)
        raise


def _undo(directory: Path, aside: Path, names: list[str], held: set[str]) -> None:
    """Put back what lies aside, the last last; the first failure ends it, lest the old last stand by a new one."""
    for name in names:
        if name not in held:
            (directory / name).unlink(missing_ok=True)
        elif os.path.lexists(aside / name):
            os.replace(aside / name, directory / name)


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False
