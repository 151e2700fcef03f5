"""Functions to write: whole, short, parsed, held out by package; and what the check makes of an answer."""

import ast
from pathlib import Path

import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import corpora, functions, read_splits
from adapterkit.data.functions import check_function
from adapterkit.errors import MissingExtraError

SPLITS = ("train", "validation", "test")
WANTED = "```python\ndef f(a, *b, c=1, **d):\n    return a\n```"


@pytest.mark.parametrize("reader", ["functions", "algorithms"])
def test_every_answer_parses_and_is_held_out_whole(reader: str) -> None:
    splits = read_splits(DataConfig(reader=reader, validation="auto", test="auto"), None)
    rows = {name: getattr(splits, name) for name in SPLITS}
    groups = {name: {row.origin.strata[0] for row in part} for name, part in rows.items()}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["validation"]
    assert min(map(len, rows.values())) > 50
    for row in (row for part in rows.values() for row in part):
        asked, wanted = (turn.content for turn in row.turns)
        assert check_function(wanted, wanted).same_body
        assert asked.startswith("Write this Python function.\n\n```python\n")
        shown = ast.parse(asked.partition("```python\n")[2].removesuffix("```")).body[0]
        written = ast.parse(wanted.removeprefix("```python").removesuffix("```")).body[0]
        assert shown.name == written.name
        assert ast.dump(shown.args) == ast.dump(written.args)
        assert ast.get_docstring(shown)
        assert not ast.get_docstring(written)
        assert len(asked) + len(wanted) < 1200


def test_a_function_is_given_without_its_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = '''
def add(a, b):
    """Add.

    At once.
    """
    # Both are numbers.
    return a + b

if True:
        def nested(a):
                """Deeper."""
                if a:
                        return 1
                return 2

def again(a, b):
    """The same body."""
    # Both are numbers.
    return a + b

def later():
    """Not yet."""
    raise NotImplementedError

class Box:
    def method(self):
        """Not alone."""
        return 1
'''
    (tmp_path / "one.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(functions, "standard_library", lambda: tmp_path)
    monkeypatch.setattr(functions, "split_of", lambda group: "train")
    rows = read_splits(DataConfig(reader="functions", prompt="Do it."), None).train
    assert [row.origin.label for row in rows] == ["add", "nested"]
    asked, wanted = (turn.content for turn in rows[0].turns)
    assert asked == 'Do it.\n\n```python\ndef add(a, b):\n    """Add.\n\n    At once.\n    """\n```'
    assert wanted == "```python\ndef add(a, b):\n    # Both are numbers.\n    return a + b\n```"
    assert rows[1].turns[1].content.splitlines()[1:3] == ["def nested(a):", "    if a:"]


@pytest.mark.parametrize(
    ("said", "right"),
    [
        (WANTED, (True, True, True)),
        ("def f(a, *b, c=1, **d):\n    # why\n    return  a", (True, True, True)),
        ("```python\ndef f(a, *b, c=1, **d):\n    return b\n```", (True, True, False)),
        ("def f(a, b):\n    return a", (True, False, False)),
        ("def g(a, *b, c=1, **d):\n    return a", (True, False, False)),
        ("def f(a, *b, c=1, **d):\n    return (", (False, False, False)),
        ("import os\ndef f(a): pass", (False, False, False)),
        ("Here it is:\n" + WANTED, (False, False, False)),
        ("\0", (False, False, False)),
        ("(" * 5000, (False, False, False)),
        ("", (False, False, False)),
    ],
)
def test_a_written_function_is_compared_without_being_run(said: str, right: tuple[bool, bool, bool]) -> None:
    check = check_function(said, WANTED)
    assert (check.parses, check.same_header, check.same_body) == right


def test_a_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'adapterkit\[tasks\]'"):
        read_splits(DataConfig(reader="algorithms"), None)
