"""Researcher: passages with ids, a question, and an answer that cites its passage, or says that there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from adapterkit.data.synthetic.facts import FACTS, KINDS, NAMES, VALUES
from adapterkit.data.synthetic.forms import RIGHT, Form, Row, Task, Verdict

MISSING = "not in the passages"

_ASKED = f"Answer from the passages alone. Answer like `VALUE [ID]`, or `{MISSING}`.\n\n"
_LETTERS = "ABCDEFGHKLMNPRTUVWXYZ"
# By letter and digit, the ids of up to five passages, all different.
_IDS = [
    [
        tuple(f"{_LETTERS[(letter + 5 * turn) % 21]}{(digit + 2 * turn) % 9 + 1}" for turn in range(5))
        for digit in range(9)
    ]
    for letter in range(len(_LETTERS))
]
_CITED = re.compile(r"\[([A-Z]\d)\]")
_K, _N = len(KINDS), len(NAMES)


@lru_cache(maxsize=1)
def forms() -> tuple[Form, ...]:
    """For each fact: with its passage among three, four and five, and with the passage left out of four."""
    return tuple(
        _form(at, passages, present=present)
        for at in range(len(FACTS))
        for passages, present in ((3, True), (4, True), (5, True), (4, False))
    )


def _form(at: int, shown: int, *, present: bool) -> Form:
    fact = FACTS[at]
    distractors = shown - 1 if present else shown
    alike = [other for place, other in enumerate(FACTS) if other.seen == fact.seen and place != at]
    values, others = VALUES[fact.value], len(alike)
    # Where its passage is left out, the value is not seen, and makes no difference.
    wanted_values = len(values) if present else 1
    sizes = (shown, wanted_values, len(values) - 1, others, _K, _N, _N - 1, len(_LETTERS), 9)
    name, size = f"{fact.name}.{shown if present else 'missing'}", 1
    for each in sizes:
        size *= each

    def make(number: int) -> Row:
        number, place = divmod(number, shown)
        number, value_at = divmod(number, wanted_values)
        number, value_apart = divmod(number, len(values) - 1)
        number, other_at = divmod(number, others)
        number, one = divmod(number, _K)
        number, named = divmod(number, _N)
        number, apart = divmod(number, _N - 1)
        digit, letter = divmod(number, len(_LETTERS))
        other, more = alike[other_at], alike[(other_at + 1) % others]
        others_own, mores_own = VALUES[other.value], VALUES[more.value]
        named_apart = (named + 1 + apart) % _N
        kind = KINDS[one]
        wanted, asked, near = values[value_at], f"{NAMES[named]} {kind}", f"{NAMES[named_apart]} {kind}"
        far = f"{NAMES[(named_apart + 1) % _N]} {KINDS[(one + 1 + digit % (_K - 1)) % _K]}"
        # The same thing with another fact, another thing with the same fact, neither, and both of the first two.
        told = [
            (asked, other, others_own[(value_at + digit) % len(others_own)]),
            (near, fact, values[(value_at + 1 + value_apart) % len(values)]),
            (far, more, mores_own[(value_apart + letter) % len(mores_own)]),
            (near, other, others_own[(value_at + digit + 1) % len(others_own)]),
        ][:distractors]
        if present:
            told.insert(place, (asked, fact, wanted))
        else:
            told = told[place:] + told[:place]
        ids, lines, passages = _IDS[letter][digit], [], []
        for i, (thing, each, value) in zip(ids, told, strict=False):
            lines.append(f"[{i}] {each.told(thing, value)}")
            passages.append([i, thing, each.name, value])
        text = "\n".join(lines)
        return {
            "task": "researcher",
            "template": name,
            "seen": fact.seen,
            "difficulty": shown - 2 if present else 3,
            "quality": shown / (shown + 1),
            "prompt": f"{_ASKED}{text}\n\n{fact.asked(asked)}",
            "answer": f"{wanted} [{ids[place]}]" if present else MISSING,
            "check": {
                "value": wanted if present else None,
                "id": ids[place] if present else None,
                "about": [asked, fact.name],
                "passages": passages,
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
    return [*(f"{value} [{i}]" for i, _, _, value in row["check"]["passages"]), MISSING]


def faults(rows: Sequence[Row]) -> list[list[str]]:
    """What the passages, read one by one, say otherwise than the row."""
    return [_faults(row) for row in rows]


def _faults(row: Row) -> list[str]:
    wanted = row["check"]
    lines = dict(re.findall(r"^\[(\w\d)\] (.*)$", row["prompt"], re.M))
    question = row["prompt"].rpartition("\n")[2]
    told = {fact.name: fact for fact in FACTS}
    gold = [(i, value) for i, thing, name, value in wanted["passages"] if [thing, name] == wanted["about"]]
    found = [
        f"[{i}] does not say it"
        for i, thing, name, value in wanted["passages"]
        if lines.get(i) != told[name].told(thing, value)
    ]
    if gold != ([(wanted["id"], wanted["value"])] if wanted["id"] else []):
        found.append(f"the passages that answer it are {gold}")
    if question != told[wanted["about"][1]].asked(wanted["about"][0]):
        found.append("the question asks something else")
    return found if len(lines) == len(wanted["passages"]) else [*found, "two passages have one id"]


RESEARCHER = Task("researcher", forms, check, guesses, faults, answer_tokens=16)
