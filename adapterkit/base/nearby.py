"""What a base's id leads to on this machine now: nothing is downloaded, converted or loaded, nor hashed twice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from adapterkit.base import wheel
from adapterkit.base.cache import cache_root
from adapterkit.base.locate import local_folder
from adapterkit.base.tokenizer_digest import tokenizer_digest
from adapterkit.digest import sha256_bytes
from adapterkit.errors import AdapterKitError, RegistryError
from adapterkit.stores import replace_files

_FILES = ("*.safetensors", "config.json")


def nearby_digests(base_id: str, revision: str | None) -> tuple[str, str | None] | None:
    """The `source_digest` and `tokenizer_digest` of a base as it lies here; None when it does not.

    The first is remembered in the user's cache with size and time of every file, and hashed again when one of them
    changed. That is good enough to tell what is stale; loading and training always hash.
    """
    folder = nearby_folder(base_id, revision)
    if folder is None:
        return None
    try:
        return _remembered(folder, _source_digest), tokenizer_digest(folder)
    except AdapterKitError:
        return None


def _source_digest(folder: Path) -> str:
    from adapterkit.base.source_digest import source_digest

    return source_digest(folder)


def nearby_folder(base_id: str, revision: str | None) -> Path | None:
    """The folder of a base as it lies here; None when it does not."""
    if base_id.startswith(wheel.PREFIX):
        return wheel.converted_folder(base_id)
    return local_folder(base_id) or _in_hub_cache(base_id, revision)


def _in_hub_cache(base_id: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(base_id, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError, ValueError):
        return None


def _remembered(folder: Path, compute: Callable[[Path], str]) -> str:
    """A digest of a folder, computed again only when a file's name, size, time or inode differs."""
    seen = _stamps(folder)
    memory = cache_root() / "source_digests" / f"{sha256_bytes(os.fsencode(folder))[:32]}.json"
    try:
        known = json.loads(memory.read_text("utf-8"))
        if known["files"] == seen:
            return str(known["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    digest = compute(folder)
    _keep(memory, {"files": seen, "digest": digest})
    return digest


def _stamps(folder: Path) -> dict[str, list[int]]:
    found = {}
    for path in sorted(path for pattern in _FILES for path in folder.glob(pattern)):
        known = path.stat()
        found[path.name] = [known.st_size, known.st_mtime_ns, known.st_ino]
    return found


def _keep(memory: Path, value: dict[str, Any]) -> None:
    """Remember; a cache that cannot be written only means that the next look hashes again."""
    with suppress(RegistryError):
        replace_files(memory.parent, {memory.name: json.dumps(value).encode("utf-8")})
