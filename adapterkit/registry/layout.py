"""How a registry lies on the disk: `<registry>/<name>/<version>/`. The listing is the truth; all else is junk."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from adapterkit.errors import RegistryError, UsageError
from adapterkit.names import Version, check_name
from adapterkit.stores import explained


def list_names(registry: Path) -> list[str]:
    """The names that have at least one version, sorted; none when the folder does not exist.

    Raises:
        RegistryError: the folder cannot be listed.
    """
    return [name for name in folders_of(registry) if is_name(name) and list_versions(registry / name)]


def list_versions(directory: Path) -> list[Version]:
    """The versions in an adapter's folder, oldest first; staging folders, links and other junk do not count.

    A folder that is itself a link holds none: it may lead anywhere.

    Raises:
        RegistryError: the folder cannot be listed.
    """
    with explained(f"Looking at {directory}"):
        if directory.is_symlink():
            return []
    return versions_among(folders_of(directory))


def versions_among(names: Iterable[str]) -> list[Version]:
    """The versions among the names of folders, oldest first."""
    return sorted(version for name in names if (version := _as_version(name)))


def folders_of(directory: str | Path) -> list[str]:
    """The names of the folders in a folder, sorted, links left out; none when it does not exist.

    Raises:
        RegistryError: the folder cannot be listed.
    """
    with explained(f"Listing {directory}"):
        try:
            return sorted(entry.name for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            return []


def links_among(directory: str | Path) -> list[str]:
    """The names of the symbolic links in a folder, sorted; none when it does not exist.

    Raises:
        RegistryError: the folder cannot be listed.
    """
    with explained(f"Listing {directory}"):
        try:
            return sorted(entry.name for entry in os.scandir(directory) if entry.is_symlink())
        except FileNotFoundError:
            return []


def refuse_links(*paths: Path) -> None:
    """Go on only where none of the paths is a symbolic link.

    Raises:
        RegistryError: one is.
    """
    for path in paths:
        if os.path.islink(path):
            raise RegistryError(
                f"{path} is a symbolic link, and is not followed: it may lead anywhere, and what is written through it "
                f"lands there. Put the folder itself in its place, or remove the link: rm {shlex.quote(str(path))}"
            )


def is_name(text: str) -> bool:
    """Whether an adapter may bear that name."""
    try:
        return check_name(text) == text
    except UsageError:
        return False


def _as_version(text: str) -> Version | None:
    try:
        return Version.parse(text)
    except UsageError:
        return None
