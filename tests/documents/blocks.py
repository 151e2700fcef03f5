"""What a page holds: its fenced blocks, its words in code, its links and its anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = ("bash", "python")
PARSED = ("json", "yaml", "toml")
LANGUAGES = (*RUN, *PARSED, "text", "mermaid")

_FENCE = re.compile(r"(?P<indent> *)(?P<ticks>`{3,}|~{3,})(?P<info>[^`]*)")
_INFO = re.compile(r"(?P<language>[\w+-]*)(?:\s+title=\"(?P<title>[^\"]+)\")?")
_SPAN = re.compile(r"(?<!`)(`{1,2})(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"\[[^\]\[]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: relative to the repository, `docs/guard.md`.
        line: of the page, from 1, on which its text begins.
        info: what stands behind the fence, as it is written.
        text: without the fences and their indent; ends in a line break.
    """

    page: str
    line: int
    info: str
    text: str

    @property
    def language(self) -> str:
        """The first word behind the fence; empty where there is none."""
        return self._parts["language"]

    @property
    def title(self) -> str | None:
        """The file that the block is; null for a block that is none."""
        return self._parts["title"]

    @property
    def first_line(self) -> str:
        """By which the tables of this folder name a block."""
        return self.text.partition("\n")[0]

    @property
    def well_formed(self) -> bool:
        """Whether nothing but a language that is known, and perhaps a title, stands behind the fence."""
        return self.language in LANGUAGES and _INFO.fullmatch(self.info) is not None

    @property
    def _parts(self) -> dict[str, str]:
        found = _INFO.match(self.info)
        assert found is not None
        return found.groupdict()


def pages() -> list[str]:
    """All pages whose blocks run."""
    return ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]


@cache
def blocks_of(page: str) -> tuple[Block, ...]:
    """The fenced blocks of a page, in order."""
    return tuple(_blocks(page, (ROOT / page).read_text("utf-8").splitlines()))


def _blocks(page: str, lines: list[str]) -> Iterator[Block]:
    places = iter(range(len(lines)))
    for place in places:
        opened = _FENCE.fullmatch(lines[place])
        if opened is None:
            continue
        text, begun = [], place + 2
        for inner in places:
            line = lines[inner]
            if line.strip().startswith(opened["ticks"]) and not line.strip().strip(opened["ticks"][0]):
                break
            text.append(line.removeprefix(opened["indent"]) + "\n")
        else:
            raise ValueError(f"{page}:{place + 1}: a fence is opened here and never closed")
        yield Block(page, begun, opened["info"].strip(), "".join(text))


@cache
def prose_of(page: str) -> str:
    """A page with its fenced blocks blanked, so that lines keep their numbers."""
    lines = (ROOT / page).read_text("utf-8").splitlines()
    for block in blocks_of(page):
        count = block.text.count("\n")
        # The fences around it, too.
        lines[block.line - 2 : block.line + count] = [""] * (count + 2)
    return "\n".join(lines)


def code_of(page: str) -> list[str]:
    """What a page says in code: its spans on one line each, and the commands of its bash blocks."""
    spans = [" ".join(found[2].split()) for found in _SPAN.finditer(prose_of(page))]
    scripts = [block.text.replace("\\\n", " ") for block in blocks_of(page) if block.language == "bash"]
    return [*spans, *(without_comment(line) for script in scripts for line in script.splitlines())]


def without_comment(line: str) -> str:
    """A line of a shell without its comment, which begins at a `#` behind a space."""
    return re.sub(r"(^|\s)#.*", "", line).strip()


def links_of(page: str) -> list[str]:
    """Where a page leads, elsewhere on the web left out."""
    found = _LINK.findall(_SPAN.sub("", prose_of(page)))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


@cache
def anchors_of(page: str) -> frozenset[str]:
    """The anchors that a page's headings make, as GitHub makes them."""
    anchors: list[str] = []
    for title in re.findall(r"^#{1,6} +(.*?)(?: +#*)?$", prose_of(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        again = anchors.count(anchor)
        anchors.append(f"{anchor}-{again}" if again else anchor)
    return frozenset(anchors)
