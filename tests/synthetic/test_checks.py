"""Checks of answers: what is right passes, what is wrong fails, and quality is the share of guesses that fail."""

from __future__ import annotations

import re

import pytest

from adapterkit.data.synthetic import TASKS, check, check_all, check_rows, generate
from adapterkit.data.synthetic.forms import Row
from adapterkit.errors import DataError

every_task = pytest.mark.parametrize("task", TASKS)


def first(task: str, *, answer: str = "", **wanted: object) -> Row:
    """The first row whose check holds these values, and whose answer ends so."""
    return next(
        row
        for row in generate(task, 1000)
        if row["answer"].endswith(answer) and all(row["check"].get(key) == value for key, value in wanted.items())
    )


@every_task
def test_every_right_answer_passes_and_every_wrong_one_fails(task: str) -> None:
    proof = check_rows(generate(task, 300, seed=6))
    assert proof.problems == ()
    assert proof.wrong_answers >= 300 * 6
    proof.require()


@every_task
def test_quality_is_the_share_of_guesses_that_fail(task: str) -> None:
    for row in generate(task, 40, seed=1)[::8]:
        guesses = TASKS[task].guesses(row)
        passed = sum(verdict.passed for verdict in check_all([row] * len(guesses), guesses))
        assert row["quality"] == pytest.approx(1 - passed / len(guesses), abs=1e-12)
        assert passed >= 1


@every_task
def test_a_row_with_another_rows_answer_is_found(task: str) -> None:
    rows = generate(task, 30, seed=2)
    mixed_up = [{**row, "answer": other["answer"]} for row, other in zip(rows, rows[1:] + rows[:1], strict=True)]
    wrong = [row["answer"] != other["answer"] for row, other in zip(rows, mixed_up, strict=True)]
    proof = check_rows(mixed_up, wrong=0)
    blamed = {int(problem.split(":")[0].removeprefix("row ")) for problem in proof.problems}
    assert {at for at, is_wrong in enumerate(wrong, 1) if is_wrong} <= blamed
    with pytest.raises(DataError, match="its own answer fails"):
        proof.require()


@every_task
def test_a_row_whose_prompt_says_otherwise_is_found(task: str) -> None:
    """The programs that look at rows do not take the row's own word for it."""
    rows = generate(task, 200, seed=3)
    torn = [{**row, "prompt": other["prompt"]} for row, other in zip(rows, rows[20:] + rows[:20], strict=True)]
    found = TASKS[task].faults(torn)
    assert sum(map(bool, found)) > 150
    assert not any(TASKS[task].faults(rows))


@every_task
@pytest.mark.parametrize(
    "text", ["", " \n", "nothing at all", "I am sorry, I cannot help with that.", "```python\n```", "\x00"]
)
def test_nonsense_never_passes(task: str, text: str) -> None:
    rows = generate(task, 100)
    assert not any(verdict.score == 1 for verdict in check_all(rows, [text] * 100))


def test_security_takes_the_class_and_the_line_and_nothing_besides() -> None:
    row = first("security", cwe="CWE-89", line=3)
    assert check(row, "CWE-89 line 3").score == 1
    assert check(row, "The weakness is CWE-89, on line 3.").passed
    assert check(row, "CWE-89 line 2").score == 0.5
    assert check(row, "CWE-78 line 3").score == 0.5
    assert check(row, "CWE-78 line 4").score == 0
    assert check(row, "CWE-78 line 3, CWE-89 line 3").score == 0.5
    assert check(row, "none").score == 0
    clean = first("security", cwe=None)
    assert check(clean, "None.").passed
    assert not check(clean, "none, or CWE-22 line 3").passed


def test_reviewer_takes_the_line_and_the_kind_and_nothing_besides() -> None:
    row = first("reviewer", kind="off-by-one")
    line = row["check"]["line"]
    assert check(row, f"Line {line}: Off-by-one").passed
    assert check(row, f"line {line}: identity").score == 0.5
    assert check(row, "line 99: off-by-one").score == 0.5
    assert check(row, "no bug").score == 0
    assert check(row, f"line {line}: off-by-one, identity").score == 0.5
    assert check(first("reviewer", kind=None), "There is no bug here.").passed


def test_researcher_takes_the_value_with_its_passage_or_a_refusal_without_one() -> None:
    row = next(row for row in generate("researcher", 100) if row["check"]["id"])
    value, gold = row["check"]["value"], row["check"]["id"]
    other = next(i for i in re.findall(r"\[([A-Z]\d)\]", row["prompt"]) if i != gold)
    assert check(row, f"It is {value} [{gold}].").passed
    assert check(row, f"{value}").score == 0.5
    assert check(row, f"{value} [{other}]").score == 0.5
    assert check(row, f"{value} [{gold}] [{other}]").score == 0.5
    assert check(row, f"{value}7 [{gold}]").score == 0.5
    assert check(row, "not in the passages").score == 0
    missing = first("researcher", answer="passages")
    assert check(missing, "That is not in the passages.").passed
    assert not check(missing, f"not in the passages [{other}]").passed


def test_architect_takes_a_dependency_both_directions_of_a_cycle_and_one_layer() -> None:
    cycle = first("architect", rule="cycle", answer="s")
    a, b = cycle["answer"].split(" <-> ")
    assert check(cycle, f"`{b} <-> {a}`").passed
    assert not check(cycle, f"{a} <-> {a}").passed
    layers = next(row for row in generate("architect", 100) if row["template"] == "layers.arrow")
    a, b = layers["answer"].split(" -> ")
    assert check(layers, f"{a} -> {b}.\nIt goes up.").passed
    assert not check(layers, f"{b} -> {a}").passed
    place = first("architect", rule="place")
    top, middle, bottom = place["check"]["layers"]
    assert [check(place, name).passed for name in (top, middle, bottom)].count(True) == 1
    assert check(place, f"It belongs in `{place['answer']}`.").passed
    assert not check(place, f"{top}, {middle}, {bottom}").passed


def test_coder_takes_any_program_that_does_the_same() -> None:
    row = next(row for row in generate("coder", 1000) if row["template"] == "sum.squares.even")
    head, name = row["answer"].partition("\n")[0], row["check"]["name"]
    argument = head.split("(")[1][:-2]
    loop = (
        f"{head}\n    t = 0\n    for n in {argument}:\n        if not n & 1:\n            t += n ** 2\n    return t\n"
    )
    assert check(row, loop).passed
    assert check(row, f"Here it is:\n```python\n{loop}```\nIt adds squares.").passed
    assert check(row, f"```\n{loop}").passed
    assert not check(row, loop.replace("** 2", "** 3")).passed
    assert not check(row, loop.replace(name, "other")).passed
    wrong = check(row, f"{head}\n    return {row['check']['expected'][0]}")
    assert 0 < wrong.score < 1
    assert check(row, f"{head}\n    return '{row['check']['expected'][0]}'").score == 0


def test_rows_of_several_tasks_are_proven_together_and_checked_apart() -> None:
    rows = [*generate("coder", 5), *generate("reviewer", 5)]
    assert check_rows(rows).rows == 10
    with pytest.raises(DataError, match="several tasks: coder, reviewer"):
        check_all(rows, [""] * 10)
    assert check_all([], []) == []
