"""What honest trainings do to a base raises no alarm: fifty of them, no two alike; nor does saving and loading it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from peft import prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, TrainerCallback

from adapterkit.base.fingerprint import fingerprint
from adapterkit.base.load import identify, load_base
from adapterkit.base.resident import release_resident_base
from adapterkit.config.groups import quantization_named
from adapterkit.config.schema import ModelConfig, TrainConfig
from adapterkit.training import fit as fit_module
from adapterkit.workflows import train as story
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop

QUANTIZATIONS = ("nf4", "int8", "bf16", "fp32")
RUNS = 50


class Generate(TrainerCallback):
    """Has the model write a few tokens after every evaluation, as a user who wants to see samples does."""

    def __init__(self, written: list[int]) -> None:
        self.written = written

    def on_evaluate(self, args, state, control, model=None, **_):
        was_training = model.training
        model.eval()
        ids = model.generate(input_ids=torch.arange(4)[None], max_new_tokens=3, do_sample=False, pad_token_id=0)
        self.written.append(ids.shape[1])
        model.train(was_training)


def settings(run: int) -> dict[str, Any]:
    """Every setting varies with a period of its own; every quantization meets every value."""
    quantization = QUANTIZATIONS[run % 4]
    return {
        "parent": "unified" if run % 8 < 4 else None,
        "gradient_checkpointing": run // 4 % 2 == 1,
        "gradient_accumulation_steps": 1 + run % 3,
        "lora_dropout": (0.0, 0.5)[run // 2 % 2],
        "use_rslora": run % 7 == 0,
        # On a CPU, PEFT's DoRA fails on 8-bit layers.
        "use_dora": run % 5 == 0 and quantization != "int8",
        "batch_size": 1 + run // 3 % 2,
        "keep_best": run % 3 != 0,
        "max_steps": 1 + run % 2,
        "eval_steps": 1,
        "save_steps": 1,
        "seed": run,
    }


def held_in(quantization: str, config: TrainConfig) -> TrainConfig:
    return dataclasses.replace(config, quantization=quantization_named(quantization))


@pytest.fixture(scope="module")
def shop(tiny_base_dir, tmp_path_factory):
    """A parent for each quantization."""
    made = {}
    for quantization in QUANTIZATIONS:
        made[quantization] = Workshop(tiny_base_dir, tmp_path_factory.mktemp(quantization))
        train(held_in(quantization, made[quantization].config("unified")))
    release_resident_base()
    return made


@pytest.mark.long
@pytest.mark.parametrize("run", range(RUNS))
def test_an_honest_training_raises_no_alarm(shop, monkeypatch, run):
    written: list[int] = []
    if run // 4 % 3 == 1:
        monkeypatch.setattr(fit_module, "ProgressCallback", lambda: Generate(written))
    if prepared := run // 4 % 3 == 2:
        monkeypatch.setattr(story, "resident_base", widened(story.resident_base))
    own = settings(run)
    place = shop[QUANTIZATIONS[run % 4]]
    outcome = train(held_in(QUANTIZATIONS[run % 4], place.config(f"run{run}", validation=str(place.held_out), **own)))
    manifest = outcome.artifact.manifest
    assert outcome.trained
    assert manifest.base.fingerprint_before == manifest.base.fingerprint_after
    assert written == [7] * own["max_steps"] if run // 4 % 3 == 1 else not written
    assert prepared == (run // 4 % 3 == 2)


def widened(plain):
    """The resident base, fingerprinted as it was loaded, then prepared for k-bit training as QLoRA scripts do."""

    def resident(*arguments, **more):
        base, before = plain(*arguments, **more)
        prepare_model_for_kbit_training(base.model, use_gradient_checkpointing=False)
        assert not any(p.dtype in (torch.bfloat16, torch.float16) for p in base.model.parameters())
        return base, before

    return resident


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_a_base_that_is_prepared_evaluated_saved_and_loaded_again_is_the_same(tiny_base_dir, tmp_path, quantization):
    held = quantization_named(quantization)
    identity, path = identify(ModelConfig(id=str(tiny_base_dir)), held)
    model = load_base(identity, path, held, device=torch.device("cpu")).model
    before = fingerprint(model)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype="auto")
    before.require_equal(fingerprint(loaded))
    with torch.no_grad():
        model(input_ids=torch.arange(8)[None])
    prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    with torch.no_grad():
        model(input_ids=torch.arange(8)[None])
    before.require_equal(fingerprint(model))
