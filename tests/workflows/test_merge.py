"""A merge is a published artifact with its evidence, made the same bit for bit every time."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
import torch
from safetensors.torch import load_file

import adapterkit
from adapterkit.base.load import load_tokenizer
from adapterkit.config.merge_schema import HeldOutConfig, MergeConfig, MethodConfig
from adapterkit.config.schema import TrainConfig
from adapterkit.errors import ParityError, RefNotFoundError, StackError, UnknownNameError, UsageError
from adapterkit.evaluation.answers import prompt_ids
from adapterkit.evaluation.parity import PROMPTS
from adapterkit.manifest import MergeRecord
from adapterkit.merging.factors import Factors
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.workflows import merge_trial
from adapterkit.workflows.ability import require_possible
from adapterkit.workflows.combined import Combined
from adapterkit.workflows.merge import merge
from adapterkit.workflows.recorded import recorded_merge
from tests.stack.kin import FP32, Kin, logits

RSLORA = {"use_rslora": True, "r": 3, "lora_alpha": 5}


@pytest.fixture(scope="module")
def kin(tiny_base_dir, tmp_path_factory):
    made = Kin(tiny_base_dir, tmp_path_factory.mktemp("kin"))
    made.publish("coder", seed=1)
    made.publish("security", seed=2, target_modules=["q_proj", "down_proj"], **RSLORA)
    parent = made.publish("unified", seed=3, r=2)
    made.publish("lincoln", parent, seed=4)
    made.publish("reagan", parent, seed=5, r=6)
    made.publish("dora", seed=6, use_dora=True)
    return made


def asked(kin, *adapters, method="ties", name="merged", **changes):
    """A merge in the registry of a family; nothing is measured and nothing proven unless that is asked for."""
    plain = {"test_decode_parity": False, "held_out": HeldOutConfig(recorded=False), "device": "cpu"}
    return MergeConfig(
        name=name,
        adapters=list(adapters or ("coder@1.0.0", "security")),
        method=MethodConfig(method),
        registry=str(kin.registry.path),
        output_dir=str(kin.folder / "outputs" / name / str(len(list((kin.folder / "outputs" / name).glob("*"))))),
        **{**plain, **changes},
    )


def changes_of(path):
    """The dense change of each layer, from the files alone."""
    config = json.loads((path / "adapter_config.json").read_text())
    tensors = load_file(path / "adapter_model.safetensors")
    found = {}
    for key, a in tensors.items():
        if key.endswith(".lora_A.weight"):
            module = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            kind = module.rpartition(".")[2]
            rank, alpha = (
                config[pattern].get(module, config[pattern].get(kind, config[plain]))
                for pattern, plain in (("rank_pattern", "r"), ("alpha_pattern", "lora_alpha"))
            )
            scale = alpha / (rank**0.5 if config.get("use_rslora") else rank)
            found[module] = scale * (tensors[key.replace("lora_A", "lora_B")].double() @ a.double())
    return found


def evidence(outcome):
    return json.loads((outcome.artifact.path / "training_metrics.json").read_text("utf-8"))


def test_it_says_how_it_came_about(kin):
    config = asked(kin, weights=[0.7, 0.3], density=0.3, name="told")
    artifact = merge(config).artifact
    manifest = artifact.manifest
    counted = {"density": 0.3, "dtype": "float32", "on": "deltas", "rank": "largest", "scale": 1.0}
    assert manifest.merge == MergeRecord(
        "ties", (0.7, 0.3), {**counted, "asked": ["coder@1.0.0", "security"]}, manifest.merge.errors
    )
    assert [str(each.ref) for each in manifest.merged_from] == ["coder@1.0.0", "security@1.0.0"]
    assert [each.weights_digest for each in manifest.merged_from] == [
        kin.registry.artifact(name).manifest.weights_digest for name in ("coder", "security")
    ]
    assert manifest.data.source == "nothing of its own: merged from coder@1.0.0, security@1.0.0"
    told = evidence(merge(config))
    layers = told["merge"]["layers"]
    assert {name: each["left_out_by_the_rank"] for name, each in layers.items()} == dict(manifest.merge.errors)
    assert [each["weight"] for each in told["merge"]["sources"]] == [0.7, 0.3]
    recorded = recorded_merge(artifact.path)
    assert (recorded.adapters, recorded.weights, recorded.density) == (config.adapters, [0.7, 0.3], 0.3)
    assert adapterkit.verify("told", registry=kin.registry.path).ok
    card = (artifact.path / "README.md").read_text()
    assert "made by `ties`" in card
    assert "| `security@1.0.0` | 0.3 |" in card
    assert (kin.folder / "outputs" / "told" / "0" / "final_artifact" / "checksums.json").read_bytes() == (
        artifact.path / "checksums.json"
    ).read_bytes()


@pytest.mark.parametrize(
    ("method", "weights", "shares"),
    [
        ("average", None, (0.5, 0.5)),
        ("weighted", None, (0.5, 0.5)),
        ("weighted", [2, 6], (2, 6)),
        ("task_arithmetic", [1, -0.5], (1, -0.5)),
    ],
)
def test_at_rank_sum_it_is_the_sum_of_the_changes(kin, method, weights, shares):
    name = f"exact_{method}_{bool(weights)}".lower()
    found = merge(asked(kin, method=method, weights=weights, rank="sum", dtype="float64", name=name)).artifact
    sources = [changes_of(kin.registry.artifact(ref).path) for ref in ("coder", "security")]
    merged = changes_of(found.path)
    assert merged.keys() == sources[0].keys()
    for module, change in merged.items():
        exact = sum(share * each[module] for share, each in zip(shares, sources, strict=True) if module in each)
        assert torch.dist(change, exact) < 1e-12 * exact.norm()
    assert found.manifest.metrics["left_out_by_the_rank"] == 0


def test_what_the_rank_left_out_of_all_layers_is_told(kin):
    whole = changes_of(merge(asked(kin, method="average", rank="sum", dtype="float64", name="whole")).artifact.path)
    cut = merge(asked(kin, method="average", rank=2, dtype="float64", name="cut")).artifact
    left = sum(torch.dist(whole[name], change) ** 2 for name, change in changes_of(cut.path).items()) ** 0.5
    exact = sum(change.norm() ** 2 for change in whole.values()) ** 0.5
    assert cut.manifest.metrics["left_out_by_the_rank"] == pytest.approx(float(left / exact), rel=1e-9)


@pytest.mark.parametrize("method", ["weighted", "slerp", "ties", "dare_ties"])
def test_it_is_the_same_bit_for_bit_on_any_number_of_threads(kin, method):
    before, digests = torch.get_num_threads(), set()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            made = merge(asked(kin, method=method, name=f"on_{threads}_{method}", force=True))
            digests.add(made.artifact.manifest.weights_digest)
    finally:
        torch.set_num_threads(before)
    assert len(digests) == 1


def test_the_least_that_a_rank_left_out_is_told():
    factors = Factors(torch.eye(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64))
    found = Combined({"one": factors, "two": factors.scaled(2.0)}, {"one": 3e-9, "two": 0.0}, torch.float32)
    assert found.left_out == pytest.approx(3e-9 / 5**0.5)
    assert Combined({"one": factors}, {"one": 0.0}, torch.float32).left_out == 0.0


def test_the_same_once_more_is_said_and_nothing_done(kin, caplog):
    caplog.set_level("INFO")
    first = merge(asked(kin, name="again"))
    again = merge(asked(kin, name="again"))
    assert (first.merged, again.merged, again.artifact.digest) == (True, False, first.artifact.digest)
    assert "again@1.0.0 is up to date: merged of exactly these adapters" in caplog.text
    forced = merge(asked(kin, name="again", force=True))
    assert forced.merged
    assert "Merged to the same weights as before" in caplog.text
    assert forced.artifact.digest == first.artifact.digest
    assert str(merge(asked(kin, name="again", density=0.2)).artifact.ref) == "again@1.1.0"


def test_what_a_method_does_not_look_at_makes_no_other_merge(kin):
    first = merge(asked(kin, method="average", name="blind", density=0.3, seed=1))
    assert not merge(asked(kin, method="average", name="blind", density=0.7, seed=2)).merged
    assert not {"density", "seed"} & first.artifact.manifest.merge.options.keys()
    drawn = [merge(asked(kin, method="dare", name="drawn", seed=seed)).artifact.manifest for seed in (1, 2)]
    assert [each.merge.options["seed"] for each in drawn] == [1, 2]
    assert drawn[0].weights_digest != drawn[1].weights_digest


def test_adapters_on_one_parent_come_to_one_on_that_parent(kin):
    outcome = merge(
        asked(kin, "lincoln", "reagan", method="average", rank="sum", name="voices", test_decode_parity=True)
    )
    assert [str(each.ref) for each in outcome.artifact.manifest.lineage.members] == ["unified@1.0.0", "voices@1.0.0"]
    proof = evidence(outcome)["decode_parity"]
    assert (proof["proven"], proof["plain_peft"]["largest"]) == (True, 0.0)
    stack = kin.stack("voices", torch.float64)
    changes = [changes_of(kin.registry.artifact(ref).path) for ref in ("unified", "lincoln", "reagan")]
    model = kin.base(torch.float64).model
    for module, change in changes[0].items():
        weight = model.get_submodule(module).weight
        weight.data += change + (changes[1][module] + changes[2][module]) / 2
    assert (logits(stack.model) - logits(model)).abs().max() < 1e-5
    with pytest.raises(StackError, match=r"parents: .*adapterkit flatten lincoln@1\.0\.0"):
        merge(asked(kin, "coder", "lincoln"))


def test_the_proof_is_part_of_it(kin):
    outcome = merge(asked(kin, name="proven", test_decode_parity=True))
    proof = evidence(outcome)["decode_parity"]
    assert (proof["proven"], proof["zero"]["largest"], proof["plain_peft"]["largest"]) == (True, 0.0, 0.0)
    assert proof["child"]["largest"] > 0
    tokenizer = load_tokenizer("base", kin.base_folder)
    assert proof["plain_peft"]["positions"] == sum(len(prompt_ids(tokenizer, prompt)) for prompt in PROMPTS)
    base = outcome.artifact.manifest.base
    assert base.fingerprint_before == base.fingerprint_after != ""
    silent = merge(asked(kin, name="silent"))
    assert "decode_parity" not in evidence(silent)
    assert silent.artifact.manifest.weights_digest == outcome.artifact.manifest.weights_digest


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_it_is_proven_as_it_is_stored(kin, dtype):
    outcome = merge(asked(kin, name=f"stored_{dtype}", dtype=dtype, test_decode_parity=True))
    assert outcome.artifact.manifest.adapter.dtype == dtype
    assert evidence(outcome)["decode_parity"]["plain_peft"]["largest"] == 0.0
    lost = outcome.artifact.manifest.metrics["largest_loss_in_storage"]
    assert (lost == 0) == (dtype == "float64")


def test_what_plain_peft_would_make_another_model_of_is_not_published(kin, monkeypatch):
    plain = merge_trial.prompt_logits
    calls = []

    def off_by_little(model, tokenizer):
        calls.append(model)
        return plain(model, tokenizer) + (len(calls) - 1) * 1e-6

    monkeypatch.setattr(merge_trial, "prompt_logits", off_by_little)
    with pytest.raises(StackError, match="gives other logits in plain PEFT than here"):
        merge(asked(kin, name="odd", test_decode_parity=True))
    assert len(calls) == 2
    assert kin.registry.versions("odd") == []
    assert not (kin.folder / "outputs" / "odd" / "0").exists()


def test_what_is_not_its_base_without_its_change_is_not_published(kin, monkeypatch):
    @contextmanager
    def as_it_is(stack):
        yield stack.model

    monkeypatch.setattr(AdapterStack, "with_zero_delta", as_it_is)
    with pytest.raises(ParityError, match="'broken' with its change at zero is not its parent"):
        merge(asked(kin, name="broken", test_decode_parity=True))
    assert kin.registry.versions("broken") == []


@pytest.mark.parametrize(
    ("adapters", "changes", "error", "said"),
    [
        ((), {}, UsageError, "nothing to merge"),
        (("coder", "dora"), {}, StackError, r"variant: dora@1\.0\.0: a DoRA rescales"),
        (("coder", "codre"), {}, RefNotFoundError, "Did you mean"),
        (("coder", "security"), {"weights": [1]}, UsageError, "1 weight for 2 adapters"),
        (("coder", "security"), {"weights": "performence"}, UnknownNameError, "Did you mean performance"),
        (("coder", "security"), {"weights": ["a", 1]}, UsageError, "'a' is no number"),
        (("coder", "security"), {"weights": [1, -1]}, UsageError, "ties takes no weight below zero"),
        (("coder", "security"), {"density": 0.0}, UsageError, "density=0"),
        (("coder", "security"), {"rank": 0}, UsageError, "rank=0"),
        (("coder", "security"), {"rank": "sum"}, UsageError, "rank=sum is exact for methods that add"),
        (("coder", "security"), {"rank": 1.5}, UsageError, "rank=1.5"),
        (("coder", "security"), {"dtype": "float33"}, UnknownNameError, "Did you mean float32"),
        (("coder", "security"), {"on": "factors"}, StackError, "ranks: on=factors adds A to A"),
        (("coder", "security"), {"name": "coder"}, UsageError, "name=coder_merged"),
        (("coder", "security"), {"weights": "performance"}, UsageError, "loss before not measured"),
        (("coder", "security"), {"held_out": HeldOutConfig(max_rows=1)}, UsageError, "held_out.max_rows"),
    ],
)  # fmt: skip
def test_what_cannot_be_merged_is_refused_before_anything_is_written(kin, adapters, changes, error, said):
    config = asked(kin, *adapters, **{"name": "never", **changes})
    config.adapters = list(adapters)
    with pytest.raises(error, match=said):
        merge(config)
    assert kin.registry.versions("never") == []
    assert not (kin.folder / "outputs" / "never").exists()


def test_a_method_that_does_not_exist_is_refused(kin):
    with pytest.raises(UnknownNameError, match="Did you mean ties"):
        merge(asked(kin, method="tiess"))


def test_a_name_stays_what_it_is_trained_merged_or_flattened(kin):
    merge(asked(kin, name="both"))
    assert merge(asked(kin, "coder", "security", method="weighted", name="both")).artifact.manifest.name == "both"
    flat = adapterkit.flatten_stack("coder", registry=kin.registry.path)
    before = {name: kin.registry.versions(name) for name in kin.registry.names()}
    with pytest.raises(
        UsageError, match=r"coder_flat@1\.0\.0 was flattened, and every bare 'coder_flat'.*merged.*name="
    ):
        merge(asked(kin, name=flat.ref.name))
    with pytest.raises(UsageError, match=r"lincoln@1\.0\.0 was trained, .* --name coder_flat$"):
        adapterkit.flatten_stack("coder", registry=kin.registry.path, name="lincoln")
    with pytest.raises(UsageError, match=r"both@\d\.\d\.0 was merged, .* was trained.*name=both_trained$"):
        require_possible(TrainConfig(name="both", quantization=FP32), "both", kin.registry, torch.device("cpu"))
    # A training that goes on from it says so.
    require_possible(
        TrainConfig(name="both", quantization=FP32, incremental=True), "both", kin.registry, torch.device("cpu")
    )
    assert before == {name: kin.registry.versions(name) for name in kin.registry.names()}
