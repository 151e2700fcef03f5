"""Checkpoints as folders, without a training: what is listed, what is refused and in which words, what is removed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from adapterkit.digest import sha256_bytes
from adapterkit.errors import TrainingError
from adapterkit.training.checkpoint import (
    CHECKPOINT_FILE,
    checkpoints_in,
    keep_newest,
    newest_whole,
    read_checkpoint,
    require_ranks,
    rng_file,
    seal,
    warn_of_other_environment,
)

FILES = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json")
KEY = "k" * 64


def sealed(run: Path, step: int, *more: str, **where: Any) -> Path:
    staged = run / "staged"
    staged.mkdir(parents=True)
    for name in (*FILES, *more):
        (staged / name).write_text(f"{name} of {step}")
    target = run / f"checkpoint-{step}"
    seal(staged, target, run_key=KEY, step=step, where=where)
    return target


def refusal(path: Path) -> list[str]:
    with pytest.raises(TrainingError) as caught:
        read_checkpoint(path)
    first, *problems, last = str(caught.value).splitlines()
    assert first == f"The checkpoint {path} is incomplete or damaged."
    assert last == "Use an earlier one, or resume=auto, which takes the newest that is whole."
    return [problem.strip() for problem in problems]


def test_what_is_sealed_is_listed_and_read_back(tmp_path: Path) -> None:
    path = sealed(tmp_path, 7, threads=2)
    text = (path / CHECKPOINT_FILE).read_text()
    plain = json.loads(text)
    assert text == json.dumps(plain, indent=2) + "\n"  # For people, too.
    assert plain == {
        "schema_version": 1, "run_key": KEY, "step": 7, "environment": {"threads": 2},
        "files": {name: sha256_bytes(f"{name} of 7".encode()) for name in FILES},
    }  # fmt: skip
    found = read_checkpoint(path)
    assert (found.path, found.step, found.run_key) == (path, 7, KEY)
    assert not (tmp_path / "staged").exists()


def test_what_stood_there_is_replaced(tmp_path: Path) -> None:
    first = sealed(tmp_path, 3, "old.bin")
    assert sealed(tmp_path, 3) == first
    assert not (first / "old.bin").exists()
    read_checkpoint(first)


@pytest.mark.parametrize("file", FILES)
def test_every_file_that_is_missing_changed_or_never_listed_is_named(tmp_path: Path, file: str) -> None:
    path = sealed(tmp_path, 2)
    (path / file).write_text("other")
    assert refusal(path) == [f"{file}: was changed, or cut"]
    (path / file).unlink()
    assert refusal(path) == [f"{file}: is missing"]
    plain = json.loads((path / CHECKPOINT_FILE).read_text())
    del plain["files"][file]
    (path / CHECKPOINT_FILE).write_text(json.dumps(plain))
    assert refusal(path) == [f"{file}: is not among its files"]
    (path / file).write_text("late")
    assert refusal(path) == [f"{file}: is not among its files", f"{file}: was not there when it was written"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schema_version": 2}, "is not of a kind that this adapterkit knows"),
        ({"step": 2.0}, "is not of a kind that this adapterkit knows"),
        ({"step": True}, "is not of a kind that this adapterkit knows"),
        ({"run_key": None}, "is not of a kind that this adapterkit knows"),
        ({"step": 5}, "is that of step 5"),
    ],
)
def test_what_it_says_of_itself_is_checked(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    path = sealed(tmp_path, 2)
    plain = json.loads((path / CHECKPOINT_FILE).read_text())
    (path / CHECKPOINT_FILE).write_text(json.dumps(plain | changes))
    assert refusal(path) == [f"{CHECKPOINT_FILE}: {told}"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 1}', "null", "{"])
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = sealed(tmp_path, 2)
    (path / CHECKPOINT_FILE).write_text(text)
    (problem,) = refusal(path)
    assert problem.startswith(f"{CHECKPOINT_FILE}: ")
    (path / CHECKPOINT_FILE).unlink()
    (problem,) = refusal(path)
    assert problem.startswith(f"{CHECKPOINT_FILE}: ")


def test_they_are_ordered_by_step_and_not_by_the_clock(tmp_path: Path) -> None:
    paths = {step: sealed(tmp_path, step) for step in (10, 9, 100)}
    os.utime(paths[9], (2**31, 2**31))
    (tmp_path / "checkpoint-best").mkdir()
    assert checkpoints_in(tmp_path) == [paths[9], paths[10], paths[100]]
    keep_newest(tmp_path, 2)
    assert checkpoints_in(tmp_path) == [paths[10], paths[100]]
    keep_newest(tmp_path, 5)
    assert checkpoints_in(tmp_path) == [paths[10], paths[100]]


def test_of_several_runs_the_newest_that_is_whole_is_taken(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    sealed(one, 2)
    whole = sealed(two, 4)
    cut = sealed(one, 6)
    (cut / "optimizer.pt").write_text("")
    found, refused = newest_whole([one, two])
    assert found is not None
    assert found.path == whole
    assert [line.splitlines()[1].strip() for line in refused] == ["optimizer.pt: was changed, or cut"]
    assert newest_whole([tmp_path / "none"]) == (None, [])


@pytest.mark.parametrize(("files", "taken"), [((), 1), ((None,), 1), ((0,), 1), ((0, 1), 2), ((0, 1, 2), 3)])
def test_as_many_ranks_go_on_as_took_it(tmp_path: Path, files: tuple[int | None, ...], taken: int) -> None:
    path = sealed(tmp_path, 2, *map(rng_file, files))
    require_ranks(path, taken)
    with pytest.raises(TrainingError) as caught:
        require_ranks(path, taken + 1)
    ranks = "1 rank" if taken == 1 else f"{taken} ranks"
    assert str(caught.value) == (
        f"The checkpoint {path} was taken by {ranks}, and {taken + 1} would go on with it: other weights would come "
        f"out. Start {taken}, or begin anew with resume=never."
    )


def test_another_environment_is_told_with_both_values(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = sealed(tmp_path, 2, threads=2, versions={"torch": "2.13", "peft": "0.21"})
    warn_of_other_environment(path, {"threads": 2, "versions": {"torch": "2.13", "peft": "0.21"}, "new": 1})
    assert caplog.messages == []
    warn_of_other_environment(path, {"threads": 4, "versions": {"torch": "2.14"}})
    assert caplog.messages == [
        f"The training goes on from {path} in another environment: threads was 2, and is 4; versions.torch was 2.13, "
        "and is 2.14; versions.peft was 0.21, and is None. What comes out is not to the last bit what the training "
        "would have given where it began."
    ]
