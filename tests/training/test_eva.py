"""EVA: A starts in the directions that the stack's own inputs take, and nothing that is frozen moves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file

from adapterkit.artifacts import read_verified
from adapterkit.base.fingerprint import fingerprint
from adapterkit.base.load import identify, load_base
from adapterkit.config.schema import ModelConfig, QuantizationConfig
from adapterkit.data.collate import PadCollator
from adapterkit.data.encode import as_dataset
from adapterkit.errors import DataError, UsageError
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.training.eva import start_by_eva
from adapterkit.workflows.rows import read_rows
from adapterkit.workflows.train import train
from tests.training.conftest import WEIGHTS
from tests.workflows.tiny import FP32

RANK = 3


@pytest.fixture(scope="module")
def family(shared):
    """A parent far enough from its base that a child's inputs are others than the base's."""
    train(shared.config("strong", max_steps=8, epochs=9, learning_rate=0.1, r=8, warmup_ratio=0.0))
    return shared


def stack_on(shop, parents, *, quantization=FP32, **settings):
    identity, folder = identify(ModelConfig(id=str(shop.base)), quantization)
    stack = AdapterStack(load_base(identity, folder, quantization, device=torch.device("cpu")))
    stack.attach(parents)
    plain = {"r": RANK, "lora_alpha": 4, "lora_dropout": 0.5, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    stack.add_trainee("top", LoraConfig(**{**plain, **settings}), seed=0)
    return stack


def rows_of(shop, stack):
    return list(as_dataset(read_rows(shop.config("any").data, None, stack.base.tokenizer).train))


def begin(stack, rows, *, seed=0, batch_size=2):
    start_by_eva(stack, rows, PadCollator(stack.base.tokenizer.pad_token_id), batch_size=batch_size, seed=seed)
    return {name: tensor.clone() for name, tensor in stack.trainee_state().items()}


def directions(model, rows, pad, rank, layer):
    """By the full SVD of all inputs of one layer at label tokens, centred."""
    seen = []
    module = model.get_submodule(layer)
    handle = module.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    model.eval()
    kept = []
    with torch.no_grad():
        for row in rows:
            batch = PadCollator(pad)([row])
            model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
            kept.append(seen.pop()[batch["labels"] != -100])
    handle.remove()
    states = torch.cat(kept)
    return torch.linalg.svd(states - states.mean(dim=0), full_matrices=False).Vh[:rank]


def shared_directions(a, b):
    """Cosines of the angles between two spaces of orthonormal rows; 1 for the same space."""
    return torch.linalg.svdvals(a.float() @ b.float().mT)


@pytest.mark.parametrize("kind", ["self_attn.v_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj"])
def test_a_spans_what_the_stack_feeds_the_layer_not_what_the_bare_base_does(family, kind):
    stack = stack_on(family, family.registry.lineage_artifacts("strong"))
    rows = rows_of(family, stack)
    a = begin(stack, rows, batch_size=len(rows))[f"base_model.model.model.layers.1.{kind}.lora_A.weight"]
    layer, pad = f"base_model.model.model.layers.1.{kind}", stack.base.tokenizer.pad_token_id
    expected = directions(stack.model, rows, pad, RANK, layer)
    torch.testing.assert_close(a @ a.mT, torch.eye(RANK), atol=1e-4, rtol=0)
    assert shared_directions(a, expected).min() > 0.99
    with stack.without_top(), stack.model.disable_adapter():
        bare = directions(stack.model, rows, pad, RANK, layer)
    assert shared_directions(expected, bare).min() < 0.9  # what PEFT's own initialization would measure


def test_on_a_bare_base_it_finds_what_peft_finds(family):
    from peft import EvaConfig, get_eva_state_dict
    from transformers import AutoModelForCausalLM

    stack = stack_on(family, [])
    rows = rows_of(family, stack)
    found = begin(stack, rows, batch_size=len(rows))
    config = LoraConfig(
        r=RANK, init_lora_weights="eva", eva_config=EvaConfig(rho=1.0), task_type="CAUSAL_LM",
        target_modules=["v_proj", "down_proj"],
    )  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(family.base, dtype=torch.float32)
    batch = PadCollator(stack.base.tokenizer.pad_token_id)(rows)
    batch.pop("rows", None)
    theirs = get_eva_state_dict(model, [batch], config, show_progress_bar=False)
    assert len(theirs) == 4
    for name, components in theirs.items():
        # The third is hardly stronger than a fourth in a random model, and PEFT reads the one batch again and again.
        assert shared_directions(found[f"base_model.model.{name}.lora_A.weight"], components)[:2].min() > 0.99


def test_the_outputs_stay_the_same_bits_and_so_do_base_and_parent(family):
    stack = stack_on(family, family.registry.lineage_artifacts("strong"))
    before, ids = fingerprint(stack.base.model), torch.arange(3, 35).view(2, 16)
    mode, state = stack.model.training, torch.get_rng_state()
    with torch.no_grad():
        expected = stack.model.eval()(input_ids=ids).logits
        stack.model.train(mode)
        began = begin(stack, rows_of(family, stack))
        assert (stack.model.training, torch.equal(torch.get_rng_state(), state)) == (mode, True)
        assert torch.equal(stack.model.eval()(input_ids=ids).logits, expected)
    before.require_equal(fingerprint(stack.base.model))
    stack.require_frozen_unchanged()
    stack.require_trainable_set()
    assert not any(module._forward_pre_hooks for module in stack.model.modules())
    assert all(not tensor.any() for name, tensor in began.items() if "lora_B" in name)


def test_the_seed_decides(family):
    parents = family.registry.lineage_artifacts("strong")
    found = []
    for noise, seed in ((1, 5), (2, 5), (2, 6)):
        stack = stack_on(family, parents)
        torch.manual_seed(noise)
        found.append(begin(stack, rows_of(family, stack), seed=seed, batch_size=1))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    assert any(not torch.equal(found[0][name], found[2][name]) for name in found[0])


@pytest.mark.parametrize("settings", [{"use_dora": True}, {"use_rslora": True}], ids=["dora", "rslora"])
def test_a_variant_starts_by_it_too_and_changes_no_output_by_more_than_rounding(family, settings):
    stack = stack_on(family, family.registry.lineage_artifacts("strong"), **settings)
    ids = torch.arange(3, 35).view(2, 16)
    with torch.no_grad():
        expected = stack.model.eval()(input_ids=ids).logits
        began = begin(stack, rows_of(family, stack))
        torch.testing.assert_close(stack.model(input_ids=ids).logits, expected, atol=1e-4, rtol=0)
    assert all(torch.isfinite(tensor).all() for tensor in began.values())


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("rank", [20, 40])
def test_a_rank_near_the_width_of_a_layer_or_the_tokens_of_a_batch_is_found_too(family, rank, batch_size):
    """Batches with fewer label tokens than the rank wait for the next; PEFT's own loop would pass over them all."""
    stack = stack_on(family, [], r=rank)
    found = begin(stack, rows_of(family, stack), batch_size=batch_size)
    for name, a in found.items():
        if "lora_A" in name:
            torch.testing.assert_close(a @ a.mT, torch.eye(rank), atol=1e-4, rtol=0)


def test_too_few_label_tokens_for_the_rank_are_told(family):
    stack = stack_on(family, [], r=60)
    row = rows_of(family, stack)[0]
    with pytest.raises(DataError, match=r"needs 60 label tokens for adapter\.r=60, and the training rows have \d+"):
        begin(stack, [row])
    with pytest.raises(UsageError, match=r"adapter\.r=64 at most"):
        begin(stack_on(family, [], r=65), [row])


@pytest.mark.parametrize("kind", ["none", "nf4"])
def test_the_whole_story_publishes_a_plain_lora(family, kind):
    config = family.config(f"eva_{kind}", "unified" if kind == "none" else None, init_lora_weights="eva")
    if kind == "nf4":
        config.quantization = QuantizationConfig(kind="nf4", dtype="float32", compute_dtype="float32")
    artifact = train(config).artifact
    record = json.loads((Path(config.output_dir) / "baseline_checksums.json").read_text())
    assert record["unchanged"] is True
    plain = json.loads((artifact.path / "adapter_config.json").read_text())
    assert (plain["init_lora_weights"], plain["eva_config"], plain["rank_pattern"]) == (True, None, {})
    read_verified(artifact.path)
    if kind == "none":
        other = train(family.config("by_default", "unified")).artifact
        assert other.manifest.run_key != artifact.manifest.run_key
        assert other.manifest.adapter == artifact.manifest.adapter
        gaussian = train(family.config("gauss", "unified", init_lora_weights="gaussian")).artifact
        one, two = (load_file(each.path / WEIGHTS) for each in (other, gaussian))
        assert not any(torch.equal(one[name], two[name]) for name in one if "lora_A" in name)


def test_resuming_is_bit_identical_and_looks_for_no_start(family, caplog):
    import dataclasses

    caplog.set_level("INFO")
    config = family.config("again", "strong", init_lora_weights="eva", max_steps=4, epochs=9, save_steps=2, force=True)
    train(config)
    assert "EVA: directions" in caplog.text
    caplog.clear()
    run = Path(config.output_dir)
    again = dataclasses.replace(config, resume=str(run / "checkpoint-2"), output_dir=str(run.parent / "again"))
    train(again)
    assert (Path(again.output_dir) / "adapter" / WEIGHTS).read_bytes() == (run / "adapter" / WEIGHTS).read_bytes()
    assert "EVA: directions" not in caplog.text
