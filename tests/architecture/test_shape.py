"""Holds the source to its shape, and each rule to a small source that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from architecture import shape

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "adapterkit"


def expect_none(problems: list[str]) -> None:
    assert not problems, "\n" + "\n".join(problems)


def function_of(lines: int) -> str:
    return "def f():\n" + "    x = 1\n" * (lines - 1)


@pytest.mark.parametrize("folder", ["adapterkit", "tests", "benchmarks", "examples"])
def test_files_are_short_and_named_by_their_idea(folder: str) -> None:
    expect_none(shape.long_files(ROOT / folder))
    expect_none(shape.empty_names(ROOT / folder))


@pytest.mark.parametrize(
    "rule",
    [shape.long_functions, shape.busy_indexes, shape.fat_doors, shape.strange_switches],
    ids=lambda rule: rule.__name__,
)
def test_the_package_keeps_its_shape(rule: Callable[[Path], list[str]]) -> None:
    expect_none(rule(PACKAGE))


@pytest.mark.parametrize("folder", ["conf", "recipes"])
def test_yaml_instantiates_nothing(folder: str) -> None:
    expect_none(shape.instantiations(ROOT / folder))


@pytest.mark.parametrize(
    ("rule", "name", "good", "bad"),
    [
        (shape.long_files, "a.py", "x = 1\n" * 299, "x = 1\n" * 300),
        (shape.long_functions, "a.py", function_of(60), function_of(61)),
        (shape.long_functions, "a.py", "class A:\n    pass\n", "async " + function_of(61)),
        (shape.fat_doors, "train.py", "x = 1\n" * 40, "x = 1\n" * 41),
        (shape.busy_indexes, "base/__init__.py", '"""Doc."""\nfrom a import b\n__all__ = ["b"]', "x = 1"),
        (shape.busy_indexes, "base/__init__.py", "", "def __getattr__(name): ..."),
        (shape.busy_indexes, "__init__.py", "_LAZY = {}\ndef __getattr__(name): ...", "def load(): ..."),
        (shape.busy_indexes, "__init__.py", "if TYPE_CHECKING:\n    import a", "if True:\n    import a"),
        (shape.strange_switches, "base/load.py", "model.train()", "model.base_model.set_adapter('a')"),
        (shape.instantiations, "conf/a.yaml", "reader: chat\n", "reader:\n  _target_: os.system\n"),
    ],
)
def test_each_rule_tells_good_from_bad(
    tmp_path: Path, rule: Callable[[Path], list[str]], name: str, good: str, bad: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(good, encoding="utf-8")
    expect_none(rule(tmp_path))
    path.write_text(bad, encoding="utf-8")
    (problem,) = rule(tmp_path)
    assert problem.startswith(str(path))


@pytest.mark.parametrize("name", ["utils.py", "io_utils.py", "common/box.py", "Helpers.py", "misc/__init__.py"])
def test_names_that_say_nothing_are_found(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    (tmp_path / "commonwealth.py").touch()
    (problem,) = shape.empty_names(tmp_path)
    assert "says nothing" in problem


def test_the_stack_may_switch_adapters(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "adapter_stack.py").write_text("model.base_model.set_adapter(['a'])", encoding="utf-8")
    expect_none(shape.strange_switches(tmp_path))
