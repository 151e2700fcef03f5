"""Training a published adapter again, in a fresh process, and comparing every bit."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from artifacts.samples import draft_of, lora_tensors, write_adapter

from adapterkit.registry import Registry
from adapterkit.workflows.reproduce import compare
from adapterkit.workflows.shown import run_shown
from tests.workflows.project import ALL_FRESH, Project
from tests.workflows.tiny import TRAIN, write_chats


@pytest.mark.long
def test_reproduce_is_bit_identical_or_says_what_differs(project: Project) -> None:
    found = json.loads(project.run("reproduce", "child_ann", "--json"))
    assert (found["identical"], found["differing"], found["circumstances"]) == (True, 0, {})
    assert project.standings() == ALL_FRESH
    write_chats(project.data, (*TRAIN[:-1], "another word"))
    found = json.loads(project.run("reproduce", "child_ann", "--json", code=1))
    assert found["differing"] > 0
    assert found["largest_difference"] > 0
    assert "data digest" in found["circumstances"]


@pytest.mark.long
def test_reproduce_says_why_it_cannot(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.data.unlink()
    project.run("reproduce", "child_ann", code=1)
    assert "train.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize(("other", "differing"), [(0.0, 0), (-0.0, 1)])
def test_zero_and_minus_zero_are_not_the_same_bits(tmp_path: Path, other: float, differing: int) -> None:
    tensors, made = lora_tensors(), []
    name = min(tensors)
    for number, value in (("first", 0.0), ("again", other)):
        tensors[name][0, 0] = value
        draft = draft_of(write_adapter(tmp_path / number, tensors=tensors), name=number)
        made.append(Registry(tmp_path / "adapters").publish(draft))
    found = compare(*made)
    assert (found.identical, found.differing, found.largest_difference) == (not differing, differing, 0.0)
    assert found.tensor == (name if differing else None)


def test_what_computed_the_steps_is_told_where_it_differs(tmp_path: Path) -> None:
    made = [
        Registry(tmp_path / "adapters").publish(
            draft_of(write_adapter(tmp_path / name), name=name, environment={"seed": 0, "engine": engine})
        )
        for name, engine in (("first", "fused, compiled"), ("again", "fused, plain"))
    ]
    assert compare(*made).circumstances == {"engine": ("fused, compiled", "fused, plain")}


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_keep_names_must_be_new_or_empty(project: Project, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    kept = project.folder / "kept"
    if kind == "file":
        kept.write_text("mine")
    else:
        (kept / "adapters").mkdir(parents=True)
    project.run("reproduce", "child_ann", "--keep", "kept", code=2)
    said = capsys.readouterr().err
    assert "kept" in said
    assert "--keep" in said
    assert not (kept / "request.json").exists()


@pytest.mark.usefixtures("no_training")
def test_a_device_that_is_none_is_refused_before_anything_starts(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.run("reproduce", "child_ann", "--device", "foo", code=2)
    assert "'foo' is not a device" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 1])
def test_a_training_in_a_process_is_shown_where_stderr_has_no_file(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    found = run_shown([sys.executable, "-c", f"import sys; print('at work'); sys.exit('error: why' if {code} else 0)"])
    assert shown.getvalue() == "at work\n"
    assert found == (code, "error: why\n" if code else "")
