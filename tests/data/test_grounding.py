"""Answers with citations: how they are written, and what the check makes of them."""

import json

import pytest

from adapterkit.data.answer_checks import ANSWER_CHECKS
from adapterkit.data.grounding import REFUSAL, Passage, answer, ask, check_grounded

TEXT = answer("It folds lines.", ["d41"], as_json=False)
JSON = answer(["text", "width"], ["d41"], as_json=True)
NO_TEXT = answer(None, [], as_json=False)
NO_JSON = answer(None, [], as_json=True)


def test_a_question_shows_each_passage_with_its_id() -> None:
    asked = ask("Answer.", [Passage("d41", "One."), Passage("k7", "Two.")], "Which?")
    assert asked == "Answer.\n\n[d41] One.\n[k7] Two.\n\nQuestion: Which?"


def test_answers_are_text_or_json() -> None:
    assert TEXT == "It folds lines. [d41]"
    assert json.loads(JSON) == {"answer": ["text", "width"], "citations": ["d41"]}
    assert NO_TEXT == REFUSAL
    assert json.loads(NO_JSON) == {"answer": None, "citations": []}
    assert answer("Both.", ["a", "b"], as_json=False) == "Both. [a] [b]"


@pytest.mark.parametrize("wanted", [TEXT, JSON, NO_TEXT, NO_JSON])
def test_the_wanted_answer_is_right(wanted: str) -> None:
    check = check_grounded(wanted, wanted)
    assert check.right
    assert check.same_answer


# What is said, what was wanted, and what of it is right: citation, refusal, form, words.
@pytest.mark.parametrize(
    ("said", "wanted", "right"),
    [
        ("Lines are folded. [d41]", TEXT, "CRF"),
        ("It folds lines.", TEXT, "RFW"),
        ("It folds lines. [d42]", TEXT, "RFW"),
        ("It folds lines. [d41] [d42]", TEXT, "RFW"),
        ("it folds  lines [d41]", TEXT, "CRFW"),
        (REFUSAL, TEXT, "F"),
        (REFUSAL + " [d41]", TEXT, "CF"),
        (JSON, TEXT, "CR"),
        ('{"answer": ["text"], "citations": ["d41"]}', JSON, "CRF"),
        ('{"citations": ["d41"], "answer": ["text", "width"]}', JSON, "CRFW"),
        ('{"answer": ["text", "width"]}', JSON, "R"),
        ('{"answer": ["text", "width"], "citations": "d41"}', JSON, "R"),
        ('{"answer": "x", "citations": ["d41"], "more": 1}', JSON, "R"),
        ('{"answer": ["text", "width"], "citations": ["d41"]', JSON, "R"),
        ("[" * 100_000, JSON, "R"),
        (NO_JSON, JSON, "F"),
        ("The passages do not say", NO_TEXT, "CRFW"),
        ("They do. [d41]", NO_TEXT, "F"),
        (REFUSAL, NO_JSON, "CRW"),
        ('{"answer": "The passages do not say.", "citations": []}', NO_JSON, "CRFW"),
    ],
)
def test_each_fault_is_told_apart(said: str, wanted: str, right: str) -> None:
    check = check_grounded(said, wanted)
    found = zip("CRFW", (check.cites_gold, check.refusal_right, check.form_right, check.same_answer), strict=True)
    assert "".join(letter for letter, fine in found if fine) == right
    assert ANSWER_CHECKS["grounded"](said, wanted) == right.startswith("CRF")
