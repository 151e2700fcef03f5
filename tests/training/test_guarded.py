"""The whole story with something going wrong in the middle: nothing may be published then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from adapterkit.errors import FrozenChangedError, TrainableSetError, TrainingError
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.training import fit as fit_module
from adapterkit.training.trainer import AdapterTrainer
from adapterkit.workflows.train import train
from tests.training.conftest import at_first_step


def test_a_base_weight_changed_in_training_stops_the_publication(shared, monkeypatch):
    def change(model):
        model.get_base_model().model.norm.weight.data[3] += 1e-6

    config = shared.config("hurt", "unified")
    with monkeypatch.context() as patch:
        at_first_step(patch, change)
        with pytest.raises(FrozenChangedError, match="Base weights changed during training") as caught:
            train(config)
    assert caught.value.changed == ("model.norm.weight",)
    record = json.loads((Path(config.output_dir) / "baseline_checksums.json").read_text())
    assert record["unchanged"] is False
    assert record["after"]["digest"] != record["before"]["digest"]
    assert shared.published("hurt") == []
    assert not (Path(config.output_dir) / "final_artifact").exists()

    # The next job of the process must not train on the damaged base.
    outcome = train(shared.config("hurt", "unified"))
    assert outcome.artifact.manifest.base.fingerprint_before == record["before"]["digest"]


def test_a_frozen_member_changed_in_training_stops_the_publication(shared, monkeypatch):
    def change(model):
        for name, parameter in model.named_parameters():
            if "layers.0.mlp.up_proj.lora_A.0_unified" in name:
                parameter.data[0, 0] += 1e-6

    at_first_step(monkeypatch, change)
    with pytest.raises(FrozenChangedError, match=r"frozen adapter unified@1\.0\.0 changed"):
        train(shared.config("hurt_parent", "unified"))
    assert shared.published("hurt_parent") == []


def test_adapters_switched_behind_the_stack_stop_the_next_step(shared, monkeypatch):
    def switch(model):
        model.base_model.set_adapter(["0_unified", "1_switched"])

    at_first_step(monkeypatch, switch)
    with pytest.raises(TrainableSetError, match="frozen parameters would be trained"):
        train(shared.config("switched", "unified"))
    assert shared.published("switched") == []


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("before", "The loss became nan at step 2, in its batch 1: rows [0-3], [0-3] of"),
        ("gradient", "The gradient became nan at step 2, in its batch 1: rows [0-3], [0-3] of"),
        ("after", "Step 2, the last, left weights that are NaN"),
    ],
)
def test_what_is_not_a_number_stops_the_training_and_is_told(shared, monkeypatch, when, told):
    plain = AdapterTrainer.compute_loss

    def compute_loss(self, *arguments, **more):
        def spoil(now):
            for parameter in self.stack.trainee_parameters() if now == when and self.state.global_step == 1 else ():
                parameter.data.fill_(float("nan"))

        spoil("before")
        loss = plain(self, *arguments, **more)
        spoil("after")
        return loss * float("nan") if when == "gradient" and self.state.global_step == 1 else loss

    monkeypatch.setattr(AdapterTrainer, "compute_loss", compute_loss)
    with pytest.raises(TrainingError, match=told) as caught:
        train(shared.config("nan", "unified"))
    assert caught.value.step == 2
    assert shared.published("nan") == []


def test_a_rate_that_blows_up_stops_the_training(shared):
    with pytest.raises(TrainingError, match=r"The (loss|gradient) became|left weights"):
        train(shared.config("wild", learning_rate=1e25, max_steps=8))
    assert shared.published("wild") == []


def test_the_optimizer_holds_the_trainee_and_nothing_else(shared, monkeypatch):
    held: list[int] = []
    plain = AdapterTrainer.create_optimizer

    def create(self, *arguments, **more):
        optimizer = plain(self, *arguments, **more)
        held.extend(id(p) for group in optimizer.param_groups for p in group["params"])
        assert sorted(held) == sorted(id(p) for p in self.stack.trainee_parameters())
        return optimizer

    monkeypatch.setattr(AdapterTrainer, "create_optimizer", create)
    train(shared.config("held", "unified", max_steps=1))
    assert len(held) == 28


def test_accumulated_batches_weigh_tokens_as_one_batch_does(shared):
    """Four rows as one batch, and as four accumulated ones, are the same step."""
    found = []
    for batch_size, accumulated in ((4, 1), (1, 4)):
        config = shared.config(
            "accumulated", "unified", max_steps=1, batch_size=batch_size, gradient_accumulation_steps=accumulated,
            lora_dropout=0.0, learning_rate=1e-3, warmup_ratio=0.0, lr_scheduler="constant",
        )  # fmt: skip
        train(config)
        lines = (Path(config.output_dir) / "metrics_history.jsonl").read_text().splitlines()
        found.append(next(json.loads(line) for line in lines if "grad_norm" in line))
    assert found[0]["loss"] == pytest.approx(found[1]["loss"], abs=1e-5)
    assert found[0]["grad_norm"] == pytest.approx(found[1]["grad_norm"], rel=1e-4)


def test_the_stack_is_taken_off_the_base_whatever_happens(shared, monkeypatch):
    stacks: list[AdapterStack] = []
    monkeypatch.setattr(
        fit_module, "use_packed_dropout", lambda model, name: (_ for _ in ()).throw(RuntimeError("boom"))
    )
    plain = AdapterStack.detach
    monkeypatch.setattr(AdapterStack, "detach", lambda self: (plain(self), stacks.append(self))[0])
    with pytest.raises(RuntimeError, match="boom"):
        train(shared.config("boom", "unified"))
    assert len(stacks) == 1
    assert not any(parameter.requires_grad for parameter in stacks[0].base.model.parameters())
    assert not any("lora" in name for name, _ in stacks[0].base.model.named_modules())
    assert torch.is_tensor(stacks[0].base.model.model.norm.weight)
