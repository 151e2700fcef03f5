from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapterkit.config.schema import TrainConfig
from tests.workflows.tiny import Workshop, write_chats

ROOT = Path(__file__).parents[2]
WORDS = (
    "red fox", "lazy dog", "brown nation", "new people", "old state", "quiet year",
    "the union of all", "helpful father", "quick answer", "one sentence", "a score of years",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How the ranks of one launch ended: their exit codes, and what each wrote on stdout and stderr."""

    codes: list[int]
    out: list[str]
    err: list[str]


class Launches:
    """Launches of several ranks, in processes forked from one that has everything imported."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.ranks.rank_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
                "PYTHONWARNINGS": "ignore",
                "OMP_NUM_THREADS": "1",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            },
        )
        assert self._line() == "ready"

    def start(
        self, config: TrainConfig, count: int = 2, *mischief: tuple[int, str], sharded: bool = False
    ) -> list[int]:
        """Begin a launch, with something done to some ranks; the process ids."""
        self._count += 1
        self._own, self._ranks = self._folder / str(self._count), count
        self._own.mkdir()
        request: dict[str, Any] = {"config": dataclasses.asdict(config), "count": count, "folder": str(self._own)}
        request["sharded"] = sharded
        request["mischief"] = [{"rank": rank, "kind": kind} for rank, kind in mischief]
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        found: list[int] = json.loads(self._line())
        return found

    def end(self) -> Outcome:
        """Wait for it."""
        codes = json.loads(self._line())
        said = [[(self._own / f"rank{n}.{name}").read_text() for n in range(self._ranks)] for name in ("out", "err")]
        return Outcome(codes, *said)

    def run(self, config: TrainConfig, count: int = 2, *mischief: tuple[int, str], sharded: bool = False) -> Outcome:
        """A whole launch."""
        self.start(config, count, *mischief, sharded=sharded)
        return self.end()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="session")
def launches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launches]:
    made = Launches(tmp_path_factory.mktemp("launches"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def shop(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Eleven rows to learn from, so that no epoch is cut evenly."""
    made = Workshop(tiny_base_dir, tmp_path_factory.mktemp("ranks"))
    write_chats(made.train, WORDS)
    (made.folder / "odd.jsonl").write_text(made.train.read_text() + "no JSON\n")
    return made
