"""Verify whatever a person names: a ref of a registry, or a directory."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from adapterkit.artifacts import PublicKey, VerificationReport, public_keys, verify_directory
from adapterkit.artifacts.keys import KeyPath
from adapterkit.errors import UsageError
from adapterkit.manifest import Manifest
from adapterkit.names import AdapterRef, Version
from adapterkit.problem import UNSIGNED, Problem
from adapterkit.registry.registry import Registry
from adapterkit.texts import excerpt


def verify(
    target: str | os.PathLike[str] | AdapterRef,
    *,
    registry: str | os.PathLike[str] | None = None,
    keys: KeyPath | Sequence[KeyPath] = (),
) -> VerificationReport:
    """Verify an artifact with everything it stands on.

    Args:
        target: a ref, or the path of an artifact's directory. A text with a slash is a path; where both could be meant,
            the ref wins. A directory that lies in the registry is verified as the ref it is, with its ancestors. Those
            of any other directory are looked for in the registry that it lies in, as far as the folders around it say
            so, else in `registry` where that is given, else they are not; `ancestors_in` says where.
        registry: the registry's folder; null means `$ADAPTERKIT_REGISTRY`, or else `adapters`.
        keys: files of public keys. When there are any, the artifact and every ancestor must bear a valid signature by
            one of them; none means that signatures are not looked at.

    Raises:
        UsageError: the target is neither a ref nor a path, or a key is not the path of a file.
        KeyFileError: a file holds no public key that signatures are checked with.
        RefNotFoundError: the registry does not hold the ref.
        MissingExtraError: a signature cannot be checked without a package that is not installed.
    """
    shelf, trusted = Registry(registry), public_keys(keys)
    if isinstance(target, AdapterRef):
        return shelf.verify(target, keys=trusted)
    if not _is_named(target):
        raise UsageError(
            f"{excerpt(target)} is nothing to verify: give a ref (name, name@1.2.0, name@alias), or the path of an "
            "artifact's folder."
        )
    if isinstance(target, str) and not _is_path(shelf, target):
        return shelf.verify(target, keys=trusted)
    path = Path(target)
    ref = _ref_of(shelf, path)
    if ref is not None:
        return shelf.verify(ref, keys=trusted)
    return _verify_outside(path, shelf if registry is not None else None, trusted)


def _verify_outside(path: Path, given: Registry | None, keys: Sequence[PublicKey]) -> VerificationReport:
    """Verify a directory that does not lie in the registry that was named, if one was."""
    report = verify_directory(path, keys=keys)
    if report.manifest is None or not report.manifest.lineage.parents:
        return report
    if (around := _around(path, report.manifest) or given) is None:
        return _alone(report, report.manifest, keys)
    return dataclasses.replace(around.with_ancestors(report, keys=keys), ancestors_in=around.path)


def _around(path: Path, manifest: Manifest) -> Registry | None:
    """The registry that a directory lies in: `<registry>/<name>/<version>/`, with an ancestor's folder beside it."""
    whole = Path(os.path.realpath(path))
    if (whole.parent.name, whole.name) != (manifest.name, str(manifest.version)):
        return None
    around = Registry(whole.parent.parent)
    return around if any(around.versions(member.ref.name) for member in manifest.lineage.parents) else None


def _alone(report: VerificationReport, manifest: Manifest, keys: Sequence[PublicKey]) -> VerificationReport:
    """Signatures are demanded of ancestors too, which are not at hand."""
    parents = manifest.lineage.parents if keys else ()
    unseen = "is not at hand, so its signature cannot be checked; verify the artifact in its registry, by its ref"
    problems = [Problem(str(member.ref), unseen, UNSIGNED) for member in parents]
    return dataclasses.replace(report, problems=(*report.problems, *problems))


def _is_named(target: object) -> bool:
    return isinstance(target, str | os.PathLike) and bool(os.fspath(target))


def _is_path(registry: Registry, text: str) -> bool:
    if os.sep in text:
        return True
    try:
        return not registry.versions(AdapterRef.parse(text).name) and _is_folder(text)
    except UsageError:
        if _is_folder(text):
            return True
        raise


def _is_folder(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):
        # Too long for a path, or no text that a file system knows.
        return False


def _ref_of(registry: Registry, path: Path) -> AdapterRef | None:
    """The ref that a directory has in the registry, when it lies there."""
    try:
        whole = Path(os.path.realpath(path))
        if whole.parent.parent != Path(os.path.realpath(registry.path)):
            return None
        # By its version alone: a folder of the name of an alias is not what the alias means.
        return registry.resolve(AdapterRef(whole.parent.name, Version.parse(whole.name))).ref
    except (UsageError, OSError, ValueError):
        return None
