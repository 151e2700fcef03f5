"""Coder: a function over a list, put together from what it keeps, what it makes of that, and how it gathers it.

What each program should return is worked out by functions that never see its text, and quality is a mutation score: the
share of all programs of this kind that the row's own cases tell from the right one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from adapterkit.data.synthetic.forms import RIGHT, Form, Row, Task, Verdict
from adapterkit.data.synthetic.parts import FAMILIES, Family, Gather, Keep, Turn
from adapterkit.data.synthetic.programs import Program, run_programs

_VERBS = ("get", "work_out", "find", "make", "compute", "derive", "produce", "obtain")
_NOUNS = ("result", "answer", "output", "figure", "outcome", "reply", "product", "response")
_SEEN = (
    "Write a Python function {f}({a}) that returns {what}.",
    "Define {f}({a}) in Python. It returns {what}.",
    "Complete the Python function {f}({a}): it should return {what}.",
)
_UNSEEN = ("I need a Python function {f} that takes the list {a} and gives back {what}.",)
_LAST = " Answer with the code alone."
_FENCED = re.compile(r"```(?:python)?\s*\n(.*?)(?:```|\Z)", re.S)


@dataclass(frozen=True)
class _Program:
    """One program: what is asked and what is right, each cut where the argument's name goes, and its cases."""

    asked: tuple[str, str]
    body: tuple[str, str]
    difficulty: int
    expected: tuple[list[Any], ...]
    quality: tuple[float, ...]


@lru_cache(maxsize=1)
def forms() -> tuple[Form, ...]:
    """A form for each way to keep, turn and gather; every fifth combination, but no part, is kept for the test."""
    return tuple(form for family in FAMILIES for form in _forms(family))


def _forms(family: Family) -> list[Form]:
    made = []
    for (keep, turn, gather), programs in _programs(family).items():
        places = family.keeps.index(keep), family.turns.index(turn), family.gathers.index(gather)
        seen = (places[0] + 2 * places[1] + 3 * places[2]) % 5 != 0
        made.append(_form(family, ".".join((gather.name, turn.name, keep.name)), programs, seen=seen))
    return made


@cache
def _programs(family: Family) -> dict[tuple[Keep, Turn, Gather], list[_Program]]:
    """Every program of a family with what it gives on every suite of inputs."""
    given = {
        (keep, turn, gather, k, t): [
            [gather.give([turn.give(value, t) for value in values if keep.give(value, k)]) for values in suite]
            for suite in family.suites
        ]
        for keep in family.keeps
        for k in keep.numbers
        for turn in family.turns
        for t in turn.numbers
        for gather in family.gathers
        if gather.turns or turn is family.turns[0]
    }
    alike = [Counter(repr(each[at]) for each in given.values()) for at in range(len(family.suites))]
    known: dict[tuple[Keep, Turn, Gather], list[_Program]] = {}
    for (keep, turn, gather, k, t), values in given.items():
        kept = (turn.asked if gather.turns else "@").replace("@", keep.asked.replace("#", str(k)))
        what = gather.asked.replace("@", kept.replace("#", str(t)))
        body = gather.code.replace("@", turn.code.replace("#", str(t))).replace("?", keep.code.replace("#", str(k)))
        asked, _, more = what.partition("$")
        before, _, after = body.partition("$")
        difficulty = 1 + (keep.numbers != (0,)) + (turn is not family.turns[0])
        quality = tuple(1 - alike[at][repr(each)] / len(given) for at, each in enumerate(values))
        known.setdefault((keep, turn, gather), []).append(
            _Program((asked, more), (before, after), difficulty, tuple(values), quality)
        )
    return known


def _form(family: Family, name: str, programs: Sequence[_Program], *, seen: bool) -> Form:
    wordings = [
        tuple(part for piece in wording.split("{what}") for part in _cut(piece))
        for wording in (_SEEN if seen else _UNSEEN)
    ]
    cases = [[[values] for values in suite] for suite in family.suites]
    suites, arguments = len(cases), family.arguments

    def make(number: int) -> Row:
        number, chosen = divmod(number, len(programs))
        number, wording = divmod(number, len(wordings))
        number, verb = divmod(number, len(_VERBS))
        argument, noun = divmod(number, len(_NOUNS))
        program, a, f = programs[chosen], arguments[argument], f"{_VERBS[verb]}_{_NOUNS[noun]}"
        one, two, three, last = wordings[wording]
        (asked, more), (before, after), suite = program.asked, program.body, (verb + noun) % suites
        return {
            "task": "coder",
            "template": name,
            "seen": seen,
            "difficulty": program.difficulty,
            "quality": program.quality[suite],
            "prompt": f"{one}{f}{two}{a}{three}{asked}{a}{more}{last}{_LAST}",
            "answer": f"def {f}({a}):\n    return {before}{a}{after}",
            "check": {"name": f, "calls": cases[suite], "expected": program.expected[suite]},
        }

    return Form(name, seen, len(programs) * len(wordings) * len(_VERBS) * len(_NOUNS) * len(arguments), make)


def _cut(piece: str) -> tuple[str, ...]:
    """`before {f} between {a} behind` in three, or the piece that has neither as it is."""
    before, found, rest = piece.partition("{f}")
    return (before, *rest.split("{a}")) if found else (piece,)


def code_in(text: str) -> str:
    """The code of an answer: its first fenced block, or what stands from the first `def` or `import` on."""
    if fenced := _FENCED.search(text):
        return fenced[1]
    start = re.search(r"^(?:def|import|from) ", text, re.M)
    return text[start.start() :] if start else text


def check(rows: Sequence[Row], texts: Sequence[str]) -> list[Verdict]:
    """Right is a program that returns in every case what it should; the share of the cases it gets right otherwise."""
    programs = [
        Program(code_in(text), row["check"]["name"], row["check"]["calls"])
        for row, text in zip(rows, texts, strict=True)
    ]
    return [
        _verdict(row["check"]["expected"], outcome.values, outcome.error)
        for row, outcome in zip(rows, run_programs(programs), strict=True)
    ]


def _verdict(expected: list[Any], values: list[Any], error: str) -> Verdict:
    right = sum(type(a) is type(b) and a == b for a, b in zip(values, expected, strict=False))
    return RIGHT if right == len(expected) else Verdict(right / len(expected), error or "it returns something else")


def guesses(row: Row) -> list[str]:
    """The programs of the same family, under this row's name."""
    own = row["answer"].partition("\n")[0]
    name, argument = own.removeprefix("def ").removesuffix("):").split("(")
    family = next(each for each in FAMILIES if argument in each.arguments)
    bodies = [program.body for programs in _programs(family).values() for program in programs]
    return [f"def {name}({argument}):\n    return {before}{argument}{after}" for before, after in bodies]


def faults(rows: Sequence[Row]) -> list[list[str]]:
    """Whether the wording names what the answer uses: its name, its argument and its numbers."""
    return [_faults(row) for row in rows]


def _faults(row: Row) -> list[str]:
    words = set(re.findall(r"\w+", row["prompt"]))
    name, argument = re.findall(r"\w+", row["answer"].partition("\n")[0])[1:]
    return [f"the prompt does not name {word}" for word in (name, argument) if word not in words]


CODER = Task("coder", forms, check, guesses, faults, answer_tokens=56)
