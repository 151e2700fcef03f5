"""Source packages that are fetched: by pip in a child process, by digest, and read without being unpacked."""

import io
import sys
import tarfile
from pathlib import Path

import pytest

from adapterkit.data import sdists
from adapterkit.data.sdists import Sdist, sdist_texts
from adapterkit.digest import sha256_file
from adapterkit.errors import DataError, MissingExtraError

# What pip asks a source package for, by a backend of its own that needs nothing.
BACKEND = """
import os
def get_requires_for_build_wheel(settings=None):
    return []
def prepare_metadata_for_build_wheel(folder, settings=None):
    os.mkdir(f"{folder}/tiny-1.0.dist-info")
    open(f"{folder}/tiny-1.0.dist-info/METADATA", "w").write("Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
    return "tiny-1.0.dist-info"
"""
FILES = {
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "backend.py": BACKEND,
    "PKG-INFO": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    "doc/b.py": "b = 2\n",
    "doc/a.py": "a = 1\n",
    "doc/a.txt": "no",
    "docs/c.py": "c = 3\n",
}


def pack(path: Path, files: dict[str, str]) -> Sdist:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"tiny-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return Sdist("tiny", "1.0", sha256_file(path), "MIT")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADAPTERKIT_CACHE", str(tmp_path / "cache"))
    # Whatever index this machine knows, pip asks none.
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return tmp_path / "cache"


def test_python_files_below_a_folder_are_read_in_order(cache: Path) -> None:
    sdist = pack(cache / "sources" / "tiny-1.0.tar.gz", FILES)
    assert sdist_texts(sdist, "doc") == {"a.py": "a = 1\n", "b.py": "b = 2\n"}
    assert list(sdist_texts(sdist, "doc")) == ["a.py", "b.py"]
    assert sdist.origin == {"sdist:tiny-1.0": sdist.sha256}
    with pytest.raises(DataError, match="holds no Python file under elsewhere"):
        sdist_texts(sdist, "elsewhere")


def test_another_file_than_the_one_that_was_published_is_refused(cache: Path) -> None:
    sdist = pack(cache / "sources" / "tiny-1.0.tar.gz", FILES)
    with sdist.path.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(
        DataError, match=r"tiny-1\.0\.tar\.gz: This is not tiny-1\.0 as it was published.*Delete the file"
    ):
        sdist_texts(sdist, "doc")


def test_it_is_fetched_once_by_pip(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sdist = pack(tmp_path / "shelf" / "tiny-1.0.tar.gz", FILES)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    assert sdist_texts(sdist, "doc") == {"a.py": "a = 1\n", "b.py": "b = 2\n"}
    assert [path.name for path in sdist.path.parent.iterdir()] == ["tiny-1.0.tar.gz"]
    monkeypatch.setattr(sdists, "_fetch", None)
    assert sdist_texts(sdist, "doc")


def test_what_is_not_the_wanted_file_is_never_kept_nor_run(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "was-run"
    wanted = pack(tmp_path / "other" / "tiny-1.0.tar.gz", FILES)
    pack(tmp_path / "shelf" / "tiny-1.0.tar.gz", {**FILES, "backend.py": f"open({str(mark)!r}, 'w')\n"})
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    with pytest.raises(DataError, match=r"tiny-1\.0 cannot be fetched"):
        sdist_texts(wanted, "doc")
    assert not mark.exists()
    assert list(wanted.path.parent.iterdir()) == []


def test_without_a_network_the_way_around_is_told(cache: Path) -> None:
    told = (
        r"sources: tiny-1\.0 cannot be fetched: ERROR: No .*Is there a network\? If not, run `pip download.*put tiny-1"
    )
    with pytest.raises(DataError, match=told):
        sdist_texts(Sdist("tiny", "1.0", "0" * 64, "MIT"), "doc")


def test_a_python_without_pip_is_told_how_to_get_it(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n', encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(MissingExtraError, match="-m ensurepip"):
        sdist_texts(Sdist("tiny", "1.0", "0" * 64, "MIT"), "doc")


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("ADAPTERKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="Set ADAPTERKIT_CACHE to a writable folder"):
        sdist_texts(Sdist("tiny", "1.0", "0" * 64, "MIT"), "doc")
