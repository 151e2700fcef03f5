"""What a training and an estimate say from Python and from the command, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows.project import Project

# bitsandbytes advises at its import, on some processors: whether it may is looked at when it comes.
WATCHED = """
import logging, sys

def look(event, arguments):
    if event == "import" and arguments[0] == "bitsandbytes" and not seen:
        seen.append(logging.getLogger("bitsandbytes.backends.cpu.ops").level)

seen = []
sys.addaudithook(look)
try:
    {code}
finally:
    print("bitsandbytes came under", seen)
"""
TRAIN = "adapterkit.train_recipe('family', overrides=['trainer.max_steps=1'], config_dir='mine')"


def run(project: Project, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ADAPTERKIT_CACHE": str(project.folder / "cache")}
    command = [sys.executable, "-c", WATCHED.format(code=code)]
    return subprocess.run(
        command, cwd=project.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def begun(tmp_path: Path, tiny_base_dir: Path) -> Project:
    return Project.begun(tmp_path, tiny_base_dir)


@pytest.mark.long
@pytest.mark.parametrize("words", [["estimate", "--config-dir", "mine", "+recipe=family"], ["rebuild"]])
def test_a_verb_lets_no_library_advise(project: Project, words: list[str]) -> None:
    project.set_steps(1)
    done = run(project, f"from adapterkit.cli import main; main({words})")
    assert "bitsandbytes came under [40]" in done.stdout
    assert "kernels-community" not in done.stderr


@pytest.mark.long
def test_a_training_from_python_tells_what_the_command_tells_to_whoever_listens(begun: Project) -> None:
    silent = run(begun, f"import adapterkit; {TRAIN}")
    assert silent.returncode == 0, silent.stderr
    assert "bitsandbytes came under [40]" in silent.stdout
    assert "kernels-community" not in silent.stderr
    assert "Estimate" not in silent.stdout + silent.stderr
    listens = "logging.basicConfig(level=logging.INFO, format='%(message)s')"
    again = run(begun, f"import adapterkit; {listens}; {TRAIN.replace('=1', '=2')}")
    assert "Estimate: trainable parameters " in again.stderr
    assert "Published unified@2.0.0" in again.stderr or "Published unified@1.1.0" in again.stderr


@pytest.mark.long
def test_a_talk_lets_no_library_advise(project: Project) -> None:
    done = run(project, "import adapterkit; adapterkit.load('unified').generate('x', max_new_tokens=1)")
    assert done.returncode == 0, done.stderr
    assert "bitsandbytes came under [40]" in done.stdout
