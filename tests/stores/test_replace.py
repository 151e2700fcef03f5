"""Files replaced in a folder in use: the old ones or the new ones, whatever step the disk refuses."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapterkit.errors import RegistryError
from adapterkit.stores import replace_files

OLD = {"weights": b"old weights", "config": b"old config"}
NEW = {"weights": b"new weights!", "config": b"new config!"}


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def failing(monkeypatch: pytest.MonkeyPatch, name: str, calls: set[int]) -> list[tuple[Any, ...]]:
    """Let `os.NAME` fail at these of its calls, counted from 1; the list tells them all."""
    real: Callable[..., Any] = getattr(os, name)
    seen: list[tuple[Any, ...]] = []

    def call(*arguments: Any, **settings: Any) -> Any:
        seen.append(arguments)
        if len(seen) in calls:
            raise OSError(5, "Input/output error", str(arguments[0]))
        return real(*arguments, **settings)

    monkeypatch.setattr(f"os.{name}", call)
    return seen


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    replace_files(tmp_path / "a" / "b", NEW)
    assert held(tmp_path / "a" / "b") == NEW


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    replace_files(tmp_path, OLD)
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    replace_files(tmp_path, OLD)
    replace_files(tmp_path, {**OLD, "config": NEW["config"]})
    assert held(tmp_path) == {**OLD, "config": NEW["config"]}
    after = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    assert after["weights"] == before["weights"]
    assert after["config"] != before["config"]


def test_bytes_of_the_same_length_are_told_apart(tmp_path: Path) -> None:
    replace_files(tmp_path, {"f": b"one"})
    replace_files(tmp_path, {"f": b"two"})
    assert held(tmp_path) == {"f": b"two"}


def test_a_single_file_is_renamed_over_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_files(tmp_path, OLD)
    moved, replaced = failing(monkeypatch, "rename", set()), failing(monkeypatch, "replace", set())
    replace_files(tmp_path, {**OLD, "weights": NEW["weights"]})
    assert (moved, [target for _, target in replaced]) == ([], [tmp_path / "weights"])


def test_the_last_goes_first_and_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_files(tmp_path, OLD)
    moved = failing(monkeypatch, "rename", set())
    replace_files(tmp_path, NEW)
    assert [source.name for source, _ in moved] == ["config", "weights", "weights", "config"]
    assert [target.parent == tmp_path for _, target in moved] == [False, False, True, True]
    assert held(tmp_path) == NEW


@pytest.mark.parametrize("step", [1, 2, 3, 4])
@pytest.mark.parametrize("there", [OLD, {"config": OLD["config"]}, {"weights": OLD["weights"]}, {}])
def test_a_step_that_fails_brings_the_old_ones_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: dict[str, bytes], step: int
) -> None:
    replace_files(tmp_path, there)
    last = len(there) + len(NEW)
    with monkeypatch.context() as context:
        failing(context, "rename", {step})
        if step <= last:
            with pytest.raises(RegistryError, match=f"Writing weights, config in {tmp_path}"):
                replace_files(tmp_path, NEW)
        else:
            replace_files(tmp_path, NEW)
    assert held(tmp_path) == (there if step <= last else NEW)
    replace_files(tmp_path, NEW)
    assert held(tmp_path) == NEW


@pytest.mark.parametrize("step", [3, 4])
def test_where_even_that_fails_no_reader_meets_half_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The config is what readers look for: it is not put back beside weights of another save."""
    replace_files(tmp_path, OLD)
    failing(monkeypatch, "rename", {step})
    failing(monkeypatch, "replace", {1})
    with pytest.raises(RegistryError):
        replace_files(tmp_path, NEW)
    assert "config" not in held(tmp_path)
