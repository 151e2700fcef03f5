"""The reader `synthetic`: rows as conversations, and recipes that ask for them."""

from __future__ import annotations

import pytest

from adapterkit import presets
from adapterkit.config.schema import DataConfig
from adapterkit.data import list_personas, read_splits
from adapterkit.data.synthetic import TASKS, generate, split
from adapterkit.errors import UnknownNameError, UsageError


def read(task: str | None, persona: str | None = None, **config: object):  # type: ignore[no-untyped-def]
    return read_splits(
        DataConfig(reader="synthetic", task=task, **{"validation": "auto", "test": "auto", **config}), persona
    )


@pytest.mark.parametrize("task", TASKS)
def test_each_row_is_a_question_and_its_answer(task: str) -> None:
    splits = read(task, rows=100, seed=3)
    made = split(generate(task, 100, seed=3))
    for rows, expected in zip((splits.train, splits.validation, splits.test), made, strict=True):
        assert [[turn.content for turn in row.turns] for row in rows] == [
            [row["prompt"], row["answer"]] for row in expected
        ]
        assert {row.turns[0].role + row.turns[1].role for row in rows} == {"userassistant"}
        assert [row.origin.label for row in rows] == [row["template"] for row in expected]


def test_splits_that_are_null_are_empty_and_limits_draw_evenly_on_templates() -> None:
    splits = read("security", validation=None, test=None, max_train_rows=74)
    assert (splits.validation, splits.test) == ((), ())
    assert len({row.origin.label for row in splits.train}) == 37
    assert read("security").digest != read("security", seed=1).digest


def test_what_a_task_has_not_is_refused() -> None:
    with pytest.raises(UsageError, match=r"data\.task=NAME, one of coder, researcher"):
        read(None)
    with pytest.raises(UnknownNameError, match=r"Unknown task 'codr'\. Did you mean coder"):
        read("codr")
    with pytest.raises(UsageError, match="seed is 'a', and must be a whole number"):
        generate("coder", 3, seed="a")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no personas, but persona=lincoln"):
        read("coder", "lincoln")
    with pytest.raises(UsageError, match=r"takes no data\.prompt"):
        read("coder", prompt="Go on.")
    with pytest.raises(UsageError, match=r"data=synthetic splits itself.*data\.train=mine\.jsonl"):
        read("coder", train="mine.jsonl")
    assert list_personas(DataConfig(reader="synthetic", task="coder")) == ()


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_recipe_with_its_own_preset(task: str) -> None:
    config = presets.compose(f"task_{task}").config
    assert (config.name, config.data.reader, config.data.task) == (f"task_{task}", "synthetic", task)
    assert config.tags == [task]
    assert config.adapter.r == presets.adapter(task).r
