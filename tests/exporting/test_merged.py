"""`--to merged`: a folder that transformers loads by itself, and that answers as the stack does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
import torch
from peft.utils.integrations import dequantize_module_weight
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from adapterkit.base.held import held
from adapterkit.base.load import identify, load_base
from adapterkit.base.outline import outline_of
from adapterkit.base.stored import StoredTensors
from adapterkit.config.schema import ModelConfig, QuantizationConfig
from adapterkit.errors import (
    BaseMismatchError,
    ExportError,
    LossError,
    RegistryError,
    StackError,
    UnknownNameError,
    UsageError,
)
from adapterkit.merging.export.merged import MergeInto, write_merged
from adapterkit.merging.export.shards import ShardWriter
from adapterkit.workflows.combined import factors_of
from adapterkit.workflows.export import export
from adapterkit.workflows.export_request import ExportRequest
from tests.stack.kin import IDS, Kin, logits

NF4 = QuantizationConfig(kind="nf4", dtype="float32", compute_dtype="float32")


def merged(kin, folder, ref, **more):
    return export(kin.registry, ExportRequest(ref, "merged", folder / "model", **more))


@pytest.mark.parametrize(
    ("ref", "blend", "weights"),
    [
        ("unified", None, None),
        ("grandchild", None, None),
        ("grandchild", "interpolative", (1, 2, 0.5)),
        ("child", "additive", (0.3, -1.7)),
        ("dora", None, None),
    ],
)
def test_loaded_alone_it_is_the_stack(kin, tmp_path, ref, blend, weights):
    done = merged(kin, tmp_path, ref, blend=blend, weights=weights)
    stack, exact = kin.stack(ref), kin.stack(ref, torch.float64)
    for each in (stack, exact):
        each.blend(blend, weights)
    model = AutoModelForCausalLM.from_pretrained(done.path).eval()
    assert model.dtype == torch.float32
    with safe_open(done.path / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
    for member in done.record.members:
        data = member.manifest.data
        row = f"| `{member.ref}` | {data.rows:,} | {data.tokens:,} | `{data.digest[:12]}` |"
        assert row in (done.path / "README.md").read_text()
    modes = {path.name: path.stat().st_mode & 0o777 for path in done.path.iterdir()}
    assert len(set(modes.values())) == 1, modes
    ours, truth = logits(stack.model), logits(exact.model)
    assert (logits(model) - ours).abs().max() <= 3 * (ours.double() - truth).abs().max() + 1e-5
    assert (logits(model) - logits(kin.base().model)).abs().max() > 0.1
    assert done.record.losses.worst_in_storage < 1e-5


@pytest.mark.long
def test_a_process_with_transformers_alone_loads_it(kin, tmp_path):
    done = merged(kin, tmp_path, "child")
    code = (
        "import sys, torch\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "text = tokenizer.apply_chat_template([{'role': 'user', 'content': 'Say'}], tokenize=False)\n"
        "with torch.no_grad():\n"
        "    torch.save((text, model(input_ids=torch.arange(3, 35).view(2, 16)).logits), sys.argv[2])\n"
        "assert 'peft' not in sys.modules and 'adapterkit' not in sys.modules\n"
    )
    out = tmp_path / "out.pt"
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code, done.path, out], check=True, cwd=tmp_path)
    text, found = torch.load(out)
    assert (found - logits(kin.stack("child").model)).abs().max() < 1e-3
    tokenizer = AutoTokenizer.from_pretrained(kin.base_folder)
    assert text == tokenizer.apply_chat_template([{"role": "user", "content": "Say"}], tokenize=False)


@pytest.mark.parametrize(
    "config", [NF4, QuantizationConfig(kind="nf4"), QuantizationConfig(kind="int8"), QuantizationConfig(kind="none")]
)
def test_held_weights_are_those_of_the_loaded_base_bit_for_bit(tiny_base_dir, config):
    identity, folder = identify(ModelConfig(id=str(tiny_base_dir)), config)
    model = load_base(identity, folder, config, device=torch.device("cpu")).model
    blocks = outline_of("tiny", folder).blocks
    for name, tensor in StoredTensors(folder).items():
        layer = name.removesuffix(".weight")
        live = model.get_submodule(layer)
        quantized = layer in blocks
        expected = dequantize_module_weight(live) if quantized else live.weight
        assert torch.equal(held(tensor, config, quantized=quantized).float(), expected.data.float()), name


def test_by_default_it_is_the_dequantized_base_and_the_original_on_request(tiny_base_dir, tmp_path):
    family = Kin(tiny_base_dir, tmp_path, NF4)
    family.publish("unified", seed=1)
    ours = logits(family.stack("unified").model)
    gaps = {}
    for weights in ("dequantized", "original"):
        done = merged(family, tmp_path / weights, "unified", base_weights=weights, measure=True)
        model = AutoModelForCausalLM.from_pretrained(done.path).eval()
        gaps[weights] = (logits(model) - ours).abs().max().item()
        assert done.record.distance.positions > 30
        assert done.record.to_json()["options"]["weights"] == weights
    assert gaps["dequantized"] < 1e-4 < 0.01 < gaps["original"]


def test_a_shard_that_cannot_be_written_is_named(tmp_path):
    with (
        pytest.raises(RegistryError, match=rf"^Writing {tmp_path}/gone/.* failed: No such file"),
        ShardWriter(tmp_path / "gone", 100) as shards,
    ):
        shards.add("weight", torch.ones(2))


def test_shards_are_small_and_hold_every_tensor_once(kin, tmp_path):
    whole = merged(kin, tmp_path, "child").path
    parts = tmp_path / "parts"
    parts.mkdir()
    members = [factors_of(each, "merged") for each in kin.registry.lineage_artifacts("child")]
    write_merged(MergeInto("tiny", kin.base_folder, None, most_bytes=60_000), members, (1.0, 1.0), parts)
    index = json.loads((parts / "model.safetensors.index.json").read_text())
    files = sorted(set(index["weight_map"].values()))
    assert files[0] == f"model-00001-of-{len(files):05}.safetensors"
    assert len(files) > 4
    for file in files:
        with safe_open(parts / file, framework="pt") as held_in:
            sizes = [held_in.get_tensor(name).nbytes for name in held_in.keys()]  # noqa: SIM118  (no mapping)
        assert sum(sizes) <= 60_000 or len(sizes) == 1
    one, other = (AutoModelForCausalLM.from_pretrained(folder) for folder in (whole, parts))
    for (name, a), (_, b) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`:UserWarning")
def test_a_tied_output_layer_that_changes_is_untied_and_that_is_said(kin, tmp_path):
    done = merged(kin, tmp_path, "head")
    model = AutoModelForCausalLM.from_pretrained(done.path).eval()
    assert model.lm_head.weight is not model.model.embed_tokens.weight
    assert torch.equal(model.model.embed_tokens.weight, kin.base().model.model.embed_tokens.weight)
    assert (logits(model) - logits(kin.stack("head").model)).abs().max() < 1e-4
    assert done.record.facts["untied"] is True
    assert "`tie_word_embeddings` is false" in (done.path / "README.md").read_text()


def test_bf16_costs_what_it_says(kin, tmp_path):
    done = merged(kin, tmp_path, "child", dtype="bf16")
    layer = "model.layers.1.mlp.gate_proj"
    model = AutoModelForCausalLM.from_pretrained(done.path)
    assert model.dtype == torch.bfloat16
    stack = kin.stack("child", torch.float64)
    own = stack.model.get_submodule(f"base_model.model.{layer}").get_base_layer().weight.clone()
    stack.merge()
    exact = stack.model.get_submodule(f"base_model.model.{layer}").get_base_layer().weight
    written = model.get_submodule(layer).weight.double()
    expected = (torch.dist(written, exact) / torch.dist(exact, own)).item()
    assert done.record.losses.in_storage[layer] == pytest.approx(expected, rel=1e-6)
    assert 1e-4 < expected < 0.1


def test_four_bits_are_written_only_when_their_loss_is_accepted(kin, tmp_path):
    with pytest.raises(LossError, match=r"loses \d+\.\d% of the change in the worst layer") as refused:
        merged(kin, tmp_path, "child", quantize="nf4")
    with pytest.raises(LossError, match=r"--accept-loss 0\.01 is less"):
        merged(kin, tmp_path, "child", quantize="nf4", accept_loss=0.01)
    assert list(tmp_path.iterdir()) == []
    measured = refused.value.measured
    done = merged(kin, tmp_path, "child", quantize="nf4", accept_loss=measured)
    assert done.record.losses.worst_in_storage == measured > 0.05
    model = AutoModelForCausalLM.from_pretrained(done.path)
    layer = model.get_submodule("model.layers.0.mlp.up_proj")
    assert type(layer).__name__ == "Linear4bit"
    # What is lost is what was measured: dequantized again, against the exact sum.
    stack = kin.stack("child", torch.float64)
    name = "base_model.model.model.layers.0.mlp.up_proj"
    own = stack.model.get_submodule(name).get_base_layer().weight.clone()
    stack.merge()
    exact = stack.model.get_submodule(name).get_base_layer().weight
    lost = torch.dist(dequantize_module_weight(layer).double(), exact) / torch.dist(exact, own)
    assert done.record.losses.in_storage["model.layers.0.mlp.up_proj"] == pytest.approx(lost.item(), rel=1e-6)
    with torch.no_grad():
        assert model(input_ids=IDS).logits.isfinite().all()
    assert done.record.distance.divergence > 0


def test_nothing_is_written_over_and_what_fails_leaves_nothing(kin, tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(ExportError, match="exists, and an export writes over nothing"):
        merged(kin, tmp_path, "child")
    (tmp_path / "model").rmdir()
    with pytest.raises(StackError, match=r"dora@1\.0\.0 is a DoRA"):
        merged(kin, tmp_path, "dora", weights=(1, 0.5))
    with pytest.raises(UsageError, match="1 weight for a stack of 2 members"):
        merged(kin, tmp_path, "child", weights=(1,))
    assert list(tmp_path.iterdir()) == []


def test_options_that_mean_nothing_are_refused_before_anything_is_read(tmp_path):
    def asked(form, **more):
        return ExportRequest("nobody", form, tmp_path / "x", **more)

    with pytest.raises(UnknownNameError, match="Did you mean merged"):
        asked("merge")
    with pytest.raises(UsageError, match=r"--quantize means nothing for --to gguf; it belongs to merged\."):
        asked("gguf", quantize="nf4")
    with pytest.raises(UsageError, match=r"--base-weights means nothing for --to hub"):
        asked("hub", base_weights="original")
    with pytest.raises(UnknownNameError, match="Known: float32, float16"):
        asked("gguf", dtype="int8")
    with pytest.raises(UsageError, match="give --quantize nf4 with it"):
        asked("merged", accept_loss=0.5)
    with pytest.raises(UnknownNameError, match="Known: nf4"):
        asked("merged", quantize="q4")


def test_another_base_in_its_place_is_refused(tiny_base_dir, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(tiny_base_dir, base)
    family = Kin(base, tmp_path)
    family.publish("unified", seed=1)
    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[0, 0] += 1
    model.save_pretrained(base)
    with pytest.raises(BaseMismatchError, match="trained on another base"):
        merged(family, tmp_path, "unified")
    assert not (tmp_path / "model").exists()
