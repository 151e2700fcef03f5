"""The Common Weakness Enumeration as the `cwe2` package keeps it: one XML file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

from adapterkit.errors import DataError

CATALOGUE = "database_v49/cwec_v4.14.xml"

_CWE = "{http://cwe.mitre.org/cwe-7}"
_XHTML = "{http://www.w3.org/1999/xhtml}"


@dataclass(frozen=True)
class Weakness:
    """One weakness, its examples and its place.

    Attributes:
        id: such as `CWE-89`.
        name: its title.
        parents: the ids of the weaknesses that it is a kind of.
        snippets: (language, code) of each example that has it.
        reports: (CVE id, description) of each weakness of this kind that was observed.
    """

    id: str
    name: str
    parents: tuple[str, ...]
    snippets: tuple[tuple[str, str], ...]
    reports: tuple[tuple[str, str], ...]


@lru_cache(maxsize=1)
def read_weaknesses(folder: Path) -> tuple[Weakness, ...]:
    """Every weakness of the catalogue that is not deprecated, in the order of the file.

    Raises:
        DataError: the catalogue is missing, or not as expected.
    """
    path = folder / CATALOGUE
    try:
        tree = ElementTree.parse(path)
        entries = tree.iterfind(f"{_CWE}Weaknesses/{_CWE}Weakness")
        found = tuple(_weakness(each) for each in entries if each.get("Status") != "Deprecated")
    except (OSError, KeyError, ElementTree.ParseError) as error:
        raise DataError(
            f"The catalogue does not look as expected: {error!r}. Install the package again.", path=path
        ) from error
    if not found:
        raise DataError("The catalogue lists no weakness. Install the package again.", path=path)
    return found


def _weakness(entry: ElementTree.Element) -> Weakness:
    parents = (
        f"CWE-{each.attrib['CWE_ID']}"
        for each in entry.iter(f"{_CWE}Related_Weakness")
        if each.get("Nature") == "ChildOf"
    )
    return Weakness(
        id=f"CWE-{entry.attrib['ID']}",
        name=entry.attrib["Name"],
        parents=tuple(dict.fromkeys(parents)),
        snippets=tuple(_snippets(entry)),
        reports=tuple(_reports(entry)),
    )


def _snippets(entry: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for code in entry.iter(f"{_CWE}Example_Code"):
        if code.get("Nature") == "Bad":
            yield code.get("Language", "").lower(), code_text(code)


def _reports(entry: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for each in entry.iter(f"{_CWE}Observed_Example"):
        reference, description = each.findtext(f"{_CWE}Reference"), each.findtext(f"{_CWE}Description")
        if reference and description:
            yield reference, " ".join(description.split())


def code_text(node: ElementTree.Element) -> str:
    """Code that is written as XHTML: a line for each `br`, and two spaces for each `div` inside another."""
    pieces = "".join(_pieces(node, -1))
    lines = (line.rstrip() for line in re.sub(r"\n\s*\n", "\n", pieces).split("\n"))
    return "\n".join(line for line in lines if line)


def _pieces(node: ElementTree.Element, depth: int) -> Iterator[str]:
    """The text of a node and of what is in it; `depth` is how far its lines are indented."""
    indent = "\n" + "  " * max(depth, 0)
    yield _line(node.text)
    for child in node:
        if child.tag == f"{_XHTML}div":
            yield "\n" + "  " * (depth + 1)
            yield from _pieces(child, depth + 1)
            yield indent
        elif child.tag == f"{_XHTML}br":
            yield indent
        else:
            yield from _pieces(child, depth)
        yield _line(child.tail)


def _line(text: str | None) -> str:
    """Line ends in the file are those of the XML, not of the code."""
    return re.sub(r"\s*\n\s*", " ", text or "").strip(" ")
