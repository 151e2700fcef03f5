"""Every example as a newcomer runs it: a process of its own, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows.tiny import TEST, TRAIN, write_chats

ROOT = Path(__file__).parents[2]
EXAMPLES = {path.stem: path for path in (ROOT / "examples").glob("*.py")}
BASE, LINCOLN, REAGAN = r"\S+ <- ", r"persona_lincoln@1\.0\.0", r"persona_reagan@1\.0\.0"
# What each prints, in this order, whatever the base.
SAID = {
    "train_persona": [
        r"Published unified\w*@1\.0\.0: ",
        rf"Published {LINCOLN}: ",
        rf"{BASE}unified\w*@1\.0\.0 <- {LINCOLN}: trained; base unmoved: True",
        r"test_loss +\d",
        rf"{LINCOLN}: ",
        r"unified\w*@1\.0\.0: ",
    ],
    "stack_and_blend": [
        r"the base alone: additive \[0, 0\], \d",
        r"as trained: additive \[1, 1\], \d",
        r"the mean of both: interpolative \[1, 1\], \d",
        r"refused: The weights 1, -1 add up to 0",
    ],
    "verify_and_rollback": [
        r"published voice@1\.0\.0",
        r"published voice@1\.1\.0",
        r"'production': '1\.0\.0'",
        r"voice@1\.1\.0: ok=True, \d+ files",
        r"turned: ok=False\n  adapter_model\.safetensors: ",
        r"refused: voice@1\.1\.0 is not intact, so voice@production stays",
        r"refused: The artifact in .* is not intact",
        r"voice@latest was 1\.1\.0, and is 1\.0\.0",
        rf"{BASE}voice@1\.0\.0\]",
    ],
    "merge_and_flatten": [
        rf"both@1\.0\.0: {LINCOLN} and {REAGAN}, merged by ties",
        rf"kept_{LINCOLN} ",
        r"both_flat@1\.0\.0: both@1\.0\.0 with its parents as one plain adapter\. Rank \d+\.",
        r"plain PEFT differs by \d\.\de-\d+ at most",
    ],
    "own_data": [
        r"refused: .*train\.jsonl, line 37: No message is the assistant's",
        r"12 held-out rows: \d\.\d+ -> \d\.\d+ nats a token",
        r"base: ",
        r"library: ",
    ],
    "resume": [
        r"stopped after step \d+, saved in runs/stopped/",
        r"stopped@1\.0\.0: \d+ steps",
        r"through@1\.0\.0: \d+ steps",
        r"the same bits: True",
    ],
}


def run(example: str, folder: Path, *words: str) -> str:
    """Run it, hold what it prints against what it is to say, and return that."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ADAPTERKIT_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES[example]), *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    position = 0
    for pattern in SAID[example]:
        found = re.compile(pattern).search(done.stdout, position)
        assert found, f"{pattern} is not said, or not in its place:\n{done.stdout}"
        position = found.end()
    return done.stdout


def tiny(example: str, base: Path, folder: Path) -> list[str]:
    """The words that make a training of it last a second."""
    words = [f"model.id={base}", "quantization=fp32", "tracking=none", "data.max_length=256", "trainer.max_steps=2"]
    if example != "own_data":
        train, test = write_chats(folder / "train.jsonl", TRAIN), write_chats(folder / "test.jsonl", TEST)
        words += ["data=chat", f"data.train={train}", f"data.test={test}", "persona=lincoln"]
    if example == "merge_and_flatten":
        words.remove("persona=lincoln")
    if example == "resume":
        # Enough steps for the signal to find it training.
        words += ["trainer.max_steps=60", "trainer.save_steps=10"]
    return words


def test_every_example_is_run_and_is_a_page() -> None:
    assert EXAMPLES.keys() == SAID.keys()
    for path in EXAMPLES.values():
        assert len(path.read_text("utf-8").splitlines()) < 60, path


# Most train twice and more, in a process that imports everything anew: the shortest alone is run by `make test`.
@pytest.mark.parametrize(
    "example", [pytest.param(name, marks=[] if name == "own_data" else pytest.mark.long) for name in SAID]
)
def test_an_example_on_a_tiny_base(example: str, tiny_base_dir: Path, tmp_path: Path) -> None:
    run(example, tmp_path, *tiny(example, tiny_base_dir, tmp_path))
