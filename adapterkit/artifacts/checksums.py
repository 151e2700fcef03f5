"""checksums.json: the sha256 of every other file of an artifact, in one exact byte form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.artifacts.signature_files import SIGNATURE_FILES
from adapterkit.artifacts.strict_json import parse_json
from adapterkit.digest import canonical_json, json_digest, sha256_bytes, sha256_file
from adapterkit.errors import ArtifactError
from adapterkit.manifest import CHECKSUMS_FILE
from adapterkit.stores import read_file, write_file

_ALGORITHM = "sha256"
MAX_CHECKSUMS_BYTES = 1_000_000


@dataclass(frozen=True)
class Checksums:
    """The sha256 of each file by name, the exact bytes of checksums.json, and their sha256: the artifact digest."""

    files: Mapping[str, str]
    data: bytes

    @property
    def digest(self) -> str:
        """The artifact digest."""
        return sha256_bytes(self.data)


def write_checksums(directory: Path) -> Checksums:
    """Hash every file of a directory, but for signatures, into a new checksums.json.

    Raises:
        RegistryError: the file exists already, or the disk refuses.
    """
    listed = [path for path in sorted(directory.iterdir()) if path.name not in SIGNATURE_FILES.values()]
    files = {path.name: sha256_file(path) for path in listed}
    data = _encode(files)
    write_file(directory / CHECKSUMS_FILE, data)
    return Checksums(files, data)


def read_checksums(directory: Path) -> Checksums:
    """Read checksums.json; one flipped byte anywhere in it is found here.

    Raises:
        ArtifactError: the bytes are not the exact form that `write_checksums` gives, or their own digest is wrong.
    """
    data = read_file(directory / CHECKSUMS_FILE, limit=MAX_CHECKSUMS_BYTES)
    plain = parse_json(data, CHECKSUMS_FILE)
    files = _table_of(plain)
    if data != _encode(files):
        raise _refusal("is not in the form it was written in: it was edited or damaged")
    return Checksums(files, data)


def read_listed(directory: Path, checksums: Checksums, file: str, *, limit: int) -> bytes:
    """The bytes of a file, and exactly those that a table lists: they may have changed since they were hashed.

    Raises:
        ArtifactError: they are others, more than `limit`, or cannot be read.
    """
    data = read_file(directory / file, limit=limit)
    if sha256_bytes(data) != checksums.files[file]:
        raise ArtifactError.of(file, f"its bytes are not those that {CHECKSUMS_FILE} lists")
    return data


def _encode(files: Mapping[str, str]) -> bytes:
    return canonical_json({"algorithm": _ALGORITHM, "files": dict(files), "digest": json_digest(dict(files))})


def _table_of(plain: Any) -> dict[str, str]:
    files = plain.get("files") if isinstance(plain, dict) else None
    if not isinstance(files, dict) or not all(isinstance(value, str) for value in files.values()):
        raise _refusal("holds no table of files")
    return files


def _refusal(what: str) -> ArtifactError:
    return ArtifactError.of(CHECKSUMS_FILE, what)
