"""Every bash and python block of the README and of docs/ runs as it is written."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.documents.before import BEFORE, CANNOT
from tests.documents.blocks import RUN, blocks_of, pages

_RUNNING = [page for page in pages() if any(block.language in RUN or block.title for block in blocks_of(page))]


@pytest.mark.long
@pytest.mark.parametrize("page", _RUNNING)
def test_a_page_runs(page: str, environment: Mapping[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        ["python", "-m", "tests.documents.running", page],
        executable=Path(environment["PATH"].partition(":")[0], "python"),
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-10_000:]


def test_the_tables_speak_of_pages_and_blocks_that_there_are() -> None:
    there = {(block.page, block.first_line) for page in pages() for block in blocks_of(page)}
    assert set(CANNOT) <= there
    assert set(BEFORE) <= set(_RUNNING)
