"""Accumulation, clipping, checkpointing and evaluation do what they say, on a stack and on a quantized base."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from adapterkit.config.groups import quantization_named
from adapterkit.data import EncodedRow, as_dataset
from adapterkit.errors import StackError, TrainingError
from adapterkit.training.fused.tiles.symbols import products
from adapterkit.training.trainer import AdapterTrainer
from adapterkit.workflows.train import train
from tests.training.conftest import WEIGHTS

PLAIN = {"lora_dropout": 0.0, "warmup_ratio": 0.0, "lr_scheduler": "constant"}


@pytest.fixture
def gradients(monkeypatch):
    """The trainee's gradients at every step, after clipping."""
    seen = []
    plain = AdapterTrainer._get_grad_norm

    def look(self, model, grad_norm=None):
        norm = plain(self, model, grad_norm)
        seen.append([parameter.grad.clone() for parameter in self.stack.trainee_parameters()])
        return norm

    monkeypatch.setattr(AdapterTrainer, "_get_grad_norm", look)
    return seen


def norm_of(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors]).norm().item()


def logged(config, key):
    lines = (Path(config.output_dir) / "metrics_history.jsonl").read_text().splitlines()
    return [(entry["step"], entry[key]) for entry in map(json.loads, lines) if key in entry]


@pytest.mark.parametrize("fused", [True, False])
def test_four_batches_of_one_row_are_one_of_four(shared, gradients, monkeypatch, fused):
    if not fused:
        monkeypatch.setattr("adapterkit.training.fit._fused", lambda *_: None)
    for batch, accumulate in ((4, 1), (1, 4), (2, 2)):
        changes = {"batch_size": batch, "gradient_accumulation_steps": accumulate, "max_steps": 1}
        train(shared.config(f"by_{batch}_{fused}".lower(), "unified", **PLAIN, **changes))
    whole, ones, twos = gradients
    for other in (ones, twos):
        assert norm_of([a - b for a, b in zip(whole, other, strict=True)]) < 1e-5 * norm_of(whole)


@pytest.mark.parametrize("limit", [0.0, 0.05, 1e6])
def test_a_gradient_is_clipped_to_the_norm_and_zero_is_no_clipping(shared, gradients, limit):
    changes = {"max_grad_norm": limit, "max_steps": 1, "optimizer": "sgd", "learning_rate": 1.0}
    config = shared.config(f"clipped_{int(limit * 100)}", "unified", **PLAIN, **changes)
    b = [tensor for name, tensor in load_file(train(config).artifact.path / WEIGHTS).items() if "lora_B" in name]
    ((_, before),) = logged(config, "grad_norm")
    assert before > 0.05
    expected = limit if 0 < limit < before else before
    assert norm_of(gradients[0]) == pytest.approx(expected, rel=1e-4)
    assert norm_of(b) == pytest.approx(expected, rel=1e-4)  # one step of plain descent at rate 1; A has no gradient yet


@pytest.mark.parametrize(
    ("kind", "dropout"),
    [
        ("fp32", 0.0),
        ("nf4", 0.4),
        *(
            pytest.param(kind, dropout, marks=pytest.mark.long)
            for kind in ("fp32", "nf4", "nf4_fp16", "int8")
            for dropout in (0.0, 0.4)
            if (kind, dropout) not in (("fp32", 0.0), ("nf4", 0.4))
        ),
    ],
)
def test_checkpointing_recomputes_the_same_gradients(shared, gradients, monkeypatch, kind, dropout):
    monkeypatch.setattr("adapterkit.training.fit._fused", lambda *_: None)
    found = []
    for checkpointing in (False, True):
        name = f"{kind}{int(dropout * 10)}{checkpointing}".lower()
        changes = {**PLAIN, "lora_dropout": dropout, "gradient_checkpointing": checkpointing}
        below = f"below_{kind}"
        for config in (shared.config(below, **PLAIN), shared.config(f"c_{name}", below, **changes)):
            config.quantization = quantization_named(kind)
            gradients.clear()
            outcome = train(config)
        assert outcome.artifact.manifest.lineage.parents
        found.append([list(step) for step in gradients])
    without, with_it = found
    assert len(without) == len(with_it) == 2
    for one, other in zip(without, with_it, strict=True):
        assert all(map(torch.equal, one, other))
        assert norm_of(one) > 0


@pytest.mark.parametrize(
    ("kind", "changes", "engine", "why"),
    [
        ("fp32", {}, "fused, plain", ""),
        ("bf16", {}, "fused, compiled" if products() else "fused, plain", ""),
        ("fp32", {"gradient_checkpointing": True}, "model", "gradient checkpointing is asked for"),
        ("fp32", {"use_dora": True}, "model", "DoRA asks for the norm of every row of a weight"),
    ],
)
def test_what_computes_the_steps_is_said_once_and_recorded(shared, caplog, kind, changes, engine, why):
    config = shared.config("engined", force=True, **changes)
    config.quantization = quantization_named(kind)
    with caplog.at_level("INFO"):
        recorded = train(config).artifact.manifest.environment
    assert recorded["engine"] == engine
    assert recorded["versions"]["numba"]
    told = [message for message in caplog.messages if message.startswith("Engine: ")]
    assert len(told) == 1
    assert told[0].startswith(f"Engine: {engine}")
    assert told[0].endswith(why)


def test_checkpointing_leaves_nothing_on_a_base_that_the_next_training_shares(shared, caplog):
    for checkpointing, engine in ((True, "model"), (False, "fused, plain")):
        config = shared.config("shared_base", force=True, gradient_checkpointing=checkpointing)
        with caplog.at_level("INFO"):
            assert train(config).artifact.manifest.environment["engine"] == engine
    assert "Base: the one in memory, unchanged since it was loaded" in caplog.messages


@pytest.mark.parametrize("said", ["bf16", "nonsense"])
def test_a_mixed_precision_of_the_environment_changes_nothing(shared, monkeypatch, said):
    """Checkpointing has the model itself compute, which autocast would change."""
    digests = set()
    for name in ("unset", said):
        if name == said:
            monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", said)
        config = shared.config("mixed", force=True, gradient_checkpointing=True)
        train(config)
        digests.add((Path(config.output_dir) / "adapter" / WEIGHTS).read_bytes())
    assert len(digests) == 1


@pytest.mark.parametrize("checkpointing", [True, False])
def test_a_step_without_a_label_is_told_whichever_engine_computes(shared, monkeypatch, checkpointing):
    """No reader makes such a row; Python could."""

    def unlabelled(rows):
        return as_dataset([EncodedRow(row.input_ids, (-100,) * row.length) for row in rows])

    monkeypatch.setattr("adapterkit.training.fit.as_dataset", unlabelled)
    config = shared.config("unlabelled", gradient_checkpointing=checkpointing)
    with pytest.raises(TrainingError, match=r"The loss of no label became nan at step 1, in its batch 1: rows \d, \d"):
        train(config)
    assert shared.published("unlabelled") == []


def test_validation_comes_every_eval_steps_and_at_the_end(shared):
    changes = {"max_steps": 5, "epochs": 9, "eval_steps": 2, "validation": str(shared.held_out), "test": None}
    config = shared.config("looked", "unified", **changes)
    train(config)
    assert [step for step, _ in logged(config, "eval_loss")] == [2, 4, 5]


@pytest.mark.parametrize("use_dora", [True, False])
def test_rslora_and_dora_reach_the_manifest_and_a_stack_that_cannot_hold_dora_says_why(shared, use_dora):
    name = f"rs_{use_dora}".lower()
    manifest = train(shared.config(name, "unified", use_rslora=True, use_dora=use_dora)).artifact.manifest
    assert manifest.adapter.variant == ("rsdora" if use_dora else "rslora")
    child = train(shared.config(f"on_{name}", name)).artifact.manifest
    assert [str(member.ref) for member in child.lineage.members] == [
        "unified@1.0.0",
        f"{name}@1.0.0",
        f"on_{name}@1.0.0",
    ]
    config = shared.config("none", use_dora=True, use_rslora=True)
    config.quantization = quantization_named("int8")
    with pytest.raises(StackError, match="bitsandbytes loses the scales"):
        train(config)
