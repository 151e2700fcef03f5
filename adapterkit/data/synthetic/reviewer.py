"""Reviewer: a change to a small function with at most one bug in it; a run before it and after it proves which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import itemgetter

from adapterkit.data.synthetic.forms import RIGHT, Form, Row, Task, Verdict
from adapterkit.data.synthetic.functions import FUNCTIONS, KINDS, Function
from adapterkit.data.synthetic.numbered import code_before, code_of
from adapterkit.data.synthetic.programs import Outcome, Program, run_programs

CLEAN = "no bug"

_VERBS = ("get", "make", "work_out", "find", "build", "take", "derive", "give")
_NOUNS = ("figure", "outcome", "answer", "part", "record", "result_of", "share", "entry")
_INPUTS = ("values", "numbers", "items", "data", "prices", "points", "marks", "ages")
_GATHERED = ("total", "found", "kept", "out", "state", "acc")
_SINGLE = ("value", "item", "one", "each", "x", "current")
_OPENINGS: tuple[tuple[str, ...], ...] = ((), ("import math",))
_ASKED = (
    "Review this change: lines with + are new, lines with - are gone. Answer like `line 3: off-by-one`, or "
    f"`{CLEAN}`.\n{', '.join(KINDS)}\n\n"
)
# One line of the code: its text before the change and after it, null where there is none.
_Line = tuple[str | None, str | None]
_WORD = re.compile(r"\b[FXTVK]\b")
_WORD_OF = {letter: re.compile(rf"\b{letter}\b") for letter in "XTV"}
_LINE = re.compile(r"\blines?\W{0,3}(\d+)", re.I)
_KIND = re.compile("|".join(sorted(KINDS, key=len, reverse=True)), re.I)


@lru_cache(maxsize=1)
def forms() -> tuple[Form, ...]:
    """A form for each function and each of its bugs, and one for the function as it should be."""
    return tuple(form for function in FUNCTIONS for form in _forms(function))


def _forms(function: Function) -> Iterator[Form]:
    lines = function.text.split("\n")
    same: list[_Line] = [(line, line) for line in lines]
    for kind, (place, wrong) in function.bugs.items():
        changed = [*same[: place - 1], (lines[place - 1], wrong), *same[place:]]
        if kind == "mutable-default":
            # What made the default safe goes with it.
            changed[2] = (lines[2], None)
        yield _form(function, kind, place, (changed, _reworded(changed)))
    noted = [*same[:-1], (lines[-1], f"{lines[-1]}  # As before.")]
    yield _form(function, None, None, (_reworded(same), noted))


def _reworded(lines: list[_Line]) -> list[_Line]:
    """With another docstring, which changes nothing."""
    before, after = lines[1]
    return [lines[0], (before, after and after.replace('."""', ', as asked."""')), *lines[2:]]


def _form(function: Function, kind: str | None, place: int | None, changes: Sequence[list[_Line]]) -> Form:
    shown = [(opening, change) for opening in _OPENINGS for change in changes]
    texts = [_text([*((line, line) for line in opening), *change]) for opening, change in shown]
    places = [place and place + len(opening) for opening, _ in shown]
    answers = [f"line {at}: {kind}" if kind else CLEAN for at in places]
    counts = [len(opening) + sum(after is not None for _, after in change) for opening, change in shown]
    qualities = [1 - 1 / (len(KINDS) * count + 1) for count in counts]
    numbers, calls = function.numbers, [list(arguments) for arguments in function.calls]
    expected = {number: function.expected(number) for number in numbers}
    name, seen, difficulty = f"{function.name}.{kind or 'clean'}", function.seen, 1 if kind in _PLAIN else 2
    # A word that the function lacks makes no difference, so it has one value.
    inputs, gathered, single = (
        len(known) if _WORD_OF[letter].search(function.text) else 1
        for letter, known in (("X", _INPUTS), ("T", _GATHERED), ("V", _SINGLE))
    )
    verbs, nouns = len(_VERBS), len(_NOUNS)

    def make(number: int) -> Row:
        number, text = divmod(number, len(texts))
        number, k = divmod(number, len(numbers))
        number, verb = divmod(number, verbs)
        number, noun = divmod(number, nouns)
        number, given = divmod(number, inputs)
        each, out = divmod(number, gathered)
        k, called, (filled, pick) = numbers[k], f"{_VERBS[verb]}_{_NOUNS[noun]}", texts[text]
        return {
            "task": "reviewer",
            "template": name,
            "seen": seen,
            "difficulty": difficulty,
            "quality": qualities[text],
            "prompt": filled % pick((called, _INPUTS[given], _GATHERED[out], _SINGLE[each], k)),
            "answer": answers[text],
            "check": {
                "kind": kind,
                "line": places[text],
                "lines": counts[text],
                "name": called,
                "calls": calls,
                "expected": expected[k],
            },
        }

    return Form(name, seen, len(texts) * len(numbers) * verbs * nouns * inputs * gathered * single, make)


# A look at one line is enough for these; the others have to be compared with what the function is for.
_PLAIN = ("missing-return", "none-result", "mutable-default", "identity", "early-return")


def _text(lines: Sequence[_Line]) -> tuple[str, itemgetter[tuple[object, ...]]]:
    shown, number = [], 0
    for before, after in lines:
        if before is not None and before != after:
            shown.append(f"-: {before}")
        if after is not None:
            number += 1
            shown.append(f"{number}{'' if before == after else '+'}: {after}")
    return _open(_ASKED + "\n".join(shown))


def _open(text: str) -> tuple[str, itemgetter[tuple[object, ...]]]:
    """A text for `%`, and what picks its words from (F, X, T, V, K) in their order: much faster than `format`."""
    return _WORD.sub("%s", text.replace("%", "%%")), itemgetter(*("FXTVK".index(word) for word in _WORD.findall(text)))


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
    """Whether the code did what it should before the change, and after it only where there is no bug."""
    programs = [
        Program(code(row["prompt"]), row["check"]["name"], row["check"]["calls"])
        for row in rows
        for code in (code_before, code_of)
    ]
    outcomes = run_programs(programs)
    return [_faults(row, before, after) for row, before, after in zip(rows, outcomes[::2], outcomes[1::2], strict=True)]


def _faults(row: Row, before: Outcome, after: Outcome) -> list[str]:
    expected, clean = row["check"]["expected"], row["check"]["kind"] is None
    found = [] if before.values == expected else [f"before the change it fails: {before.error or before.values}"]
    if (after.values == expected) is not clean:
        found.append("after the change it fails" if clean else "after the change it still passes")
    return found


REVIEWER = Task("reviewer", forms, check, guesses, faults, answer_tokens=16)
