"""A style pack on disk: a folder a style, each with a `pack.yaml`; sub-folders are its children."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from adapterkit.artifacts.plain_yaml import MAX_YAML_BYTES, yaml_problem
from adapterkit.data.splits import SPLITS
from adapterkit.digest import json_digest, sha256_file
from adapterkit.errors import DataError, UsageError
from adapterkit.names import check_name, nearest
from adapterkit.texts import excerpt

PACK_FILE = "pack.yaml"
ENDINGS = (".txt", ".jsonl", ".abc")
DEEPEST = 16
_KEYS = ("name", "parent", "tags")
# What people put beside data, and no row comes from.
_BESIDE = ("readme", "license", "licence", "copying", "notice")
_FOLDER_SHAPE = f"A pack is a folder with {PACK_FILE}, texts ({', '.join(ENDINGS)}) and a sub-folder for each child."


@dataclass(frozen=True)
class PackFile:
    """One file of a pack.

    Attributes:
        path: where it lies.
        inside: its path from the pack's own folder on, with `/`.
        styles: the names of the styles that it belongs to, from the whole pack's down.
        split: the split that its folder names; null where none does.
    """

    path: Path
    inside: str
    styles: tuple[str, ...]
    split: str | None


@dataclass(frozen=True)
class Pack:
    """What a folder and all below it hold.

    Attributes:
        name: of the whole.
        tags: for each style its tags.
        files: in the order of their paths, whatever order the disk lists them in.
    """

    name: str
    tags: dict[str, tuple[str, ...]]
    files: tuple[PackFile, ...]


def read_pack(folder: Path) -> Pack:
    """Find every style and file of a pack.

    Raises:
        DataError: the folder is none, or has no `pack.yaml`; a `pack.yaml` is no plain table of name, parent and tags,
            names another parent than the folder above, or a name that another style bears; or there is a link, a file
            of another kind, or a folder deeper than 16.
    """
    if not folder.is_dir():
        what = "This is no folder." if folder.exists() else "There is no such folder."
        raise DataError(f"{what} {_FOLDER_SHAPE}", path=folder)
    tags: dict[str, tuple[str, ...]] = {}
    files = tuple(_walk(folder, "", (), tags))
    return Pack(next(iter(tags)), tags, files)


def pack_digest(folder: Path) -> str | None:
    """Hex sha256 of all that a pack's files hold, with their paths in it; null when it is no pack that can be read."""
    try:
        held = {file.inside: sha256_file(file.path) for file in read_pack(folder).files}
        packs = {each.relative_to(folder).as_posix(): sha256_file(each) for each in folder.rglob(PACK_FILE)}
        return json_digest({**held, **packs})
    except (DataError, OSError):
        return None


def _walk(
    folder: Path, inside: str, above: tuple[str, ...], tags: dict[str, tuple[str, ...]], split: str | None = None
) -> Iterator[PackFile]:
    """The files of one folder and of those below it; `tags` learns the styles."""
    styles = above if split else (*above, _read_settings(folder / PACK_FILE, above, tags))
    if len(inside.split("/")) > DEEPEST:
        raise DataError(f"The folder lies more than {DEEPEST} deep. {_FOLDER_SHAPE}", path=folder)
    for entry in _entries(folder):
        name = f"{inside}{entry.name}"
        if entry.is_dir():
            if split:
                raise DataError(f"'{split}' holds files of its style and no folders.", path=entry)
            yield from _walk(entry, f"{name}/", styles, tags, entry.name if entry.name in SPLITS else None)
        elif entry.name == PACK_FILE and split:
            raise DataError(f"'{split}' is a split of its style and no style: take {PACK_FILE} away.", path=entry)
        elif entry.name != PACK_FILE:
            yield PackFile(entry, name, styles, split)


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder, by name, without hidden files and those that only tell about the pack."""
    try:
        found = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"The folder cannot be read: {error}", path=folder) from error
    return [entry for entry in found if not entry.name.startswith(".") and _is_taken(entry)]


def _is_taken(entry: Path) -> bool:
    try:
        mode = entry.lstat().st_mode
    except OSError as error:
        raise DataError(f"This cannot be looked at: {error}", path=entry) from error
    if stat.S_ISLNK(mode):
        raise DataError("This is a link, which may lead out of the pack or in a circle. Put the file here.", path=entry)
    if stat.S_ISDIR(mode) or entry.name == PACK_FILE:
        return True
    if not stat.S_ISREG(mode):
        raise DataError("This is neither a file nor a folder. Take it out of the pack.", path=entry)
    if entry.stem.casefold() in _BESIDE:
        return False
    if entry.suffix not in ENDINGS:
        raise DataError(
            f"A pack's texts end in {', '.join(ENDINGS)}. Take this out, or give its name a dot in front.", path=entry
        )
    return True


def _read_settings(path: Path, above: tuple[str, ...], tags: dict[str, tuple[str, ...]]) -> str:
    """The name of a style; its tags are kept."""
    table = _table(path)
    name, parent, own = table.get("name"), table.get("parent"), table.get("tags") or []
    for key in table:
        if key not in _KEYS:
            close = nearest(key, _KEYS)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise DataError(f"{excerpt(key)} is no key of a pack; these are: {', '.join(_KEYS)}.{meant}", path=path)
    if not isinstance(name, str):
        raise DataError("There is no name. Write, for example, name: dance_pop", path=path)
    try:
        check_name(name, said_as="name: ")
    except UsageError as error:
        raise DataError(str(error), path=path) from error
    if name in tags:
        raise DataError(f"Another style of this pack is called '{name}' too. Give each a name of its own.", path=path)
    if parent is not None and above and parent != above[-1]:
        raise DataError(
            f"The parent is said to be {excerpt(parent)}, and the folder above is '{above[-1]}'. Correct one of them, "
            "or leave parent out.",
            path=path,
        )
    if not isinstance(parent, str | None):
        raise DataError(f"The parent must be a name, or be left out; this is {excerpt(parent)}.", path=path)
    if parent == name:
        raise DataError(
            f"The parent of '{name}' cannot be '{name}'. Name another style, or leave parent out.", path=path
        )
    if not isinstance(own, list) or not all(isinstance(tag, str) and tag.strip() for tag in own):
        raise DataError("The tags must be a list of texts, such as tags: [dance, fast]", path=path)
    tags[name] = tuple(own)
    return name


def _table(path: Path) -> dict[str, Any]:
    if path.is_symlink() or not path.is_file():
        raise DataError(f"There is no {PACK_FILE} (name, parent, tags) here. {_FOLDER_SHAPE}", path=path.parent)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_YAML_BYTES + 1)
    except OSError as error:
        raise DataError(f"The file cannot be read: {error}", path=path) from error
    if (what := yaml_problem(data)) is not None:
        raise DataError(f"The file {what}. Write plain keys: {', '.join(_KEYS)}.", path=path)
    table: dict[str, Any] = yaml.safe_load(data)
    return table
