"""Documented source: what is found, in which order, and that none of it is run."""

from pathlib import Path

import pytest

from adapterkit.data.definitions import library_origin, read_definitions, standard_library
from adapterkit.errors import DataError

SOURCE = '''
raise SystemExit("this module is read, never imported")

def plain(a, b=1, *rest, key, **more):
    """Say it.

    And more.
    """
    # a comment stays
    return a

def plain(again):
    """The second of a name is left out."""

def silent(a):
    return a

def short(a): """On one line."""

class Box:
    """Hold a thing."""

    def put(self, thing, /, *, gently=False):
        """Put it in."""

    @staticmethod
    def size(of):
        """Measure it."""
        return 1

if True:
    async def inner(x):
        """Wait for it."""
        return x
'''


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for name in ("b/__init__.py", "b/part.py", "a.py", "test/a.py", "site-packages/x.py", "config-3.11/y.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('def f(x):\n    """Of this file."""\n', encoding="utf-8")
    (tmp_path / "a.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path


def test_every_documented_definition_is_found_once_in_the_order_of_names(library: Path) -> None:
    found = [(each.full_name, each.kind, each.parameters) for each in read_definitions(library)]
    assert found == [
        ("a.plain", "function", ("a", "b", "key", "rest", "more")),
        ("a.short", "function", ("a",)),
        ("a.Box", "class", ()),
        ("a.Box.put", "method", ("thing", "gently")),
        ("a.Box.size", "method", ("of",)),
        ("a.inner", "function", ("x",)),
        ("b.f", "function", ("x",)),
        ("b.part.f", "function", ("x",)),
    ]
    assert [each.module for each in read_definitions(library, "top")][-1] == "top.b.part"


def test_header_and_body_are_the_source_around_the_docstring(library: Path) -> None:
    plain, short = read_definitions(library)[:2]
    assert plain.header == "def plain(a, b=1, *rest, key, **more):"
    assert plain.body == "    # a comment stays\n    return a"
    assert (plain.summary, plain.line, plain.path) == ("Say it.", 4, "a.py")
    assert (short.header, short.body) == ("", "")


@pytest.mark.parametrize("content", [b"def f(:\n", b'"""\xff"""\n', b"\0"])
def test_source_that_cannot_be_parsed_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.py").write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.py: This source cannot be parsed"):
        read_definitions(tmp_path)


def test_a_folder_without_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No documented function is here"):
        read_definitions(tmp_path)


def test_an_interpreter_without_its_source_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(DataError, match="an embedded interpreter keeps it packed"):
        standard_library()


def test_the_version_of_python_is_an_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.python_version", lambda: "3.99.1")
    assert library_origin() == {"python:standard-library": "3.99.1"}
