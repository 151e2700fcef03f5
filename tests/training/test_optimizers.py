"""LoRA+ and the choice of an optimizer: who learns at which rate, and that a resumed training stays bit-identical."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from adapterkit.digest import sha256_file
from adapterkit.errors import TrainableSetError, UsageError
from adapterkit.stack.freeze_guard import FreezeGuard
from adapterkit.training.optimizers import loraplus_groups, require_optimizer_runs
from adapterkit.workflows.train import train
from tests.training.conftest import WEIGHTS


def named(*names):
    return [(name, torch.nn.Parameter(torch.zeros(2, 2))) for name in names]


def test_b_learns_at_the_ratio_and_everything_else_at_the_rate():
    held = named("x.lora_A.1_top.weight", "x.lora_B.1_top.weight", "x.lora_magnitude_vector.1_top.weight")
    frozen = named("x.base_layer.weight")
    frozen[0][1].requires_grad_(False)
    decayed = {name for name, _ in held[:2]}
    found = loraplus_groups([*held, *frozen], decayed, learning_rate=1e-3, ratio=16.0, weight_decay=0.1)
    by_id = {id(p): (group["lr"], group["weight_decay"]) for group in found for p in group["params"]}
    assert [by_id[id(parameter)] for _, parameter in held] == [(1e-3, 0.1), (0.016, 0.1), (1e-3, 0.0)]
    assert len(by_id) == 3
    assert found[0]["lr"] == 1e-3  # the rate that is logged


@pytest.mark.long
def test_a_ratio_of_one_is_plain_lora_and_another_is_not(shared):
    plain = train(shared.config("plain", "unified", lora_dropout=0.0)).artifact
    one = train(shared.config("one", "unified", lora_dropout=0.0, loraplus_lr_ratio=1.0)).artifact
    more = train(shared.config("more", "unified", lora_dropout=0.0, loraplus_lr_ratio=16.0)).artifact
    before, same, after = (load_file(each.path / WEIGHTS) for each in (plain, one, more))
    assert all(torch.equal(before[name], same[name]) for name in before)
    assert len({each.manifest.run_key for each in (plain, one, more)}) == 3
    grown = [after[n].norm() / before[n].norm() for n in before if "lora_B" in n]
    assert min(grown) > 4


def test_the_first_step_moves_b_by_its_own_rate(shared):
    """Adam's first step moves every weight by its group's rate, whatever the gradient."""
    config = shared.config("moved", max_steps=1, loraplus_lr_ratio=8.0, warmup_ratio=0.0, lr_scheduler="constant")
    b = [tensor for name, tensor in load_file(train(config).artifact.path / WEIGHTS).items() if "lora_B" in name]
    assert max(each.abs().max() for each in b) == pytest.approx(8e-2, rel=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"loraplus_lr_ratio": 4.0, "use_dora": True}, id="loraplus-dora"),
        pytest.param({"loraplus_lr_ratio": 16.0}, id="loraplus", marks=pytest.mark.long),
        pytest.param({"optimizer": "adamw_8bit", "r": 64}, id="adamw_8bit", marks=pytest.mark.long),
        pytest.param({"optimizer": "sgd"}, id="sgd", marks=pytest.mark.long),
    ],
)
def test_resuming_gives_the_weights_of_an_uninterrupted_run(shared, changes):
    name = "_".join(map(str, changes)).replace(".", "_")
    config = shared.config(
        name, "unified", max_steps=4, epochs=9, save_steps=2, force=True, weight_decay=0.1, **changes
    )
    train(config)
    run = Path(config.output_dir)
    again = dataclasses.replace(config, resume=str(run / "checkpoint-2"), output_dir=str(run.parent / "again"))
    train(again)
    assert sha256_file(Path(again.output_dir) / "adapter" / WEIGHTS) == sha256_file(run / "adapter" / WEIGHTS)


def test_the_optimizer_asked_for_is_the_one_that_steps(shared, monkeypatch):
    import bitsandbytes

    seen = []
    plain = FreezeGuard.watch
    monkeypatch.setattr(FreezeGuard, "watch", lambda self, made: (seen.append(made), plain(self, made))[1])
    for optimizer in ("adamw", "sgd", "adamw_8bit"):
        train(shared.config(f"by_{optimizer}", "unified", optimizer=optimizer, r=64))
    assert [type(each) for each in seen] == [torch.optim.AdamW, torch.optim.SGD, bitsandbytes.optim.AdamW]
    eight = {state["state1"].dtype for state in seen[2].state.values()}
    assert torch.uint8 in eight


@pytest.mark.parametrize("optimizer", ["paged_adamw", "paged_adamw_8bit"])
def test_a_paged_optimizer_is_refused_on_the_processor_before_data_is_read(shared, optimizer):
    config = shared.config("paged", optimizer=optimizer, train="missing.jsonl")
    unpaged = optimizer.removeprefix("paged_")
    with pytest.raises(UsageError, match=rf"(?s)needs an NVIDIA GPU.*trainer\.optimizer={unpaged},"):
        train(config)
    require_optimizer_runs(optimizer, torch.device("cuda"))


def test_the_guard_sees_a_parameter_that_loraplus_would_step_behind_it(shared, monkeypatch):
    plain = loraplus_groups

    def with_a_stranger(parameters, decayed, **settings):
        held = list(parameters)
        frozen = next(p for name, p in held if "0_unified" in name)
        return [*plain(held, decayed, **settings), {"params": [frozen], "lr": 1.0}]

    monkeypatch.setattr("adapterkit.training.optimizers.loraplus_groups", with_a_stranger)
    with pytest.raises(TrainableSetError):
        train(shared.config("strange", "unified", loraplus_lr_ratio=2.0))
    assert shared.published("strange") == []
