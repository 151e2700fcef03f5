"""Reviewer: a small function with at most one planted bug; its line and kind are known, and a run proves it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from adapterkit.data.synthetic.forms import RIGHT, Form, Row, Task, Verdict
from adapterkit.data.synthetic.functions import FUNCTIONS, KINDS, Function
from adapterkit.data.synthetic.numbered import code_of
from adapterkit.data.synthetic.programs import Program, run_programs

CLEAN = "no bug"

_VERBS = ("get", "make", "work_out", "find", "build", "take", "derive", "give")
_NOUNS = ("figure", "outcome", "answer", "part", "record", "result_of", "share", "entry")
_INPUTS = ("values", "numbers", "items", "data", "prices", "points", "marks", "ages")
_GATHERED = ("total", "found", "kept", "out", "state", "acc")
_SINGLE = ("value", "item", "one", "each", "x", "current")
_OPENINGS = ("", "import math\n", "# Part of the monthly report.\n", "import json\nimport math\n")
_ASKED = f"At most one line of this code has a bug. Answer like `line 3: off-by-one`, or `{CLEAN}`.\n" + ", ".join(
    KINDS
)
_WORD = re.compile(r"\b[FXTVK]\b")
_LINE = re.compile(r"\blines?\W{0,3}(\d+)", re.I)
_KIND = re.compile("|".join(sorted(KINDS, key=len, reverse=True)), re.I)


@lru_cache(maxsize=1)
def forms() -> tuple[Form, ...]:
    """A form for each function and each of its bugs, and one for the function as it should be."""
    return tuple(form for function in FUNCTIONS for form in _forms(function))


def _forms(function: Function) -> Iterator[Form]:
    lines = function.text.split("\n")
    yield _form(function, lines, None, None, "")
    for kind, (place, wrong) in function.bugs.items():
        yield _form(function, *_planted(lines, kind, place, wrong))


def _planted(lines: list[str], kind: str, place: int, wrong: str) -> tuple[list[str], str, int, str]:
    """The lines with the bug, its kind, its line, and what would be right there."""
    planted, right = lines.copy(), lines[place - 1]
    planted[place - 1] = wrong
    if kind == "mutable-default":
        # What made the default safe goes with it, and is a part of what would be right.
        right = "\n".join([right, lines[2]])
        del planted[2]
    return planted, kind, place, right


def _form(function: Function, lines: list[str], kind: str | None, place: int | None, right: str) -> Form:
    texts = [_text(opening, lines) for opening in _OPENINGS]
    counts = [opening.count("\n") for opening in _OPENINGS]
    places = [place and place + count for count in counts]
    answers = [f"line {at}: {kind}" if kind else CLEAN for at in places]
    shown = [len(lines) + count for count in counts]
    qualities = [1 - 1 / (len(KINDS) * count + 1) for count in shown]
    right_text, numbers = _braced(right), function.numbers
    expected = {number: function.expected(number) for number in numbers}
    calls = [list(arguments) for arguments in function.calls]
    name, seen = f"{function.name}.{kind or 'clean'}", function.seen
    # A word that the function lacks makes no difference, so it has one value.
    inputs, gathered, single = (
        len(known) if letter in "".join(lines) else 1
        for letter, known in (("X", _INPUTS), ("T", _GATHERED), ("V", _SINGLE))
    )
    verbs, nouns = len(_VERBS), len(_NOUNS)

    def make(number: int) -> Row:
        number, opened = divmod(number, len(_OPENINGS))
        number, k = divmod(number, len(numbers))
        number, verb = divmod(number, verbs)
        number, noun = divmod(number, nouns)
        number, given = divmod(number, inputs)
        each, out = divmod(number, gathered)
        k = numbers[k]
        words = (f"{_VERBS[verb]}_{_NOUNS[noun]}", _INPUTS[given], _GATHERED[out], _SINGLE[each], k)
        return {
            "task": "reviewer",
            "template": name,
            "seen": seen,
            "difficulty": 1 if kind in _PLAIN else 2,
            "quality": qualities[opened],
            "prompt": texts[opened].format(*words),
            "answer": answers[opened],
            "check": {
                "kind": kind,
                "line": places[opened],
                "lines": shown[opened],
                "right": right_text.format(*words),
                "name": words[0],
                "calls": calls,
                "expected": expected[k],
            },
        }

    return Form(name, seen, len(_OPENINGS) * len(numbers) * verbs * nouns * inputs * gathered * single, make)


# A look at one line is enough for these; the others have to be compared with what the function is for.
_PLAIN = ("missing-return", "none-result", "mutable-default", "identity", "early-return")


def _text(opening: str, lines: list[str]) -> str:
    every = [*opening.splitlines(), *lines]
    return _ASKED + "\n".join(f"{number}: {_braced(line)}" for number, line in enumerate(every, 1))


def _braced(text: str) -> str:
    """A text for `str.format`, its words as numbered fields."""
    escaped = text.replace("{", "{{").replace("}", "}}")
    return _WORD.sub(lambda word: "{" + str("FXTVK".index(word[0])) + "}", escaped)


def check(rows: Sequence[Row], texts: Sequence[str]) -> list[Verdict]:
    """Right is exactly the line and the kind, or that there is no bug; half of the two is half right."""
    return [_verdict(row, text) for row, text in zip(rows, texts, strict=True)]


def _verdict(row: Row, text: str) -> Verdict:
    wanted = row["check"]
    lines = {int(found) for found in _LINE.findall(text)}
    kinds = {found.lower() for found in _KIND.findall(text)}
    if wanted["kind"] is None:
        return RIGHT if CLEAN in text.lower() and not lines and not kinds else Verdict(0.0, "there is no bug")
    right_line, right_kind = lines == {wanted["line"]}, kinds == {wanted["kind"]}
    if right_line and right_kind:
        return RIGHT
    return Verdict((right_line + right_kind) / 2, "another kind" if right_line else "another line")


def guesses(row: Row) -> list[str]:
    """Every kind at every line, and none."""
    lines = range(1, row["check"]["lines"] + 1)
    return [*(f"line {line}: {kind}" for kind in KINDS for line in lines), CLEAN]


def faults(rows: Sequence[Row]) -> list[list[str]]:
    """Whether the code fails as it stands, and passes with the one line put right."""
    shown = [code_of(row["prompt"]) for row in rows]
    mended = [_mended(row, code) for row, code in zip(rows, shown, strict=True)]
    programs = [
        Program(code, row["check"]["name"], row["check"]["calls"])
        for pair in zip(shown, mended, rows, strict=True)
        for code, row in ((pair[0], pair[2]), (pair[1], pair[2]))
    ]
    passed = [
        outcome.values == row["check"]["expected"]
        for outcome, row in zip(run_programs(programs), [row for row in rows for _ in range(2)], strict=True)
    ]
    return [
        (
            []
            if as_shown == (row["check"]["kind"] is None)
            else [f"as it stands, it {'passes' if as_shown else 'fails'}"]
        )
        + ([] if put_right else ["put right, it fails"])
        for row, as_shown, put_right in zip(rows, passed[::2], passed[1::2], strict=True)
    ]


def _mended(row: Row, code: str) -> str:
    line = row["check"]["line"]
    lines = code.split("\n")
    return "\n".join(lines if line is None else [*lines[: line - 1], row["check"]["right"], *lines[line:]])


REVIEWER = Task("reviewer", forms, check, guesses, faults, answer_tokens=16)
