"""Folders for work on the way: of nobody else, gone at the end, and after a kill with the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from adapterkit.errors import RegistryError
from adapterkit.stores import scratch_directory

ROOT = Path(__file__).parents[2]
HOLDER = """
from adapterkit.stores import scratch_directory
with scratch_directory() as folder:
    (folder / "weights").write_bytes(b"x")
    print(folder, flush=True)
    input()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where scratch folders go."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path / f"adapterkit-{os.getuid()}"


def test_it_is_private_and_gone_at_the_end(place: Path) -> None:
    with scratch_directory() as folder:
        (folder / "weights").write_bytes(b"x")
        assert folder.parent == place
        assert place.stat().st_mode & 0o077 == 0
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next_one_and_what_lives_stays(place: Path) -> None:
    command = [sys.executable, "-c", HOLDER]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    held = [
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    folders = [Path(process.stdout.readline().strip()) for process in held if process.stdout]
    held[0].send_signal(signal.SIGKILL)
    held[0].communicate(timeout=60)
    assert folders[0].is_dir()
    with scratch_directory():
        assert not folders[0].exists()
        assert (folders[1] / "weights").is_file()
    held[1].communicate("\n", timeout=60)
    assert held[1].returncode == 0
    assert not folders[1].exists()


@pytest.mark.parametrize("kind", ["open", "link", "file"])
def test_what_somebody_else_may_have_put_in_its_place_is_refused(place: Path, kind: str) -> None:
    if kind == "open":
        place.mkdir()
        place.chmod(0o777)
    elif kind == "link":
        (place.parent / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(place.parent / "elsewhere")
    else:
        place.write_text("no folder")
    with pytest.raises(RegistryError, match="adapterkit-"), scratch_directory():
        pass
