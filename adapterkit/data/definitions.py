"""Documented classes and functions of Python source: read as text and parsed, never imported."""

from __future__ import annotations

import ast
import platform
import re
import sysconfig
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from adapterkit.errors import DataError

# What no two installations of one version share, what is installed besides, and what is no library.
_NO_LIBRARY = {
    *("__pycache__", "dist-packages", "site-packages", "sitecustomize.py", "usercustomize.py", "lib-dynload"),
    *("test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "distutils", "lib2to3"),
    *("encodings", "pydoc_data"),
}
_BUILT = re.compile(r"config-|_sysconfigdata_")

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Definition:
    """One documented class or function.

    Attributes:
        module: dotted, such as `json.decoder`.
        name: inside the module, such as `JSONDecoder.decode`.
        kind: class, function or method.
        line: the 1-based line of `def` or `class`.
        parameters: their names, without `self` and `cls`; empty for a class.
        docstring: cleaned of its indentation.
        header: the source from `def` to its colon; empty for a class.
        body: the source behind the docstring; empty for a class.
    """

    module: str
    name: str
    kind: str
    line: int
    parameters: tuple[str, ...]
    docstring: str
    header: str = ""
    body: str = ""

    @property
    def full_name(self) -> str:
        """Such as `json.decoder.JSONDecoder.decode`."""
        return f"{self.module}.{self.name}"

    @property
    def package(self) -> str:
        """The first part of the module's name."""
        return self.module.partition(".")[0]

    @property
    def path(self) -> str:
        """The source file, as it is called inside its library."""
        return self.module.replace(".", "/") + ".py"

    @property
    def public(self) -> bool:
        """Whether no part of its name begins with an underscore."""
        return not any(part.startswith("_") for part in self.full_name.split("."))

    @property
    def summary(self) -> str:
        """The docstring's first paragraph, on one line."""
        return " ".join(self.docstring.split("\n\n", 1)[0].split())


def standard_library() -> Path:
    """The folder of the interpreter's own modules.

    Raises:
        DataError: this interpreter keeps them elsewhere than in a folder.
    """
    folder = Path(sysconfig.get_path("stdlib"))
    if not (folder / "ast.py").is_file():
        raise DataError(
            "The standard library's source is not in this folder; an embedded interpreter keeps it packed. Use an "
            "ordinary Python.",
            path=folder,
        )
    return folder


def library_label() -> str:
    """What the rows of the standard library come from, such as `the standard library of CPython 3.11.7`."""
    return f"the standard library of {platform.python_implementation()} {platform.python_version()}"


def library_origin() -> dict[str, str]:
    """The interpreter and its version: docstrings differ from one to the next."""
    return {"python:standard-library": platform.python_version()}


@lru_cache(maxsize=4)
def read_definitions(folder: Path, prefix: str = "") -> tuple[Definition, ...]:
    """Every documented class, function and method of a folder of Python source, in the order of the files' names.

    Args:
        folder: with modules and packages inside; tests and what is installed besides are left out.
        prefix: the dotted name of a package that the folder is; empty for a folder of modules.

    Raises:
        DataError: the folder holds no source, or a file cannot be read or parsed.
    """
    found = [found for module, tree, text in parsed(folder, prefix) for found in _documented(module, tree, text)]
    if not found:
        raise DataError("No documented function is here. Is it a folder of Python source?", path=folder)
    # A name may be bound again, on another platform or for an older version: the first stands.
    first = {each.full_name: each for each in reversed(found)}
    return tuple(each for each in found if first[each.full_name] is each)


def parsed(folder: Path, prefix: str = "") -> Iterator[tuple[str, ast.Module, str]]:
    """Every module of a folder: dotted name, tree and text; a package is called by its own name.

    Raises:
        DataError: a file cannot be read or parsed.
    """
    for path in source_files(folder):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join((prefix, *parts) if prefix else parts).removesuffix(".__init__")
        try:
            text = path.read_text(encoding="utf-8")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield name, ast.parse(text), text
        except (OSError, ValueError, SyntaxError) as error:
            raise DataError(f"This source cannot be parsed: {error}. Install it again.", path=path) from error


def source_files(folder: Path) -> list[Path]:
    """The Python files of a library, sorted by their names."""
    kept = [(each.relative_to(folder).as_posix(), each) for each in folder.rglob("*.py")]
    return [path for name, path in sorted(kept) if not _NO_LIBRARY & set(name.split("/")) and not _BUILT.match(name)]


def _documented(module: str, tree: ast.Module, text: str) -> Iterator[Definition]:
    lines = text.split("\n")
    for owner, node in _definitions(tree.body, ""):
        docstring = ast.get_docstring(node)
        if not docstring:
            continue
        name = owner + node.name
        if isinstance(node, ast.ClassDef):
            yield Definition(module, name, "class", node.lineno, (), docstring)
        else:
            header, body = _source(node, lines)
            names = _parameters(node, method=bool(owner))
            yield Definition(
                module, name, "method" if owner else "function", node.lineno, names, docstring, header, body
            )


def _definitions(body: Iterable[ast.stmt], owner: str) -> Iterator[tuple[str, ast.ClassDef | _Function]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield owner, node
            yield from _definitions(node.body, f"{owner}{node.name}.")
        elif isinstance(node, _Function):
            yield owner, node
        elif isinstance(node, ast.If | ast.Try):
            yield from _definitions([*node.body, *node.orelse], owner)


def _source(node: _Function, lines: Sequence[str]) -> tuple[str, str]:
    """The header and what stands behind the docstring; both empty where they share a line with it."""
    first = node.body[0]
    if first.lineno == node.lineno or lines[first.lineno - 1][: first.col_offset].strip():
        return "", ""
    body = lines[first.end_lineno or first.lineno : node.end_lineno]
    return "\n".join(lines[node.lineno - 1 : first.lineno - 1]), "\n".join(body).strip("\n")


def _parameters(node: _Function, *, method: bool) -> tuple[str, ...]:
    given = node.args
    names = [each.arg for each in (*given.posonlyargs, *given.args)]
    static = any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in node.decorator_list)
    if method and not static:
        names = names[1:]
    starred = [each.arg for each in (given.vararg, given.kwarg) if each]
    return (*names, *(each.arg for each in given.kwonlyargs), *starred)
