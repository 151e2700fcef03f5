"""Documented functions of real Python: name, signature and docstring are given, the function is the answer.

Two sources: the interpreter's own standard library, and the `algorithms` package. A package of modules is in one split
whole. Bodies are short, parse on their own, and no two are alike.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.data.corpora import check_splits_itself, corpus_folder, corpus_label, corpus_origin
from adapterkit.data.definitions import Definition, library_label, library_origin, read_definitions, standard_library
from adapterkit.data.draws import split_of
from adapterkit.data.leaks import apart
from adapterkit.data.splits import Splits

PROMPT = "Write this Python function."
INSTALL = "pip install 'adapterkit[tasks]'"
MOST_CHARACTERS = 1000
MOST_LINES = 16

_FENCE = "```python\n{}\n```"


@dataclass(frozen=True)
class FunctionCheck:
    """What was written instead of a function.

    Attributes:
        parses: it is one function, in a fence or bare, that Python parses.
        same_header: it has the name and the parameters that were asked for.
        same_body: it is the same function, whatever its spacing and comments.
    """

    parses: bool
    same_header: bool
    same_body: bool

    @property
    def right(self) -> bool:
        """Whether it parses and can be called as was asked; only running it would say more."""
        return self.parses and self.same_header


def read_functions(*, train: str | None, validation: str | None, test: str | None, prompt: str | None) -> Splits:
    """Short documented functions of this interpreter's standard library.

    Args:
        train: null or `auto`.
        validation: `auto`, or null for none; its packages stay out of training either way.
        test: likewise.
        prompt: the instruction before each header and docstring.

    Raises:
        DataError: this interpreter's source is not at hand.
        UsageError: files were given.
    """
    check_splits_itself("functions", train=train, validation=validation, test=test)
    rows = _rows_by_split(standard_library(), "", prompt or PROMPT)
    source = f"functions of {library_label()}"
    return Splits.chosen(rows, validation=validation, test=test, source=source, origins=library_origin())


def read_algorithms(
    *, train: str | None, validation: str | None, test: str | None, prompt: str | None, install: str | None
) -> Splits:
    """Short documented functions of the `algorithms` package; the arguments are those of `read_functions`.

    Args:
        train: null or `auto`.
        validation: `auto` or null.
        test: likewise.
        prompt: the instruction before each header and docstring.
        install: the command that brings the package, for the error message.

    Raises:
        MissingExtraError: the package is not installed.
        UsageError: files were given.
    """
    check_splits_itself("algorithms", train=train, validation=validation, test=test)
    folder = corpus_folder("algorithms", ".", purpose="its functions", install=install or INSTALL)
    rows = _rows_by_split(folder, "algorithms", prompt or PROMPT)
    source = f"functions of {corpus_label('algorithms')}"
    return Splits.chosen(rows, validation=validation, test=test, source=source, origins=corpus_origin("algorithms"))


def check_function(said: str, wanted: str) -> FunctionCheck:
    """Compare a function with the one that a row teaches; nothing is run."""
    given, gold = _function(said), _function(wanted)
    if given is None or gold is None:
        return FunctionCheck(False, False, False)
    same = given.name == gold.name and _names(given) == _names(gold)
    return FunctionCheck(True, same, same and [*map(ast.dump, given.body)] == [*map(ast.dump, gold.body)])


@lru_cache(maxsize=4)
def _rows_by_split(folder: Path, prefix: str, prompt: str) -> dict[str, tuple[Conversation, ...]]:
    rows: dict[str, list[Conversation]] = {"train": [], "validation": [], "test": []}
    for each in _short(read_definitions(folder, prefix)):
        # Of a package that is the whole source, the modules inside are what is split.
        group = each.module if prefix else each.package
        rows[split_of(group)].append(_row(each, group, prompt))
    return apart(rows)


def _short(definitions: Iterable[Definition]) -> list[Definition]:
    """Functions with a body of their own that fit into a row; the first of those with one body."""
    bodies: dict[str, Definition] = {}
    for each in definitions:
        if each.kind == "function" and each.body.strip() and _fits(each):
            bodies.setdefault(" ".join(each.body.split()), each)
    return list(bodies.values())


def _fits(definition: Definition) -> bool:
    whole = _asked(definition) + _answered(definition)
    return (
        len(whole) <= MOST_CHARACTERS
        and definition.body.count("\n") < MOST_LINES
        and whole.isascii()
        and "```" not in whole
        # Backslashes of a docstring are read already, and would be read once more.
        and not any(mark in definition.docstring for mark in ("\\", '"""'))
        and "raise NotImplementedError" not in definition.body
        and _function(_answered(definition)) is not None
    )


def _row(definition: Definition, group: str, prompt: str) -> Conversation:
    origin = Origin(definition.path, definition.line, definition.name, (group, definition.module))
    turns = (
        Turn("user", f"{prompt}\n\n{_FENCE.format(_asked(definition))}"),
        Turn("assistant", _FENCE.format(_answered(definition))),
    )
    return Conversation(turns, origin)


def _asked(definition: Definition) -> str:
    docstring = textwrap.indent(f'"""{definition.docstring.strip()}\n"""', "    ")
    return f"{_header(definition)}\n{docstring}"


def _answered(definition: Definition) -> str:
    return f"{_header(definition)}\n{_at_margin(definition.body)}"


def _header(definition: Definition) -> str:
    return textwrap.dedent(definition.header).rstrip()


def _at_margin(body: str) -> str:
    """A body indented by four, wherever it stood (a function may stand inside an `if`)."""
    return textwrap.indent(textwrap.dedent(body), "    ")


def _function(text: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    bare = text.strip().removeprefix("```python").removesuffix("```")
    try:
        body = ast.parse(bare).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    only = body[0] if len(body) == 1 else None
    return only if isinstance(only, ast.FunctionDef | ast.AsyncFunctionDef) else None


def _names(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    given = node.args
    starred = [each.arg for each in (given.vararg, given.kwarg) if each]
    return [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)] + starred
