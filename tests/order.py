"""Tests that are asked for one by one, in any order, run module by module: what a module shares is made once.

mutmut asks so, the quick ones first. A mutant of a file is most likely told by the tests that bear its name or lie in
its room, so those come before the others.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort them; where they stand module by module already, and nothing is mutated, they stay as they are."""
    mutated = _words(os.environ.get("MUTANT_UNDER_TEST", "").partition(".x")[0]) - {"adapterkit"}
    first = {item.path: place for place, item in reversed([*enumerate(items)])}
    shared = {path: len(mutated & _words(str(path.relative_to(TESTS.parent)))) for path in first}
    items.sort(key=lambda item: (-shared[item.path], first[item.path]))


def _words(name: str) -> set[str]:
    return {word.rstrip("s") for word in re.findall(r"[a-z]+", name)} - {"py", "test"}
