"""Whether a directory is an intact artifact: every byte accounted for, every statement consistent with the weights."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from adapterkit.artifacts.adapter_config import MAX_CONFIG_BYTES
from adapterkit.artifacts.checksums import MAX_CHECKSUMS_BYTES, Checksums, read_checksums, read_listed
from adapterkit.artifacts.keys import PublicKey
from adapterkit.artifacts.plain_yaml import MAX_YAML_BYTES, yaml_problem
from adapterkit.artifacts.signature_files import ED25519_BYTES, ED25519_FILE, MAX_OPENSSF_BYTES, OPENSSF_FILE
from adapterkit.artifacts.signatures import check_signatures, present_signatures
from adapterkit.artifacts.strict_json import parse_json
from adapterkit.artifacts.weights import Measured, measure
from adapterkit.digest import sha256_file
from adapterkit.errors import ArtifactError
from adapterkit.manifest import (
    ADAPTER_CONFIG_FILE,
    CARD_FILE,
    CHECKSUMS_FILE,
    MANDATORY_FILES,
    MANIFEST_FILE,
    OPTIONAL_FILES,
    TRAINING_CONFIG_FILE,
    TRAINING_METRICS_FILE,
    WEIGHTS_FILE,
    AdapterShape,
    Manifest,
)
from adapterkit.names import AdapterRef
from adapterkit.problem import DAMAGE, Problem
from adapterkit.stores import read_file

MAX_TEXT_BYTES = 16_000_000
# Rank 1024 on every linear layer of a model of 70 billion parameters, in float32.
MAX_WEIGHTS_BYTES = 64 << 30
_T = TypeVar("_T")
_SIGNATURES = (ED25519_FILE, OPENSSF_FILE)
# Every name that may stand in an artifact, and how large it may be: known before a byte is read.
_LIMITS: Mapping[str, int] = {
    **dict.fromkeys((*MANDATORY_FILES, *OPTIONAL_FILES), MAX_TEXT_BYTES),
    WEIGHTS_FILE: MAX_WEIGHTS_BYTES,
    ADAPTER_CONFIG_FILE: MAX_CONFIG_BYTES,
    TRAINING_CONFIG_FILE: MAX_YAML_BYTES,
    CHECKSUMS_FILE: MAX_CHECKSUMS_BYTES,
    ED25519_FILE: ED25519_BYTES,
    OPENSSF_FILE: MAX_OPENSSF_BYTES,
}
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")


@dataclass(frozen=True)
class VerificationReport:
    """What a verification looked at and found.

    Attributes:
        path: the directory.
        ref: the exact ref, as far as it is known.
        problems: everything found wrong; empty means intact.
        manifest: the manifest, when it could be read.
        digest: the artifact digest (sha256 of checksums.json), when it could be read.
        files: how many files were hashed.
        tensors: how many tensors were hashed and searched for NaN.
        ancestors: how many ancestors were verified with it.
        ancestors_in: the registry that these were looked for in, where it is not simply the one that was named.
        signatures: the signature files that are there, checked or not.
        signers: fingerprints of the given keys that signed it; empty when no key was given.
    """

    path: Path
    ref: AdapterRef | None = None
    problems: tuple[Problem, ...] = ()
    manifest: Manifest | None = None
    digest: str | None = None
    files: int = 0
    tensors: int = 0
    ancestors: int = 0
    ancestors_in: Path | None = None
    signatures: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong: no problem was found, and nothing stayed unread."""
        return not self.problems and self.agrees

    @property
    def agrees(self) -> bool:
        """Whether all files are as `checksums.json` lists them; only signatures by given keys may be amiss."""
        damaged = any(problem.kind == DAMAGE for problem in self.problems)
        return not damaged and self.manifest is not None and self.digest is not None


def verify_directory(path: Path, *, keys: Sequence[PublicKey] = ()) -> VerificationReport:
    """Verify one artifact's directory by itself; its ancestors are the registry's business.

    The bytes come first. While any of them is wrong nothing is parsed, so a problem names the file at fault alone.

    Args:
        path: the directory.
        keys: when there are any, a valid signature by one of them is demanded.

    Raises:
        MissingExtraError: a signature cannot be checked without a package that is not installed.
    """
    try:
        return _verify_directory(path, keys)
    except OSError as error:
        where = Path(error.filename).name if isinstance(error.filename, str) else str(path)
        return VerificationReport(path, problems=(Problem(where, f"cannot be read: {error.strerror or error}"),))


def _verify_directory(path: Path, keys: Sequence[PublicKey]) -> VerificationReport:
    if problems := tuple(_layout_problems(path)):
        return VerificationReport(path, problems=problems)
    try:
        checksums = read_checksums(path)
        problems = tuple(_byte_problems(path, checksums))
    except ArtifactError as error:
        return VerificationReport(path, problems=_as_problems(error))
    files = len(checksums.files) + 1
    if problems:
        return VerificationReport(path, problems=problems, digest=checksums.digest, files=files)
    report = _verify_content(path, checksums, files)
    return _with_signatures(report, checksums.digest, keys)


def _with_signatures(report: VerificationReport, digest: str, keys: Sequence[PublicKey]) -> VerificationReport:
    report = replace(report, signatures=present_signatures(report.path))
    if not keys:
        return report
    found = check_signatures(report.path, digest, keys)
    return replace(report, problems=(*report.problems, *found.problems), signers=found.signers)


def _layout_problems(path: Path) -> Iterator[Problem]:
    """What the listing of the directory already shows."""
    try:
        entries = {entry.name: entry.stat(follow_symlinks=False) for entry in os.scandir(path)}
    except (OSError, ValueError) as error:
        # A ValueError: the path holds a NUL, or what is no Unicode.
        yield Problem(str(path), f"cannot be read as a directory: {getattr(error, 'strerror', None) or error}")
        return
    for name, found in sorted(entries.items()):
        if what := _entry_problem(name, found):
            yield Problem(name, what)
    for name in MANDATORY_FILES:
        if name not in entries:
            yield Problem(name, "is missing")


def _entry_problem(name: str, found: os.stat_result) -> str | None:
    mode = found.st_mode
    if stat.S_ISLNK(mode):
        return "is a symbolic link; an artifact holds plain files only"
    if not stat.S_ISREG(mode):
        return f"is a {'directory' if stat.S_ISDIR(mode) else 'special file'}; an artifact holds plain files only"
    if name.endswith(_PICKLES):
        return "may be a pickle, which runs code when it is loaded; weights are safetensors only"
    if name not in _LIMITS:
        return "does not belong to an artifact"
    return f"is larger than {_LIMITS[name]} bytes" if found.st_size > _LIMITS[name] else None


def _byte_problems(path: Path, checksums: Checksums) -> Iterator[Problem]:
    """Files that the table lacks, that lack in the directory, or whose bytes are not the recorded ones."""
    present = {entry.name for entry in os.scandir(path)} - {CHECKSUMS_FILE, *_SIGNATURES}
    for name in sorted(present | set(checksums.files)):
        if name in _SIGNATURES or name == CHECKSUMS_FILE:
            yield Problem(CHECKSUMS_FILE, f"lists {name}, which it cannot")
        elif name not in checksums.files:
            yield Problem(name, f"is not listed in {CHECKSUMS_FILE}")
        elif name not in present:
            yield Problem(name, f"is listed in {CHECKSUMS_FILE} and missing")
        elif what := _hash_problem(path / name, checksums.files[name]):
            yield Problem(name, what)


def _hash_problem(path: Path, wanted: str) -> str | None:
    try:
        found = sha256_file(path)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None if found == wanted else f"its bytes were changed: sha256 {found[:12]}... is not {wanted[:12]}..."


def _verify_content(path: Path, checksums: Checksums, files: int) -> VerificationReport:
    """Check, with all bytes as published, that the files are sound and agree with each other."""
    problems: list[Problem] = []
    manifest = _attempt(partial(_read_manifest, path, checksums), problems)
    measured = _attempt(partial(measure, path), problems)
    for name in (TRAINING_METRICS_FILE, *OPTIONAL_FILES):
        if name.endswith(".json") and (path / name).exists():
            _attempt(partial(_read_table, path / name), problems)
    _attempt(partial(_check_texts, path), problems)
    if measured is not None:
        problems += measured.problems
    if manifest is not None and measured is not None:
        problems += _contradictions(manifest, measured)
    return VerificationReport(
        path=path,
        ref=manifest.ref if manifest else None,
        problems=tuple(problems),
        manifest=manifest,
        digest=checksums.digest,
        files=files,
        tensors=measured.tensors if measured else 0,
    )


def _attempt(read: Callable[[], _T], problems: list[Problem]) -> _T | None:
    try:
        return read()
    except ArtifactError as error:
        problems += _as_problems(error)
        return None


def _as_problems(error: ArtifactError) -> tuple[Problem, ...]:
    # An error that lists nothing still is one.
    return error.problems or (Problem(MANIFEST_FILE, str(error)),)


def _read_manifest(path: Path, checksums: Checksums) -> Manifest:
    data = read_listed(path, checksums, MANIFEST_FILE, limit=MAX_TEXT_BYTES)
    return Manifest.from_json(parse_json(data, MANIFEST_FILE))


def _read_table(path: Path) -> dict[str, Any]:
    plain = parse_json(read_file(path, limit=MAX_TEXT_BYTES), path.name)
    if not isinstance(plain, dict):
        raise ArtifactError(f"{path}: is not a JSON object", [Problem(path.name, "is not a JSON object")])
    return plain


def _check_texts(path: Path) -> None:
    """Refuse YAML that must not be parsed, and a card that is not UTF-8 text."""
    found = []
    if what := yaml_problem(read_file(path / TRAINING_CONFIG_FILE, limit=MAX_YAML_BYTES)):
        found.append(Problem(TRAINING_CONFIG_FILE, what))
    try:
        read_file(path / CARD_FILE, limit=MAX_TEXT_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        found.append(Problem(CARD_FILE, "is not UTF-8 text"))
    if found:
        raise ArtifactError(str(found[0]), found)


def _contradictions(manifest: Manifest, measured: Measured) -> Iterator[Problem]:
    """Where the manifest says one thing and the adapter's own files another."""
    if manifest.weights_digest != measured.digest:
        yield Problem(
            WEIGHTS_FILE, f"is not the adapter that {MANIFEST_FILE} names: weights_digest {measured.digest[:12]}..."
        )
    for key in AdapterShape.__dataclass_fields__:
        said, real = getattr(manifest.adapter, key), getattr(measured.shape, key)
        if said != real and (key, said) != ("dtype", None):
            yield Problem(MANIFEST_FILE, f"says adapter.{key} is {said}, and it is {real}")
    if measured.settings.base_id != manifest.base.identity.id:
        yield Problem(
            ADAPTER_CONFIG_FILE, f"names the base {measured.settings.base_id}, not {manifest.base.identity.id}"
        )
