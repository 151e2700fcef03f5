"""Code review with a known finding: the examples in pylint's documentation, fetched and never copied.

Each message of pylint has a bad and a good example. The bad one is reviewed (which line, which of four findings) and
mended; the good one is reviewed too and has none of the four. The comment that names the finding is taken off. All rows
of a message are in one split, so the messages of the test are never trained on.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.data.corpora import check_splits_itself
from adapterkit.data.draws import number, shuffled, split_of
from adapterkit.data.leaks import apart
from adapterkit.data.sdists import Sdist, sdist_texts
from adapterkit.data.splits import Splits

SOURCE = Sdist(
    "pylint", "4.1.4", "4c9176dc6c9f1b98b742195f01899b290369d5a27b4b41d1014c17f2f96b26f1", "GPL-2.0-or-later"
)
FOLDER = "doc/data/messages"
PROMPT = "Review this Python code. Name line and finding, or say that there is none."
NO_FINDING = "No finding."
MOST_LINES, MOST_CHARACTERS, CHOICES = 20, 600, 4

_LABEL = re.compile(r"[ \t]*#[ \t]*(?:([+-]\d+):[ \t]*)?\[([a-z0-9, -]+)\][ \t]*$")
_FOUND = re.compile(r"^line (\d+): ([a-z0-9-]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """One message of pylint: code that has it, where, and code that does not.

    Attributes:
        message: its name, such as `consider-using-enumerate`.
        bad: the code without the comments that name the finding.
        lines: the 1-based lines of the finding in it.
        good: the code that mends it.
    """

    message: str
    bad: str
    lines: tuple[int, ...]
    good: str


@dataclass(frozen=True)
class ReviewCheck:
    """What a review said, compared with the one that was wanted.

    Attributes:
        findings_right: it names the same findings, or says likewise that there is none.
        lines_right: it names the same lines.
        code_right: mended code is what the documentation gives, but for spacing and comments; true where none was asked
            for. There are other ways to mend, so this counts too few rather than too many.
    """

    findings_right: bool
    lines_right: bool
    code_right: bool

    @property
    def right(self) -> bool:
        """Whether all three are."""
        return self.findings_right and self.lines_right and self.code_right


def read_code_review(*, train: str | None, validation: str | None, test: str | None, prompt: str | None) -> Splits:
    """Reviews of the examples in pylint's documentation.

    Args:
        train: null or `auto`.
        validation: `auto`, or null for none; its messages stay out of training either way.
        test: likewise.
        prompt: the instruction of every review.

    Raises:
        DataError: the source of pylint is not in the cache and cannot be fetched.
        UsageError: files were given.
    """
    check_splits_itself("code_review", train=train, validation=validation, test=test)
    rows = _rows_by_split(SOURCE.path, prompt or PROMPT)
    return Splits.chosen(
        rows,
        validation=validation,
        test=test,
        source=f"the message examples of {SOURCE.package} {SOURCE.version}",
        origins=SOURCE.origin,
    )


def check_review(said: str, wanted: str) -> ReviewCheck:
    """Compare a review, or mended code, with the one that a row teaches; no code is run."""
    if wanted.startswith("```"):
        code = _parsed(said)
        return ReviewCheck(True, True, code is not None and code == _parsed(wanted))
    gold, given = _FOUND.findall(wanted), _FOUND.findall(said.strip())
    none = not gold and said.strip().rstrip(".").casefold() == NO_FINDING.rstrip(".").casefold()
    names, lines = (
        ({name for _, name in gold}, {name for _, name in given}),
        ([n for n, _ in gold], [n for n, _ in given]),
    )
    return ReviewCheck(
        none or (bool(gold) and names[0] == names[1]),
        none or (bool(gold) and sorted(lines[0]) == sorted(lines[1])),
        True,
    )


def find_examples(texts: dict[str, str]) -> list[Example]:
    """The messages with a labelled bad example and a good one, both short, by their names.

    Args:
        texts: path below the folder of messages -> text, such as `c/consider-using-enumerate/bad.py`.
    """
    found = []
    for path, text in texts.items():
        folder, _, file = path.rpartition("/")
        message, good = folder.rpartition("/")[2], texts.get(f"{folder}/good.py")
        if file == "bad.py" and good is not None:
            bad, labels = take_labels(text)
            lines = tuple(line for line, name in labels if name == message)
            example = Example(message, bad, lines, take_labels(good)[0])
            if lines and len(lines) == len(labels) <= 3 and _fits(example):
                found.append(example)
    return found


def take_labels(text: str) -> tuple[str, list[tuple[int, str]]]:
    """Code without the comments that name findings, and each finding with its 1-based line."""
    lines, labels = [], []
    for line_number, line in enumerate(text.rstrip().splitlines(), start=1):
        while (match := _LABEL.search(line)) is not None:
            line = line[: match.start()]
            names = match[2].replace(" ", "").split(",")
            labels += [(line_number + int(match[1] or 0), name) for name in names]
        lines.append(line.rstrip())
    return "\n".join(lines), sorted(labels)


def _fits(example: Example) -> bool:
    both = (example.bad, example.good)
    return (
        example.bad != example.good
        and not any(example.message in code or "```" in code for code in both)
        and all(len(code) <= MOST_CHARACTERS and code.count("\n") < MOST_LINES and code.isascii() for code in both)
    )


# The path is a part of the key because another cache may be set.
@lru_cache(maxsize=2)
def _rows_by_split(path: Path, prompt: str) -> dict[str, tuple[Conversation, ...]]:
    examples = find_examples(sdist_texts(SOURCE, FOLDER))
    names: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for each in examples:
        names[split_of(each.message)].append(each.message)
    rows: dict[str, list[Conversation]] = {split: [] for split in names}
    for each in examples:
        split = split_of(each.message)
        rows[split] += _rows(each, _choices(each.message, names[split]), prompt)
    return apart(rows)


def _rows(example: Example, choices: Sequence[str], prompt: str) -> Iterator[Conversation]:
    asked = f"{prompt}\nLook for: {', '.join(choices)}"
    found = "\n".join(f"line {line}: {example.message}" for line in example.lines)
    where = f"line {', '.join(map(str, example.lines))}"
    mend = f"Rewrite this Python code without the finding {example.message} ({where})."
    pairs = (
        ("bad", "finding", f"{asked}\n\n{_numbered(example.bad)}", found),
        ("good", "clean", f"{asked}\n\n{_numbered(example.good)}", NO_FINDING),
        ("bad", "mended", f"{mend}\n\n{_numbered(example.bad)}", f"```python\n{example.good}\n```"),
    )
    for file, kind, question, answer in pairs:
        place = f"{SOURCE.stem}/{FOLDER}/{example.message[0]}/{example.message}/{file}.py"
        origin = Origin(place, example.lines[0] if file == "bad" else 1, example.message, (kind, example.message))
        yield Conversation((Turn("user", question), Turn("assistant", answer)), origin)


def _choices(message: str, names: Iterable[str]) -> list[str]:
    """The message and those of its split whose names share most words with it, in an order that says nothing."""
    own = set(message.split("-"))
    others = [name for name in names if name != message]
    alike = sorted(others, key=lambda name: (-len(own & set(name.split("-"))), number("choice", message, name)))
    return shuffled([message, *alike[: CHOICES - 1]], "choices", message)


def _numbered(code: str) -> str:
    return "```python\n" + "\n".join(f"{n}: {line}" for n, line in enumerate(code.split("\n"), start=1)) + "\n```"


def _parsed(code: str) -> str | None:
    """The tree of Python code, in a fence or bare, as text; null where it does not parse or is empty."""
    try:
        tree = ast.parse(code.strip().removeprefix("```python").removesuffix("```"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return ast.dump(tree) if tree.body else None
