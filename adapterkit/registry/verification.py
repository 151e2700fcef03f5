"""Verify whatever a person names: a ref of a registry, or a directory."""

from __future__ import annotations

import os
from pathlib import Path

from adapterkit.artifacts import VerificationReport, verify_directory
from adapterkit.errors import UsageError
from adapterkit.names import AdapterRef
from adapterkit.registry.registry import Registry


def verify(target: str | os.PathLike[str], *, registry: str | os.PathLike[str] | None = None) -> VerificationReport:
    """Verify an artifact with everything it stands on.

    Args:
        target: a ref, or the path of an artifact's directory. A text with a slash is a path; where both could be meant,
            the ref wins. A directory that lies in the registry is verified as the ref it is, with its ancestors; any
            other directory is verified by itself.
        registry: the registry's folder; null means `$ADAPTERKIT_REGISTRY`, or else `adapters`.

    Raises:
        UsageError: the text is neither a ref nor a path.
        RefNotFoundError: the registry does not hold the ref.
    """
    shelf = Registry(registry)
    if isinstance(target, str) and not _is_path(shelf, target):
        return shelf.verify(target)
    path = Path(target)
    ref = _ref_of(shelf, path)
    return shelf.verify(ref) if ref is not None else verify_directory(path)


def _is_path(registry: Registry, text: str) -> bool:
    if os.sep in text or text in (".", ".."):
        return True
    try:
        return not registry.versions(AdapterRef.parse(text).name) and Path(text).is_dir()
    except UsageError:
        if Path(text).is_dir():
            return True
        raise


def _ref_of(registry: Registry, path: Path) -> AdapterRef | None:
    """The ref that a directory has in the registry, when it lies there."""
    whole = path.resolve()
    if whole.parent.parent != registry.path.resolve():
        return None
    try:
        return registry.resolve(f"{whole.parent.name}@{whole.name}").ref
    except UsageError:
        return None
