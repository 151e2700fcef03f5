"""Researcher: passages with ids, a question, and an answer that cites its passage, or says that there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from adapterkit.data.synthetic.facts import FACTS, KINDS, NAMES, VALUES, Tell
from adapterkit.data.synthetic.forms import RIGHT, Form, Row, Task, Verdict

MISSING = "not in the passages"

_ASKED = f"Answer from the passages alone. Answer like `VALUE [ID]`, or `{MISSING}`.\n\n"
_LETTERS = "ABCDEFGHKLMNPRTUVWXYZ"
# The ids of up to five passages, all different.
_IDS = [
    tuple(f"{_LETTERS[(letter + 5 * turn) % 21]}{(digit + 2 * turn) % 9 + 1}" for turn in range(5))
    for digit in range(9)
    for letter in range(len(_LETTERS))
]
# By how many passages there are, the same ids with a place for each sentence.
_PATTERNS = {shown: [_ASKED + "\n".join(f"[{i}] %s" for i in ids[:shown]) for ids in _IDS] for shown in (3, 4, 5)}
_CITED = re.compile(r"\[([A-Z]\d)\]")
_K, _N = len(KINDS), len(NAMES)
_THINGS = [f"{name} {kind}" for kind in KINDS for name in NAMES]


@lru_cache(maxsize=1)
def forms() -> tuple[Form, ...]:
    """For each fact: with its passage among three, four and five, and with the passage left out of four."""
    return tuple(
        _form(at, passages, present=present)
        for at in range(len(FACTS))
        for passages, present in ((3, True), (4, True), (5, True), (4, False))
    )


def _others(at: int) -> list[tuple[Tell, tuple[str, ...], Tell, tuple[str, ...]]]:
    """What else may be told: each other fact that is seen alike, with the one behind it."""
    alike = [other for place, other in enumerate(FACTS) if other.seen == FACTS[at].seen and place != at]
    return [
        (other.told, VALUES[other.value], more.told, VALUES[more.value])
        for other, more in zip(alike, [*alike[1:], alike[0]], strict=True)
    ]


def _form(at: int, shown: int, *, present: bool) -> Form:
    fact = FACTS[at]
    distractors = shown - 1 if present else shown
    pairs = _others(at)
    values, tell, others = VALUES[fact.value], fact.told, len(pairs)
    many, quality, difficulty = len(values), shown / (shown + 1), shown - 2 if present else 3
    patterns = _PATTERNS[shown]
    # Where its passage is left out, the value is not seen, and makes no difference.
    known = many if present else 1
    size = shown * known * (many - 1) * others * len(_THINGS) * (_N - 1) * len(_IDS)
    name = f"{fact.name}.{shown if present else 'missing'}"

    def make(number: int) -> Row:
        number, place = divmod(number, shown)
        number, value_at = divmod(number, known)
        number, value_apart = divmod(number, many - 1)
        number, other_at = divmod(number, others)
        number, one = divmod(number, len(_THINGS))
        number, apart = divmod(number, _N - 1)
        tell_other, others_own, tell_more, mores_own = pairs[other_at]
        kind, named = divmod(one, _N)
        next_named = (named + 1 + apart) % _N
        wanted, asked, near = values[value_at], _THINGS[one], _THINGS[kind * _N + next_named]
        # The same thing with another fact, another thing with the same fact, neither, and both of the first two.
        value, unwanted = others_own[(value_at + number) % len(others_own)], values[(value_at + 1 + value_apart) % many]
        told, said = [tell_other(asked, value), tell(near, unwanted)], [value, unwanted]
        if distractors > 2:
            # Another kind, so that it is another thing where the names come round to the first.
            far = _THINGS[(kind + 1 + number % (_K - 1)) % _K * _N + (next_named + 1) % _N]
            value = mores_own[(value_apart + number) % len(mores_own)]
            told.append(tell_more(far, value))
            said.append(value)
        if distractors > 3:
            value = others_own[(value_at + number + 1) % len(others_own)]
            told.append(tell_other(near, value))
            said.append(value)
        if present:
            told.insert(place, tell(asked, wanted))
            said.insert(place, wanted)
        else:
            told, said = told[place:] + told[:place], said[place:] + said[:place]
        return {
            "task": "researcher",
            "template": name,
            "seen": fact.seen,
            "difficulty": difficulty,
            "quality": quality,
            "prompt": f"{patterns[number] % tuple(told)}\n\n{fact.asked(asked)}",
            "answer": f"{wanted} [{_IDS[number][place]}]" if present else MISSING,
            "check": {
                "value": wanted if present else None,
                "id": _IDS[number][place] if present else None,
                "thing": asked,
                "fact": fact.name,
                "values": said,
            },
        }

    return Form(name, fact.seen, size, make)


def check(rows: Sequence[Row], texts: Sequence[str]) -> list[Verdict]:
    """Right is the value with the one passage that gives it, or the refusal where none does."""
    return [_verdict(row["check"], text) for row, text in zip(rows, texts, strict=True)]


def _verdict(wanted: dict[str, object], text: str) -> Verdict:
    cited = set(_CITED.findall(text))
    refused = MISSING in text.lower()
    if wanted["id"] is None:
        return RIGHT if refused and not cited else Verdict(0.0, "no passage says it")
    if refused:
        return Verdict(0.0, "a passage says it")
    right_value = re.search(rf"(?<![\w]){re.escape(str(wanted['value']))}(?![\w])", text, re.I) is not None
    right_id = cited == {wanted["id"]}
    if right_value and right_id:
        return RIGHT
    return Verdict((right_value + right_id) / 2, "another passage" if right_value else "another value")


def guesses(row: Row) -> list[str]:
    """What each passage says, and the refusal."""
    ids = _CITED.findall(row["prompt"])
    return [*(f"{value} [{i}]" for i, value in zip(ids, row["check"]["values"], strict=True)), MISSING]


def faults(rows: Sequence[Row]) -> list[list[str]]:
    """What the passages, read one by one, say otherwise than the row."""
    return [_faults(row) for row in rows]


def _faults(row: Row) -> list[str]:
    wanted = row["check"]
    *lines, _, question = row["prompt"].removeprefix(_ASKED).split("\n")
    read = [_read(line) for line in lines]
    gold = [(i, value) for i, thing, name, value in read if (thing, name) == (wanted["thing"], wanted["fact"])]
    told = {fact.name: fact for fact in FACTS}
    found = []
    if [value for _, _, _, value in read] != wanted["values"] or len({i for i, *_ in read}) != len(read):
        found.append("the passages say something else")
    if gold != ([(wanted["id"], wanted["value"])] if wanted["id"] else []):
        found.append(f"the passages that answer it are {gold}")
    if question != told[wanted["fact"]].asked(wanted["thing"]):
        found.append("the question asks something else")
    return found


def _read(line: str) -> tuple[str, str, str, str]:
    """A passage's id, thing, fact and value, found by the one sentence that fits; all empty when none does."""
    for name, pattern in _SENTENCES:
        if fitting := pattern.fullmatch(line):
            return fitting["id"], fitting["thing"], name, fitting["value"]
    return "", "", "", ""


_SENTENCES = [
    (fact.name, re.compile(r"\[(?P<id>\w\d)\] " + fact.told(r"(?P<thing>\w+ \w+)", r"(?P<value>\w+)")))
    for fact in FACTS
]

RESEARCHER = Task("researcher", forms, check, guesses, faults, answer_tokens=16)
