"""What lies in a registry and is no part of it: harmless, passed over by everything, and told by a check-up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from adapterkit.errors import RegistryError
from adapterkit.registry.aliases import ALIASES_FOLDER
from adapterkit.registry.layout import is_name, versions_among
from adapterkit.registry.strays import Stray
from adapterkit.stores import explained
from adapterkit.texts import excerpt

_PATH_LENGTH = 300


def oddities(registry: Path) -> list[Stray]:
    """Links in the place of versions, folders that no adapter or version can have, and files; hidden ones left out.

    Raises:
        RegistryError: the folder cannot be listed.
    """
    return [
        Stray(excerpt(name), path, f"{excerpt(str(path), _PATH_LENGTH)} {what}")
        for name, path, what in _found(registry)
    ]


def _found(registry: Path) -> Iterator[tuple[str, Path, str]]:
    for entry in _entries(registry):
        if not entry.is_dir(follow_symlinks=False):
            # A link in the place of an adapter is one of the strays.
            if not (entry.is_symlink() and is_name(entry.name)):
                yield entry.name, Path(entry.path), f"is {_kind(entry)}, and no adapter's folder: move it away"
        elif not is_name(entry.name):
            yield (
                entry.name,
                Path(entry.path),
                "is a folder of a name that no adapter can have: rename it, or move it away",
            )
        else:
            yield from _inside(Path(entry.path))


def _inside(folder: Path) -> Iterator[tuple[str, Path, str]]:
    try:
        entries = _entries(folder)
    except RegistryError:
        return  # One of the strays.
    for entry in entries:
        told, is_version = f"{folder.name}/{entry.name}", bool(versions_among([entry.name]))
        if entry.name == ALIASES_FOLDER:
            continue  # Whatever it is, the aliases tell.
        if not entry.is_dir(follow_symlinks=False):
            place = "stands in the place of a version, and is not one" if is_version else "belongs to no version"
            yield told, Path(entry.path), f"is {_kind(entry)}; it {place}: move it away"
        elif not is_version:
            yield told, Path(entry.path), "is a folder, and its name is no version: rename it, or move it away"


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with explained(f"Listing {folder}"):
        try:
            found = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
        except FileNotFoundError:
            return []
    return sorted(found, key=lambda entry: entry.name)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "a symbolic link, which is not followed"
    return "a file" if entry.is_file(follow_symlinks=False) else "a special file"
