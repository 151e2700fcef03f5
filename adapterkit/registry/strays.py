"""What stands in the place of an adapter and holds no version that can be used: told, so that nobody wonders."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from adapterkit.errors import RegistryError
from adapterkit.registry.aliases import alias_names, last_move
from adapterkit.registry.layout import folders_of, is_name, links_among, refuse_links


@dataclass(frozen=True)
class Stray:
    """Something in a registry that is no adapter which can be used: its name, where it is, and what is wrong."""

    name: str
    path: Path
    problem: str


def strays(registry: Path, known: Container[str]) -> list[Stray]:
    """Links, folders that cannot be read, and aliases of adapters that have no version any more; sorted.

    Args:
        registry: the registry's folder.
        known: the names that have a version.

    Raises:
        RegistryError: the folder cannot be listed.
    """
    names = sorted({*folders_of(registry), *links_among(registry)})
    found = ((name, _problem(registry / name)) for name in names if is_name(name) and name not in known)
    return [Stray(name, registry / name, problem) for name, problem in found if problem is not None]


def _problem(folder: Path) -> str | None:
    try:
        refuse_links(folder)
        folders_of(folder)
        moved = [alias for alias in alias_names(folder) if last_move(folder, alias)]
    except RegistryError as error:
        return str(error)
    if not moved:
        return None
    return (
        f"{folder} holds no version, and these aliases of one: {', '.join(moved)}. Bring the versions back, or remove "
        "the folder"
    )
