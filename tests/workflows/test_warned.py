"""What a training warns of: harm, an update that is worse, and a rank beyond what a layer can use."""

from __future__ import annotations

import dataclasses
import itertools
import json

import pytest

from adapterkit.evaluation.paired import PairedChange
from adapterkit.workflows import say
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop, write_chats


@pytest.fixture(scope="module")
def shop(tiny_base_dir, tmp_path_factory):
    """`unified`, and `voice` on it, both 1.0.0."""
    made = Workshop(tiny_base_dir, tmp_path_factory.mktemp("warned"))
    train(made.config("unified", max_steps=1))
    train(made.config("voice", "unified", max_steps=1))
    return made


@pytest.mark.parametrize(("low", "told"), [(0.01, 1), (0.0, 0), (-0.2, 0)])
def test_an_update_that_is_surely_worse_is_told(shop, caplog, low, told):
    origin = shop.registry.artifact("voice")
    say.updated(shop.registry.artifact("unified"), origin, PairedChange(0.9, 2.28, 1.4, low, 1.8, 30, 400))
    say.updated(shop.registry.artifact("unified"), origin, None)
    assert [record.getMessage() for record in caplog.records] == told * [
        "unified@1.0.0 is worse than voice@1.0.0, which it went on from: the test loss rose from 0.900 to 2.280 nats a "
        f"token. To go back: adapterkit rollback voice --to 1.0.0 --registry {shop.registry.path}"
    ]


@pytest.mark.parametrize(("low", "told"), [(0.01, 1), (0.0, 0)])
def test_an_adapter_that_does_harm_is_told(shop, caplog, low, told):
    say.harmed(shop.registry.artifact("unified"), PairedChange(0.9, 2.28, 1.4, low, 1.8, 30, 400))
    say.harmed(shop.registry.artifact("unified"), None)
    assert [record.getMessage() for record in caplog.records] == told * [
        "unified@1.0.0 does harm on its test rows: the base alone has 0.900 nats a token there, and 2.280 with it. "
        "Train fewer steps, or lower trainer.learning_rate"
    ]


@pytest.mark.parametrize(("rank", "told"), [(33, True), (32, False)])
def test_a_rank_that_no_layer_can_use_is_told(shop, caplog, rank, told):
    config = shop.config(f"rank_{rank}", max_steps=1)
    adapter = dataclasses.replace(config.adapter, r=rank, target_modules=["k_proj", "v_proj"])
    train(dataclasses.replace(config, adapter=adapter))
    assert [line for line in caplog.messages if "can use" in line] == told * [
        "adapter.r=33 is more than 4 of the 4 layers can use: a change of model.layers.0.self_attn.k_proj has rank 32 "
        "at most, and the rest costs memory and time. adapter.r=32 is enough for it"
    ]


def test_a_training_that_is_worse_than_what_its_name_meant_is_told(shop, caplog):
    said, other = [], str(write_chats(shop.folder / "other.jsonl", ("old house", "red nation")))
    rows = str(write_chats(shop.folder / "rows.jsonl", ("old father", "red union")))
    trainings = [{"max_steps": steps} for steps in (2, 1, 3)] + [{"max_steps": 1, "train": other}]
    for changes in [*trainings, {"max_steps": 1, "train": other, "test": rows}]:
        train(shop.config("again", **changes))
        said.append([line for line in caplog.messages if "To go back" in line])
        caplog.clear()
    loss = [shop.registry.manifest(f"again@1.{minor}.0").metrics["test_loss"] for minor in range(5)]
    assert loss[1] > loss[0] > loss[2] < loss[3] != loss[4]

    def told(now, was):
        return (
            f"A bare again means again@1.{now}.0 now, and meant again@1.{was}.0, which is better on the same test "
            f"rows: {loss[was]:.3f} nats a token there, and {loss[now]:.3f} now. To go back: adapterkit rollback again "
            f"--registry {shop.registry.path}"
        )

    # Of the third's better loss, and of the last one's, which is of other test rows, nothing is told.
    assert said == [[], [told(1, 0)], [], [told(3, 2)], []]


def test_a_name_that_gets_another_voice_is_told(shop, caplog):
    said, rows = [], shop.folder / "voices.jsonl"
    with rows.open("w", encoding="utf-8") as file:
        for persona, word in itertools.product(("lincoln", "reagan"), ("house", "nation", "union")):
            turns = [{"role": "user", "content": word}, {"role": "assistant", "content": f"A {word} of {persona}."}]
            print(json.dumps({"messages": turns, "persona": persona}), file=file)
    for steps, persona in enumerate((None, "lincoln", "lincoln", "reagan"), start=1):
        train(shop.config("speaker", persona=persona, max_steps=steps, train=str(rows), test=None))
        said.append([line for line in caplog.messages if "To go back" in line])
        caplog.clear()
    back = f"To go back: adapterkit rollback speaker --registry {shop.registry.path}"
    assert said == [
        [],
        [f"A bare speaker is the voice of lincoln now, and was everybody's voice as speaker@1.0.0. {back}"],
        [],
        [f"A bare speaker is the voice of reagan now, and was the voice of lincoln as speaker@1.2.0. {back}"],
    ]
