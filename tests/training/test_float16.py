"""A float16 base: float32 LoRA weights, a scaled loss, steps that are skipped, and a scale that collapses."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from adapterkit.config.groups import quantization_named
from adapterkit.digest import sha256_file
from adapterkit.errors import TrainingError
from adapterkit.training.fused.engine import FusedStack
from adapterkit.training.scaling import LossScaling
from adapterkit.training.trainer import AdapterTrainer
from adapterkit.workflows.train import train
from tests.training.conftest import WEIGHTS, at_first_step


def half(shop, name, parent=None, kind="fp16", **changes):
    config = shop.config(name, parent, **{"lora_dropout": 0.0, "warmup_ratio": 0.0, **changes})
    config.quantization = quantization_named(kind)
    return config


@pytest.fixture
def first_scale(monkeypatch):
    """Let every training begin at another loss scale."""

    def begin_at(scale):
        plain = LossScaling.__init__

        def begin(self, device):
            plain(self, device)
            self.scaler = torch.amp.GradScaler(device.type, init_scale=scale)

        monkeypatch.setattr(LossScaling, "__init__", begin)

    return begin_at


@pytest.fixture
def steps(monkeypatch):
    """Every step's scale, gradients after unscaling and clipping, whether it was skipped, and the weights before it."""
    seen = []
    plain = AdapterTrainer._get_grad_norm

    def look(self, model, grad_norm=None):
        norm = plain(self, model, grad_norm)
        held = self.stack.trainee_parameters()
        grads, weights = (
            [each.clone() for each in group] for group in ([p.grad for p in held], [p.data for p in held])
        )
        seen.append((self.scaling.scale if self.scaling else None, grads, norm is None, weights))
        return norm

    monkeypatch.setattr(AdapterTrainer, "_get_grad_norm", look)
    return seen


def history(config):
    text = (Path(config.output_dir) / "metrics_history.jsonl").read_text()
    assert not {"NaN", "Infinity"} & set(text.replace(":", " ").replace(",", " ").split())
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("kind", ["fp16", "nf4_fp16"])
def test_weights_are_float32_and_near_those_of_a_float32_training(shared, kind):
    config = half(shared, f"near_{kind}", kind=kind, max_steps=4, epochs=9)
    artifact = train(config).artifact
    wide = dataclasses.replace(config, name=f"wide_{kind}", output_dir=config.output_dir + "_wide")
    wide.quantization = dataclasses.replace(config.quantization, dtype="float32", compute_dtype="float32")
    found, expected = (load_file(each.path / WEIGHTS) for each in (artifact, train(wide).artifact))
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    off = sum((found[name] - expected[name]).square().sum() for name in found)
    assert (off / sum(tensor.square().sum() for tensor in expected.values())).sqrt() < 0.03
    assert artifact.manifest.metrics["skipped_steps"] == 0
    assert artifact.manifest.base.identity.quantization["dtype"] == "float16"


def test_without_scaling_small_gradients_would_round_to_zero(shared, steps, monkeypatch):
    """Each gradient of a loss divided by 2**20 is smaller than float16 can hold."""
    plain = AdapterTrainer.compute_loss
    monkeypatch.setattr(AdapterTrainer, "compute_loss", lambda self, *a, **k: plain(self, *a, **k) / 2**20)
    train(half(shared, "small", max_steps=1))
    ((_, scaled, _, _),) = steps
    monkeypatch.setattr(LossScaling, "of", classmethod(lambda *_: None))
    train(half(shared, "smaller", max_steps=1))
    (_, (_, plain_ones, _, _)) = steps
    assert all(grad.any() for grad in scaled[1::2])
    lost = [i for i in range(1, len(scaled), 2) if (scaled[i] - plain_ones[i]).norm() > 0.2 * scaled[i].norm()]
    assert len(lost) > len(scaled) // 4


@pytest.mark.parametrize(
    ("max_grad_norm", "optimizer"),
    [(0.1, "adamw"), *(pytest.param(*each, marks=pytest.mark.long) for each in [(0.0, "adamw"), (0.1, "sgd")])],
)
def test_a_scale_that_is_too_large_is_found_by_skipping_and_gradients_come_out_unscaled(
    shared, first_scale, steps, max_grad_norm, optimizer
):
    train(half(shared, "half_parent"))
    first_scale(2.0**40)
    settings = {"max_steps": 30, "epochs": 99, "max_grad_norm": max_grad_norm, "lr_scheduler": "constant"}
    name = f"skipping_{optimizer}_{int(max_grad_norm * 10)}"
    config = half(shared, name, "half_parent", optimizer=optimizer, **settings)
    steps.clear()
    artifact = train(config).artifact
    skipped = [was for _, _, was, _ in steps]
    count = sum(skipped)
    assert 2 < count < 30
    assert skipped[:count] == [True] * count
    assert [scale for scale, *_ in steps[: count + 1]] == [2.0 ** (40 - n) for n in range(count + 1)]
    assert artifact.manifest.metrics["skipped_steps"] == count
    # torch's fused AdamW is called for a skipped step, too, and moves nothing by itself.
    start = steps[0][3]
    assert all(all(map(torch.equal, start, weights)) for *_, weights in steps[: count + 1])
    assert not all(map(torch.equal, start, steps[count + 1][3]))
    norm = torch.cat([grad.flatten() for grad in steps[count][1]]).norm()
    assert norm == pytest.approx(0.1, rel=1e-3) if max_grad_norm else 0.1 < norm < 10
    logged = history(config)
    assert [("grad_norm" in entry) for entry in logged if "loss" in entry] == [not was for was in skipped]


def test_an_infinite_gradient_at_scale_one_is_the_models_own(shared, first_scale, monkeypatch):
    first_scale(4.0)

    def spoil(model):
        for name, parameter in model.named_parameters():
            if "lora_B.0_ill" in name and not parameter._backward_hooks:
                parameter.register_hook(lambda grad: grad / 0)

    at_first_step(monkeypatch, spoil)
    config = half(shared, "ill", max_steps=9, epochs=9)
    with pytest.raises(TrainingError, match=r"The gradient became (nan|inf) at step 3,.*bfloat16") as caught:
        train(config)
    assert caught.value.step == 3
    assert shared.published("ill") == []


def test_a_loss_that_is_not_finite_is_no_matter_of_the_scale(shared, monkeypatch):
    def infinite(self, inputs):
        return self._stack._blocks[0].parameters[0].sum() * torch.tensor([torch.inf]), torch.zeros(1)

    monkeypatch.setattr(FusedStack, "label_losses", infinite)
    with pytest.raises(TrainingError, match="The loss became"):
        train(half(shared, "lost"))


def test_a_training_of_skipped_steps_alone_publishes_nothing(shared, first_scale):
    first_scale(2.0**60)
    with pytest.raises(TrainingError, match="All 2 steps were skipped"):
        train(half(shared, "nothing"))
    assert shared.published("nothing") == []


@pytest.mark.long
def test_resuming_brings_the_scale_back_and_is_bit_identical(shared, first_scale):
    first_scale(2.0**24)
    config = half(shared, "halves", max_steps=16, epochs=99, save_steps=8, force=True, lora_dropout=0.3)
    outcome = train(config)
    assert outcome.artifact.manifest.metrics["skipped_steps"] > 0
    run = Path(config.output_dir)
    again = dataclasses.replace(config, resume=str(run / "checkpoint-8"), output_dir=str(run.parent / "again"))
    train(again)
    assert (run / "checkpoint-8" / "scaler.pt").is_file()
    assert sha256_file(Path(again.output_dir) / "adapter" / WEIGHTS) == sha256_file(run / "adapter" / WEIGHTS)


@pytest.mark.parametrize("kind", ["fp32", "bf16", "nf4"])
def test_other_precisions_are_not_scaled(shared, steps, kind):
    config = half(shared, f"wide_enough_{kind}", kind=kind)
    artifact = train(config).artifact
    assert {scale for scale, *_ in steps} == {None}
    assert "skipped_steps" not in artifact.manifest.metrics
    assert not list(Path(config.output_dir).glob("checkpoint-*/scaler.pt"))
