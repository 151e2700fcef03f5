"""Which of four weaknesses is it: code and reports of the Common Weakness Enumeration (the `cwe2` package).

All rows of a weakness are in one split, and what there is to choose from is of the same split: no title of the test is
ever seen in training. What the catalogue lists under several weaknesses is left out, and so is any choice that would be
right as well: a kind of the answer, or what the answer is a kind of.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.data.corpora import check_splits_itself, corpus_folder, corpus_label, corpus_origin
from adapterkit.data.cwe import CATALOGUE, Weakness, read_weaknesses
from adapterkit.data.draws import number, shuffled, split_of
from adapterkit.data.splits import Splits

INSTALL = "pip install 'adapterkit[tasks]'"
CODE = "Which weakness does this code have?"
REPORT = "Which weakness does this report describe?"
MOST_CODE, MOST_REPORT, MOST_TITLE, CHOICES = 500, 300, 110, 4

_WORD = re.compile(r"[a-z]{4,}")
_ID = re.compile(r"CWE-\d+")


def read_weakness_questions(
    *, train: str | None, validation: str | None, test: str | None, prompt: str | None, install: str | None
) -> Splits:
    """Questions about code and reports, each with four weaknesses to choose from.

    Args:
        train: null or `auto`.
        validation: `auto`, or null for none; its weaknesses stay out of training either way.
        test: likewise.
        prompt: the question of every row; null for one about code and one about reports.
        install: the command that brings the package, for the error message.

    Raises:
        MissingExtraError: the package is not installed.
        DataError: its catalogue is not as expected.
        UsageError: files were given.
    """
    check_splits_itself("weaknesses", train=train, validation=validation, test=test)
    folder = corpus_folder("cwe2", ".", purpose="the weaknesses to learn from", install=install or INSTALL)
    rows = _rows_by_split(folder, prompt)
    return Splits.chosen(
        rows,
        validation=validation,
        test=test,
        source=f"the weaknesses of {corpus_label('cwe2')}",
        origins=corpus_origin("cwe2"),
    )


def check_weakness(said: str, wanted: str) -> bool:
    """Whether an answer names the weakness that a row teaches, and no other."""
    return set(_ID.findall(said)) == set(_ID.findall(wanted))


@lru_cache(maxsize=2)
def _rows_by_split(folder: Path, prompt: str | None) -> dict[str, tuple[Conversation, ...]]:
    weaknesses = read_weaknesses(folder)
    related = _related(weaknesses)
    listed = Counter(
        _plain(text) for each in weaknesses for text in {said for _, said in (*each.snippets, *each.reports)}
    )
    rows: dict[str, tuple[Conversation, ...]] = {}
    for split in ("train", "validation", "test"):
        own = [each for each in weaknesses if split_of(each.id) == split and len(each.name) <= MOST_TITLE]
        rows[split] = tuple(
            row for each in own for row in _rows(each, _alike(each, own, related[each.id]), listed, prompt)
        )
    return rows


def _rows(
    weakness: Weakness, others: Sequence[Weakness], listed: Mapping[str, int], prompt: str | None
) -> Iterator[Conversation]:
    asked = [
        *(("code", CODE, f"```{language.split('/')[0]}\n{code}\n```", code) for language, code in weakness.snippets),
        *(("report", REPORT, description, description) for _, description in weakness.reports),
    ]
    for kind, question, shown, said in dict.fromkeys(asked):
        if listed[_plain(said)] > 1 or not _fits(kind, said):
            continue
        titles = [f"{each.id}: {each.name}" for each in _shuffled([weakness, *others], said)]
        choices = "\n".join(titles)
        origin = Origin(f"cwe2/{CATALOGUE}", None, weakness.id, (kind, weakness.id))
        turns = (
            Turn("user", f"{prompt or question}\n\n{shown}\n\nChoose one:\n{choices}"),
            Turn("assistant", weakness.id),
        )
        yield Conversation(turns, origin)


def _shuffled(weaknesses: Iterable[Weakness], key: str) -> list[Weakness]:
    """The weaknesses in an order that the key decides, and not their numbers."""
    by_id = {each.id: each for each in weaknesses}
    return [by_id[name] for name in shuffled(by_id, "choices", key)]


def _fits(kind: str, said: str) -> bool:
    most = MOST_CODE if kind == "code" else MOST_REPORT
    return 20 <= len(said) <= most and said.isascii() and "```" not in said and "CWE-" not in said


def _alike(weakness: Weakness, own: Sequence[Weakness], related: frozenset[str]) -> list[Weakness]:
    """What is easily taken for a weakness: of one parent first, then by the words of the titles."""
    words, parents = _words(weakness.name), set(weakness.parents)
    distances = {
        other: (not parents & set(other.parents), -len(words & _words(other.name)))
        for other in own
        if other.id not in related
    }
    farthest = sorted(distances.values())[: CHOICES - 1][-1]
    near = [other for other, distance in distances.items() if distance <= farthest]
    near.sort(key=lambda other: (distances[other], number("alike", weakness.id, other.id)))
    return near[: CHOICES - 1]


def _related(weaknesses: Sequence[Weakness]) -> dict[str, frozenset[str]]:
    """For each weakness itself, all that it is a kind of, and all kinds of it."""
    parents = {each.id: each.parents for each in weaknesses}

    def above(name: str, seen: frozenset[str]) -> frozenset[str]:
        for parent in parents.get(name, ()):
            if parent not in seen:
                seen = above(parent, seen | {parent})
        return seen

    ancestors = {name: above(name, frozenset((name,))) for name in parents}
    below: dict[str, set[str]] = {name: set() for name in parents}
    for name, over in ancestors.items():
        for each in over & below.keys():
            below[each].add(name)
    return {name: ancestors[name] | below[name] for name in parents}


@lru_cache(maxsize=2048)
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def _plain(text: str) -> str:
    return " ".join(text.split())
