"""Security: a few statements, at most one of them weak; its class and its place are known by construction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from adapterkit.data.synthetic.forms import RIGHT, Form, Row, Task, Verdict
from adapterkit.data.synthetic.numbered import code_of
from adapterkit.data.synthetic.statements import CLASSES, SAFE, SAFE_UNSEEN, WEAK, Statement
from adapterkit.data.synthetic.weaknesses import weaknesses

_NAMES = (
    "handle",
    "process",
    "load",
    "save",
    "export",
    "sync",
    "report",
    "submit",
    "update",
    "fetch",
    "store",
    "apply",
)
_INPUTS = ("name", "text", "value", "query", "field", "item", "label", "source")
_WORDS = (
    "users", "orders", "bills", "files", "photos", "notes", "events", "teams", "books", "tickets", "posts", "jobs"
)  # fmt: skip
_N, _I, _W = len(_NAMES), len(_INPUTS), len(_WORDS)
_ASKED = (
    f"Which line is weak, and which CWE is it ({', '.join(cwe[4:] for cwe in CLASSES)})? "
    "Answer like `CWE-22 line 3`, or `none`.\n\n1: def "
)
_FIRST = 2
# By how many statements there are: a guesser picks a class and a line, or none.
_QUALITY = {statements: 1 - 1 / (len(CLASSES) * statements + 1) for statements in (3, 4)}
_CWE, _LINE = re.compile(r"CWE-\d+", re.I), re.compile(r"\blines?\W{0,3}(\d+)", re.I)
# Every fourth safe statement leads a form without any weakness: rows that tempt to see one in everything.
_CLEAN_EVERY = 4


@lru_cache(maxsize=1)
def forms() -> tuple[Form, ...]:
    """Forty weak statements by class, every fifth kept for the test, and five forms without any."""
    seen, every = SAFE[:-SAFE_UNSEEN], SAFE
    weak = [
        _form(f"{cwe}.{number}", statement, seen if number < 4 else every, seen=number < 4)
        for cwe, statements in WEAK.items()
        for number, statement in enumerate(statements)
    ]
    # These share their statements, and differ in which comes first, so that no two rows are equal.
    turned = [
        _form(f"none.{n}", seen[n], seen[n + 1 :] + seen[:n], seen=True) for n in range(0, len(seen), _CLEAN_EVERY)
    ]
    unseen = [_form(f"none.{n}", every[n], every[:n], seen=False) for n in range(len(seen), len(every))]
    return (*weak, *turned, *unseen)


def _form(name: str, chief: Statement, safe: Sequence[Statement], *, seen: bool) -> Form:
    """One statement among two or three others, which are safe."""
    others, reach = len(safe), (len(safe) - 1) // 2
    cwe = None if name.startswith("none") else name.partition(".")[0]

    def make(number: int) -> Row:
        number, place = divmod(number, 3 if cwe else 1)
        number, one = divmod(number, others)
        number, apart = divmod(number, reach)
        number, third = divmod(number, reach + 1)
        number, named = divmod(number, _N)
        number, given = divmod(number, _I)
        first, second = divmod(number, _W)
        sent, word = _INPUTS[given], _WORDS[second]
        two = one + 1 + apart
        lines = [safe[one](sent, _WORDS[first]), safe[two % others](sent, word)]
        if third:
            lines.append(safe[(two + third) % others](sent, word))
        lines.insert(place, chief(sent, word))
        code = "\n".join([f"{line}:     {text}" for line, text in enumerate(lines, _FIRST)])
        return {
            "task": "security",
            "template": name,
            "seen": seen,
            "difficulty": 2 if third else 1,
            "quality": _QUALITY[len(lines)],
            "prompt": f"{_ASKED}{_NAMES[named]}({sent}):\n{code}",
            "answer": f"{cwe} line {place + _FIRST}" if cwe else "none",
            "check": {"cwe": cwe, "line": place + _FIRST if cwe else None, "lines": len(lines)},
        }

    return Form(name, seen, (3 if cwe else 1) * others * reach * (reach + 1) * _N * _I * _W * _W, make)


def check(rows: Sequence[Row], texts: Sequence[str]) -> list[Verdict]:
    """Right is exactly the one class and the one line, or `none` and neither; half of the two is half right."""
    return [_verdict(row["check"], text) for row, text in zip(rows, texts, strict=True)]


def _verdict(wanted: dict[str, object], text: str) -> Verdict:
    classes = {found.upper() for found in _CWE.findall(text)}
    lines = {int(found) for found in _LINE.findall(text)}
    if wanted["cwe"] is None:
        clean = not classes and re.search(r"\bnone\b", text, re.I)
        return RIGHT if clean else Verdict(0.0, "there is no weakness")
    right_class, right_line = classes == {wanted["cwe"]}, lines == {wanted["line"]}
    if right_class and right_line:
        return RIGHT
    return Verdict((right_class + right_line) / 2, "another line" if right_class else "another class")


def guesses(row: Row) -> list[str]:
    """Every class at every line, and none."""
    lines = row["check"]["lines"]
    return [*(f"{cwe} line {line}" for cwe in CLASSES for line in range(_FIRST, _FIRST + lines)), "none"]


def faults(rows: Sequence[Row]) -> list[list[str]]:
    """What a scanner finds otherwise than the row says."""
    return [_faults(row) for row in rows]


def _faults(row: Row) -> list[str]:
    cwe, line = row["check"]["cwe"], row["check"]["line"]
    found = weaknesses(code_of(row["prompt"]))
    return [] if found == ({(cwe, line)} if cwe else set()) else [f"a scanner finds {sorted(found)}"]


SECURITY = Task("security", forms, check, guesses, faults, answer_tokens=12)
