"""What adapterkit says in an error that a test expects is what was approved.

pytest --approve new tests/registry       writes down what is said, test by test, in tests/approved
pytest --approve common tests/registry    of that leaves what is said again: what is random says itself once

A sentence that is no longer said fails its test, so that none is changed unnoticed; its change stands in the diff.
Paths lose their folders, and digests and decimals their digits: other machines have others.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
APPROVED = TESTS / "approved"
# The rooms whose mutants are counted; in others errors are told by what doors print.
ROOMS = ("artifacts", "base", "exporting", "merging", "ranks", "registry", "stack", "training")
# Sequences of any kind of call: each change of a rule draws others.
RANDOM = ("test_stateful.py",)
# Sentences quote Python's own, which change with it.
PYTHON = (3, 11)
# With --approve: file -> test -> sentences.
_written: dict[Path, dict[str, list[str]]] = {}

# The class has no public name.
_RAISES: Any = type(pytest.raises(StopIteration))
_NORMAL = (
    (re.compile(r"\.staging-[\w-]+"), "<staging>"),
    (re.compile(r"(?<![\w.])(?:/[^\s/'\"`,:;()]+)*/([^\s/'\"`,:;()]+)"), r"<...>/\1"),
    # pytest numbers the folders of tests in the order in which they are run.
    (re.compile(r"(?<=<\.\.\.>/)([A-Za-z_]\w*?)\d+(?![\w.-])"), r"\1"),
    (re.compile(r"\b[0-9a-f]{7,}\b"), "<hex>"),
    (re.compile(r"(?<![\w.])\d+\.\d+(?:e[+-]?\d+)?(?![\w.]*\d)"), "<number>"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--approve", choices=["new", "common"], help="write down what adapterkit says; see sentences.py")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Listen to one test, and compare."""
    if not _heard(item):
        return (yield)
    file, ear = _file(item), Ear()
    # Before the test, which may take the disk away.
    approved = set(_approved(file).get(item.name, ()))
    with ear:
        result = yield
    if how := item.config.getoption("--approve"):
        said = ear.sentences if how == "new" else ear.sentences & approved
        _written.setdefault(file, {})[item.name] = sorted(said)
    elif missing := approved - ear.sentences:
        told = "\n  ".join(["It was approved, and not said:", *sorted(missing), "It was said:", *sorted(ear.sentences)])
        pytest.fail(f"{told}\nIf that is right: pytest --approve new {item.nodeid!r}", pytrace=False)
    return result


def pytest_sessionfinish() -> None:
    """Write down what was said; of tests that were not run stays what is there."""
    for file, tests in _written.items():
        kept = {test: said for test, said in (_approved(file) | tests).items() if said}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")


class Ear:
    """Hears what every `pytest.raises` catches. What is logged hangs on the tests before as well."""

    def __init__(self) -> None:
        self.sentences: set[str] = set()

    def hear(self, text: object) -> None:
        """One sentence, without what differs from run to run."""
        said = str(text)
        for pattern, by in _NORMAL:
            said = pattern.sub(by, said)
        self.sentences.add(said)

    def __enter__(self) -> Ear:
        self._leave = _RAISES.__exit__
        _RAISES.__exit__ = self._overhear
        return self

    def __exit__(self, *_: object) -> None:
        _RAISES.__exit__ = self._leave

    @property
    def _overhear(self) -> Callable[..., bool]:
        def leave(expected: Any, kind: Any, error: Any, trace: Any) -> bool:
            right: bool = self._leave(expected, kind, error, trace)
            if right and kind.__module__.startswith("adapterkit"):
                self.hear(error)
            return right

        return leave


def _heard(item: pytest.Item) -> bool:
    where = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
    random = item.path.name in RANDOM or getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    return where in ROOMS and not random and not item.get_closest_marker("long") and sys.version_info[:2] == PYTHON


def _file(item: pytest.Item) -> Path:
    return APPROVED / item.path.relative_to(TESTS).with_suffix(".json")


@cache
def _approved(file: Path) -> dict[str, list[str]]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
