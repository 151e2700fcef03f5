"""Grounded questions from the docstrings of the interpreter's own standard library.

A row gives a question and three or four passages of one module, and answers with the id of the passage it stands in.
One row in five withholds that passage, and its answer is a refusal; one in four asks for JSON. A package is in one
split whole, so no passage of the test is ever trained on. Another version of Python has other docstrings, and so the
version is recorded with the rows.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from adapterkit.data.conversation import Conversation, Origin
from adapterkit.data.corpora import check_splits_itself
from adapterkit.data.definitions import Definition, library_label, library_origin, read_definitions, standard_library
from adapterkit.data.draws import number, pick, shuffled, split_of
from adapterkit.data.grounding import AS_JSON, AS_TEXT, Passage, grounded_turns
from adapterkit.data.splits import Splits

REFUSED_IN, JSON_IN = 5, 4
_FEWEST_WORDS, _MOST_CHARACTERS = 5, 220
_LETTERS = "abcdefghkmnprstuvwxyz"
_WORD = re.compile(r"[a-z]{3,}")

_WHAT = ("What does `{name}` do?", "What is `{name}` for?", "Say in one sentence what `{name}` does.",
         "I found `{name}` in the code. What does it do?")  # fmt: skip
_WHICH = ("Which of them takes an argument `{it}`?", "What is called with the argument `{it}`?",
          "Where can `{it}` be given?", "Which one has a parameter named `{it}`?")  # fmt: skip
_PARAMETERS = ("Which arguments does `{name}` take?", "List the parameters of `{name}`.",
               "With what is `{name}` called?", "Name the arguments of `{name}`.")  # fmt: skip


@dataclass(frozen=True)
class _Question:
    """What is asked of one definition, what answers it, and what could stand beside the passage without answering."""

    text: str
    said: Any
    others: tuple[Definition, ...]


def read_grounded(*, train: str | None, validation: str | None, test: str | None, prompt: str | None) -> Splits:
    """Grounded questions from this interpreter's docstrings.

    Args:
        train: null or `auto`.
        validation: `auto`, or null for none; its packages stay out of training either way.
        test: likewise.
        prompt: the instruction of every row; null for three that take turns, and a fourth of the rows in JSON.

    Raises:
        DataError: this interpreter's source is not at hand.
        UsageError: files were given.
    """
    check_splits_itself("grounded", train=train, validation=validation, test=test)
    rows = _rows_by_split(standard_library(), prompt)
    return Splits.chosen(
        rows,
        validation=validation,
        test=test,
        source=f"docstrings of {library_label()}",
        origins=library_origin(),
    )


@lru_cache(maxsize=2)
def _rows_by_split(folder: Path, prompt: str | None) -> dict[str, tuple[Conversation, ...]]:
    rows: dict[str, list[Conversation]] = {"train": [], "validation": [], "test": []}
    for module in _modules(_passages(read_definitions(folder))):
        for definition in module:
            if (row := _row(definition, module, prompt)) is not None:
                rows[split_of(definition.package)].append(row)
    return {split: tuple(part) for split, part in rows.items()}


def _passages(definitions: Iterable[Definition]) -> list[Definition]:
    """What makes a short passage of its own: public, in plain words, and said of nothing else."""
    fit = [each for each in definitions if each.public and _fits(each)]
    said = Counter(each.summary for each in fit)
    return [each for each in fit if said[each.summary] == 1]


def _fits(definition: Definition) -> bool:
    summary = definition.summary
    return (
        len(summary.split()) >= _FEWEST_WORDS
        and len(_passage(definition)) <= _MOST_CHARACTERS
        and summary.isascii()
        and not re.search(r"[\[\]]|>>>|--|::", summary)
        and summary[-1] in ".!?"
    )


def _modules(definitions: Iterable[Definition]) -> list[tuple[Definition, ...]]:
    modules: dict[str, list[Definition]] = defaultdict(list)
    for each in definitions:
        modules[each.module].append(each)
    return [tuple(each) for each in modules.values() if len(each) > 4]


def _row(gold: Definition, module: Sequence[Definition], prompt: str | None) -> Conversation | None:
    key = gold.full_name
    question = _question(gold, module)
    refused = number("refused", key) % REFUSED_IN == 0
    as_json = prompt is None and number("json", key) % JSON_IN == 0
    count = 2 + number("count", key) % 2 + refused
    if len(question.others) < count:
        return None
    chosen = _shuffled([*question.others[:count], *([] if refused else [gold])], key)
    ids = _ids(len(chosen), key)
    cited = [id for id, each in zip(ids, chosen, strict=True) if each is gold]
    return Conversation(
        grounded_turns(
            prompt or pick(AS_JSON if as_json else AS_TEXT, "instruction", key),
            [Passage(id, _passage(each)) for id, each in zip(ids, chosen, strict=True)],
            question.text,
            None if refused else question.said if as_json else _as_text(question.said),
            cited,
            as_json=as_json,
        ),
        Origin(gold.path, gold.line, gold.name, (gold.package, gold.module)),
    )


def _shuffled(definitions: Iterable[Definition], key: str) -> list[Definition]:
    """The definitions in an order that neither their module nor their length decides."""
    named = {each.full_name: each for each in definitions}
    return [named[name] for name in shuffled(named, "order", key)]


def _question(gold: Definition, module: Sequence[Definition]) -> _Question:
    key = gold.full_name
    others = _hardest_first(gold, module)
    own = [name for name in gold.parameters if len(name) > 2 and not any(name in each.parameters for each in others)]
    # Few have an argument that no other of the module has: those are asked for it twice as often.
    kinds = ["what", *(["which"] * 2 if own else []), *(["parameters"] if gold.parameters else [])]
    match pick(kinds, "kind", key):
        case "which":
            it = pick(own, "parameter", key)
            return _Question(pick(_WHICH, "asked", key).format(it=it), gold.name, others)
        case "parameters":
            return _Question(pick(_PARAMETERS, "asked", key).format(name=gold.name), list(gold.parameters), others)
        case _:
            return _Question(pick(_WHAT, "asked", key).format(name=gold.name), gold.summary, others)


def _hardest_first(gold: Definition, module: Sequence[Definition]) -> tuple[Definition, ...]:
    """The others of a module, those that share most words with the passage first."""
    own = _words(gold)

    def distance(other: Definition) -> tuple[float, int]:
        theirs = _words(other)
        return -len(own & theirs) / len(own | theirs), number("hard", gold.full_name, other.full_name)

    return tuple(sorted((each for each in module if each is not gold), key=distance))


def _words(definition: Definition) -> frozenset[str]:
    return frozenset(_WORD.findall(_passage(definition).casefold()))


def _passage(definition: Definition) -> str:
    called = "" if definition.kind == "class" else f"({', '.join(definition.parameters)})"
    return f"{definition.name}{called}: {definition.summary}"


def _ids(count: int, key: str) -> list[str]:
    """Ids that say nothing: they differ from row to row, so they must be read."""
    letters = shuffled(_LETTERS, "letters", key)
    return [f"{letter}{10 + number('id', key, letter) % 90}" for letter in letters[:count]]


def _as_text(said: Any) -> str:
    return said if isinstance(said, str) else ", ".join(f"`{name}`" for name in said)
