"""What an adapter gains in checked answers: the stack with it, beside the stack without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapterkit import load
from adapterkit.data.synthetic import TASKS
from adapterkit.workflows.checked import always_the_same, checked_gain, task_gain, unseen_rows
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop


@pytest.fixture(scope="module")
def shop(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tiny_base_dir, tmp_path_factory.mktemp("checked"))
    # So far that the answers differ from those of the parents.
    train(made.config("parent", max_steps=6, learning_rate=0.1))
    train(made.config("child", "parent", max_steps=6, learning_rate=0.1))
    return made


def test_the_answers_are_those_with_the_adapter_and_without_it(shop: Workshop) -> None:
    messages = ["Say red fox.", "Say lazy dog.", "Say people."]
    scored: list[list[str]] = []

    def score(texts):  # type: ignore[no-untyped-def]
        scored.append([*texts])
        return [0.0, 0.5, 0.0] if len(scored) == 1 else [1.0, 1.0, 0.0]

    gain = checked_gain("child", messages, score, max_new_tokens=4, registry=shop.registry.path)
    child, parent = (load(name, registry=shop.registry.path) for name in ("child", "parent"))
    assert [*gain.after] == [child.generate(message, max_new_tokens=4) for message in messages]
    assert [*gain.before] == [parent.generate(message, max_new_tokens=4) for message in messages]
    assert gain.after != gain.before
    assert scored == [gain.before, gain.after]
    assert (gain.change.change, gain.change.rows) == (0.5, 3)


def test_a_session_answers_without_its_last_member_and_then_with_it_again(shop: Workshop) -> None:
    session = load("child", registry=shop.registry.path)
    before = session.generate("Say red fox.", max_new_tokens=4)
    with session.without_last():
        assert session.generate("Say red fox.", max_new_tokens=4) != before
    assert session.generate("Say red fox.", max_new_tokens=4) == before


def test_a_task_is_asked_what_is_never_trained_on(shop: Workshop) -> None:
    gain = task_gain("parent", "architect", rows=3, registry=shop.registry.path)
    assert (gain.change.rows, len(gain.before)) == (3, 3)
    assert gain.change.before <= 1


@pytest.mark.parametrize("task", TASKS)
def test_one_answer_for_all_is_seldom_right(task: str) -> None:
    rows = unseen_rows(task, 60)
    assert len(rows) == 60
    assert not any(row["seen"] for row in rows)
    assert always_the_same(task, rows) <= 0.4
