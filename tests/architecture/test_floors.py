"""Holds adapterkit to the floors law, and holds the reader of imports to small sources that break it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from architecture.floors import breaches, cycle

PACKAGE = Path(__file__).parents[2] / "adapterkit"


def package_of(folder: Path, files: dict[str, str]) -> Path:
    package = folder / "adapterkit"
    for name, text in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return package


def test_imports_go_down() -> None:
    found = breaches(PACKAGE)
    assert not found, "\n" + "\n".join(found)


def test_no_import_cycle() -> None:
    found = cycle(PACKAGE)
    assert not found, " -> ".join(found)


@pytest.mark.parametrize(
    "statement",
    [
        "from adapterkit.stack.guard import Guard",
        "from adapterkit.stack import guard",
        "from adapterkit import stack",
        "import adapterkit.stack.guard as guard",
        "from ..stack import guard",
        "def later():\n    from adapterkit.stack import guard",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from adapterkit.stack import guard",
        "import importlib\nimportlib.import_module('adapterkit.stack.guard')",
    ],
)
def test_an_import_from_a_later_room_is_found(tmp_path: Path, statement: str) -> None:
    package = package_of(tmp_path, {"base/load.py": statement, "stack/__init__.py": "", "stack/guard.py": ""})
    (breach,) = breaches(package)
    assert f"load.py:{statement.count(chr(10)) + 1}: base (things) imports adapterkit.stack" in breach


@pytest.mark.parametrize("statement", ["import adapterkit", "from adapterkit import load", "from adapterkit import *"])
def test_the_package_itself_is_a_door(tmp_path: Path, statement: str) -> None:
    package = package_of(tmp_path, {"__init__.py": "", "serving/session.py": statement})
    (breach,) = breaches(package)
    assert "serving (crafts) imports adapterkit (doors)" in breach


@pytest.mark.parametrize(
    ("where", "statement"),
    [
        ("stack/guard.py", "from adapterkit.base.load import load"),
        ("stack/guard.py", "from adapterkit import errors"),
        ("stack/guard.py", "from adapterkit.stack.layers import freeze"),
        ("stack/guard.py", "from .layers import freeze"),
        ("stack/guard.py", "import torch\nfrom adapterkitten import purr"),
        ("cli.py", "from adapterkit.train import main"),
        ("__init__.py", "from adapterkit.cli import main"),
    ],
)
def test_an_import_from_an_earlier_room_is_fine(tmp_path: Path, where: str, statement: str) -> None:
    others = {"base/load.py": "", "errors.py": "", "stack/layers.py": "", "train.py": "", "cli.py": ""}
    assert breaches(package_of(tmp_path, {**others, where: statement})) == []


def test_a_module_on_no_floor_is_found(tmp_path: Path) -> None:
    package = package_of(tmp_path, {"attic/box.py": "", "base/load.py": "from adapterkit.attic import box"})
    problems = breaches(package)
    assert len(problems) == 2
    assert "'attic' stands on no floor" in problems[0]
    assert "imports adapterkit.attic.box (on no floor)" in problems[1]


def test_a_cycle_inside_a_room_is_found_and_named_in_order(tmp_path: Path) -> None:
    package = package_of(
        tmp_path,
        {
            "base/a.py": "from adapterkit.base import b",
            "base/b.py": "def later():\n    from adapterkit.base.c import x",
            "base/c.py": "from . import a",
        },
    )
    found = cycle(package)
    assert found[0] == found[-1]
    steps = {("a", "b"), ("b", "c"), ("c", "a")}
    names = [name.rsplit(".", 1)[1] for name in found]
    assert set(pairwise(names)) == steps


def test_an_index_that_its_own_module_imports_is_a_cycle(tmp_path: Path) -> None:
    package = package_of(
        tmp_path,
        {
            "base/__init__.py": "from adapterkit.base.load import load",
            "base/load.py": "from adapterkit.base import load",
        },
    )
    assert {"adapterkit.base", "adapterkit.base.load"} & set(cycle(package))
