"""One fast pass over a whole registry: what every version says of itself, for tables of thousands.

Nothing is hashed, and of a manifest only the kinds of what a table shows are checked. Whoever uses an adapter reads it
strictly, through `Registry.manifest` or `Registry.artifact`.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapterkit.errors import RegistryError
from adapterkit.manifest import MANDATORY_FILES, MANIFEST_FILE, WEIGHTS_FILE, RecipeRecord
from adapterkit.names import Version
from adapterkit.registry.aliases import ALIASES_FOLDER
from adapterkit.registry.glance import Glance, manifest_bytes, parse_at_a_glance
from adapterkit.registry.layout import folders_of, is_name, versions_among
from adapterkit.texts import excerpt

_MANDATORY = frozenset(MANDATORY_FILES)


@dataclass(slots=True)
class Entry:
    """One version as its directory shows it.

    Attributes:
        name: the adapter.
        version: its version.
        path: its directory.
        glance: what it says of itself; null when that cannot be read, or is said of another adapter.
        problem: what is wrong at first sight; null when nothing is.
        moved: whether an alias of the adapter was ever moved.
        ref: the exact ref.
        parents: its ancestors root-first: exact ref and bound weights digest.
    """

    name: str
    version: Version
    path: str
    glance: Glance | None
    problem: str | None
    moved: bool

    # Asked for many times each.
    ref: str = field(init=False)
    parents: list[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        """Derive what follows from the rest."""
        self.ref = f"{self.name}@{self.version}"
        members = self.glance.lineage[:-1] if self.glance else []
        self.parents = [(member.ref, member.weights_digest) for member in members]

    @property
    def readable(self) -> Glance:
        """What it says of itself, for whoever cannot do without.

        Raises:
            RegistryError: that cannot be read.
        """
        if self.glance is None:
            raise RegistryError(f"{self.ref}: {self.problem}")
        return self.glance

    @property
    def parent(self) -> str | None:
        """The exact ref of what it stands on; null on the bare base."""
        return self.parents[-1][0] if self.parents else None

    @property
    def weights_digest(self) -> str:
        """What binds children to it; empty when the manifest cannot be read."""
        return self.glance.weights_digest if self.glance else ""

    @property
    def recipe(self) -> RecipeRecord | None:
        """How to train it again; null where nobody knows."""
        return self.glance.recipe if self.glance else None


@contextmanager
def without_collector() -> Iterator[None]:
    """A survey and what follows from it make no garbage; looking for some again and again takes half the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@without_collector()
def survey(registry: Path) -> dict[str, list[Entry]]:
    """Every version of every adapter: name -> entries, oldest first; names sorted.

    Raises:
        RegistryError: the folder cannot be listed.
    """
    found = {}
    for name in folders_of(registry):
        try:
            folders = folders_of(f"{registry}/{name}") if is_name(name) else []
        except RegistryError:
            continue  # One that cannot be listed must not hide the others; see `strays`.
        if versions := versions_among(folders):
            moved = ALIASES_FOLDER in folders or os.path.islink(f"{registry}/{name}/{ALIASES_FOLDER}")
            found[name] = [_entry(name, version, f"{registry}/{name}/{version}", moved) for version in versions]
    return found


def _entry(name: str, version: Version, path: str, moved: bool) -> Entry:
    manifest = None
    try:
        files = _plain_files(path)
        missing = sorted(_MANDATORY.difference(files))
        problem = f"{', '.join(missing)} missing" if missing else None
        if MANIFEST_FILE not in missing:
            manifest = parse_at_a_glance(manifest_bytes(f"{path}/{MANIFEST_FILE}"))
            problem = problem or _contradiction(manifest, f"{name}@{version}") or _cut(files[WEIGHTS_FILE], manifest)
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    except (ValueError, RecursionError) as error:
        problem = f"{MANIFEST_FILE} is not a manifest: {error}"
    return Entry(name, version, path, manifest if manifest and manifest.name == name else None, problem, moved)


def _plain_files(folder: str) -> dict[str, os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return {entry.name: entry for entry in entries if entry.is_file(follow_symlinks=False)}


def _cut(weights: os.DirEntry[str], manifest: Glance) -> str | None:
    """Whether the weights are shorter than their numbers, the header of the file not counted."""
    size, least = weights.stat(follow_symlinks=False).st_size, manifest.adapter.bytes
    return None if size > least else f"{WEIGHTS_FILE} was cut: {size:,} bytes are left of more than {least:,}"


def _contradiction(manifest: Glance, ref: str) -> str | None:
    """Whether the manifest is this version's."""
    said = f"{manifest.name}@{manifest.version}"
    if said != ref:
        return f"{MANIFEST_FILE} is that of {excerpt(said)}: a directory was renamed or copied"
    last = manifest.lineage[-1]
    if last.ref != said or last.weights_digest != manifest.weights_digest:
        return f"{MANIFEST_FILE}: the lineage does not end in {said}"
    return None
