"""Greedy answers in batches, and scores of them in pairs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from adapterkit.evaluation.answers import greedy_answers
from adapterkit.evaluation.paired import paired_scores

MESSAGES = ["Say fox.", "What shall we say to the people of the United States?", "dog", "a b c d e f g", "0123456789!"]


@pytest.fixture(scope="module")
def tokenizer(tiny_base_dir: Path):  # type: ignore[no-untyped-def]
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_base_dir)


def test_an_answer_does_not_depend_on_the_batch_it_is_in(tiny_model, tokenizer) -> None:  # type: ignore[no-untyped-def]
    # As it is, the random model says the same to everybody.
    for parameter in tiny_model.model.layers.parameters():
        parameter.data.mul_(8)
    tiny_model.train()
    alone = [greedy_answers(tiny_model, tokenizer, [message], max_new_tokens=6)[0] for message in MESSAGES]
    assert greedy_answers(tiny_model, tokenizer, MESSAGES, max_new_tokens=6) == alone
    assert greedy_answers(tiny_model, tokenizer, MESSAGES, max_new_tokens=6, batch_size=2) == alone
    assert tiny_model.training
    assert len(set(alone)) > 1


def test_an_answer_is_what_follows_the_prompt_and_no_longer_than_allowed(tiny_model, tokenizer) -> None:  # type: ignore[no-untyped-def]
    (answer,) = greedy_answers(tiny_model, tokenizer, ["Say fox."], max_new_tokens=3)
    assert "fox" not in answer
    assert len(tokenizer(answer)["input_ids"]) <= 3


def test_scores_are_compared_row_by_row() -> None:
    found = paired_scores([0.0, 0.5, 1.0, 0.0], [1.0, 1.0, 1.0, 0.5])
    assert (found.before, found.after, found.change) == (0.375, 0.875, 0.5)
    assert (found.passed_before, found.passed_after, found.rows) == (0.25, 0.75, 4)
    # 3.182 is the 0.975 quantile of Student's t with three degrees of freedom.
    assert found.ci95_high - found.change == pytest.approx(3.18245 * math.sqrt(1 / 6) / 2, abs=1e-4)
    assert found.change - found.ci95_low == pytest.approx(found.ci95_high - found.change)
    assert found.to_json()["rows"] == 4


@pytest.mark.parametrize(("before", "after", "message"), [([1.0], [1.0], "two rows"), ([1.0, 0.0], [1.0], "same rows")])
def test_scores_that_do_not_pair_up_are_refused(before: list[float], after: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paired_scores(before, after)
