"""A flattened stack is one plain LoRA that plain PEFT loads alone, and answers as the stack does."""

from __future__ import annotations

import json

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

import adapterkit
from adapterkit.errors import ExportError, StackError, UnknownNameError, UsageError
from adapterkit.merging.factors import Factors
from adapterkit.merging.flatten import flatten as flat
from adapterkit.merging.flatten import norm, rounding, without_zeros
from adapterkit.workflows.combined import factors_of
from adapterkit.workflows.flatten import FlattenRequest, flatten
from tests.driving import printed
from tests.stack.kin import Kin, logits

# The four ways in which a member's scaling may be hidden from whoever adds factors up naively.
RSLORA = {"use_rslora": True, "r": 3, "lora_alpha": 5}
PATTERNS = {"rank_pattern": {"up_proj": 2, "layers.1.mlp.gate_proj": 6}, "alpha_pattern": {"q_proj": 3, "up_proj": 7}}


@pytest.fixture(scope="module")
def kin(tiny_base_dir, tmp_path_factory):
    made = Kin(tiny_base_dir, tmp_path_factory.mktemp("kin"))
    unified = made.publish("unified", seed=1, target_modules=["q_proj", "v_proj"])
    child = made.publish("child", unified, seed=2, **RSLORA, **PATTERNS)
    made.publish("grandchild", child, seed=3, r=2, lora_alpha=3, target_modules=["q_proj", "layers.0.mlp.down_proj"])
    made.publish("dora", unified, seed=4, use_dora=True)
    return made


def in_plain_peft(kin, published, dtype=torch.float32):
    """As README.md says: the base and this folder, nothing else."""
    return PeftModel.from_pretrained(kin.base(dtype).model, published.path).eval()


@pytest.mark.parametrize(
    ("ref", "blend", "weights"),
    [
        ("unified", None, None),
        ("child", None, None),
        ("grandchild", None, None),
        ("grandchild", "additive", (0.3, -1.7, 2.1)),
        ("grandchild", "interpolative", (1, 1, 1)),
        ("child", "interpolative", (0.7, 0.1)),
    ],
)
def test_alone_in_plain_peft_it_is_the_stack(kin, ref, blend, weights):
    exact = flatten(kin.registry, FlattenRequest(ref, None, blend, weights, dtype="float64"))
    stack = kin.stack(ref, torch.float64)
    stack.blend(blend, weights)
    truth = logits(stack.model)
    assert (logits(in_plain_peft(kin, exact, torch.float64)) - truth).abs().max() < 1e-10

    single = flatten(kin.registry, FlattenRequest(ref, None, blend, weights))
    stack = kin.stack(ref)
    stack.blend(blend, weights)
    ours = logits(stack.model)
    alone = logits(in_plain_peft(kin, single))
    assert (alone - ours).abs().max() <= 2 * (ours.double() - truth).abs().max()
    assert single.manifest.lineage.parents == ()


def test_peft_adds_these_up_by_the_scaling_of_the_one_that_is_named_first(kin):
    unified, child = (artifact.path for artifact in kin.registry.lineage_artifacts("child"))
    model = PeftModel.from_pretrained(kin.base(torch.float64).model, unified, adapter_name="a")
    model.load_adapter(child, adapter_name="b")
    truth = logits(kin.stack("child", torch.float64).model)
    found = []
    for order in (["a", "b"], ["b", "a"]):
        model.add_weighted_adapter(order, [1.0, 1.0], "".join(order), combination_type="cat")
        model.set_adapter("".join(order))
        found.append(float((logits(model.eval()) - truth).abs().max()))
    assert found[0] < 1e-10
    assert found[1] > 0.1  # trap 9: the sum is scaled as its first is, which is rsLoRA


def test_it_holds_fewer_parameters_than_peft_does(kin):
    """PEFT's `cat` pads every layer to the sum of all ranks, and targets the union."""
    unified, child = kin.publish("one", seed=7, target_modules=["q_proj", "v_proj"]), kin.publish("two", seed=8, r=2)
    model = PeftModel.from_pretrained(kin.base().model, unified.path, adapter_name="a")
    model.load_adapter(child.path, adapter_name="b")
    model.add_weighted_adapter(["a", "b"], [1.0, 1.0], "sum", combination_type="cat")
    theirs = sum(value.numel() for name, value in model.named_parameters() if ".sum." in name)

    kin.publish("two_on_one", unified, seed=8, r=2)
    ours = flatten(kin.registry, FlattenRequest("two_on_one")).manifest.adapter.parameters
    assert ours == unified.manifest.adapter.parameters + child.manifest.adapter.parameters < 0.7 * theirs


def test_its_config_is_plain_and_short(kin):
    published = flatten(kin.registry, FlattenRequest("grandchild"))
    config = json.loads((published.path / "adapter_config.json").read_text())
    # Every layer of these kinds is changed; of down_proj both are, by different members.
    kinds = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
    assert config["target_modules"] == kinds
    assert config["alpha_pattern"] == config["rank_pattern"]
    assert config["lora_alpha"] == config["r"]
    assert config["rank_pattern"]["q_proj"] == 4 + 3 + 2
    assert config["rank_pattern"]["model.layers.0.mlp.down_proj"] == 3 + 2
    some = kin.publish("some", seed=9, target_modules=["layers.1.mlp.down_proj", "k_proj"])
    config = json.loads((flatten(kin.registry, FlattenRequest(str(some.ref))).path / "adapter_config.json").read_text())
    assert config["target_modules"] == ["k_proj", "model.layers.1.mlp.down_proj"]


def test_padded_it_has_one_rank_and_answers_the_same(kin):
    tight = flatten(kin.registry, FlattenRequest("grandchild"))
    padded = flatten(kin.registry, FlattenRequest("grandchild", padded=True, name="wide"))
    config = json.loads((padded.path / "adapter_config.json").read_text())
    assert (config["r"], config["rank_pattern"], config["alpha_pattern"]) == (9, {}, {})
    assert padded.manifest.adapter.parameters > tight.manifest.adapter.parameters
    assert (logits(in_plain_peft(kin, padded)) - logits(in_plain_peft(kin, tight))).abs().max() < 1e-4


def test_a_member_that_changes_nothing_costs_nothing(kin):
    alone = flatten(kin.registry, FlattenRequest("unified"))
    weighed = flatten(kin.registry, FlattenRequest("child", weights=(1, 0)))
    assert weighed.manifest.weights_digest == alone.manifest.weights_digest
    with pytest.raises(UsageError, match="Nothing is left of the stack"):
        flatten(kin.registry, FlattenRequest("unified", weights=(0.0,)))


def test_cut_to_a_rank_it_is_as_close_as_that_rank_allows_and_says_so(kin):
    whole = flatten(kin.registry, FlattenRequest("grandchild", dtype="float64", name="whole"))
    cut = flatten(kin.registry, FlattenRequest("grandchild", rank=3, dtype="float64", name="cut"))
    config = json.loads((cut.path / "adapter_config.json").read_text())
    assert (config["r"], config["rank_pattern"]) == (3, {"up_proj": 2})  # It had no more.
    big, small = (load_file(each.path / "adapter_model.safetensors") for each in (whole, cut))
    assert set(cut.manifest.merge.errors) == {
        name.removeprefix("base_model.model.").removesuffix(".lora_A.weight") for name in small if "lora_A" in name
    }
    for module, error in cut.manifest.merge.errors.items():
        exact, ours = (
            tensors[f"base_model.model.{module}.lora_B.weight"] @ tensors[f"base_model.model.{module}.lora_A.weight"]
            for tensors in (big, small)
        )
        values = torch.linalg.svdvals(exact)
        assert torch.dist(exact, ours).item() == pytest.approx(values[3:].norm().item(), rel=1e-9, abs=1e-12)
        assert error == pytest.approx((values[3:].norm() / values.norm()).item(), rel=1e-9, abs=1e-12)
    assert cut.manifest.metrics["largest_loss_by_the_rank"] == max(cut.manifest.merge.errors.values()) > 0.1


def test_what_is_published_says_how_it_came_about(kin):
    request = FlattenRequest("grandchild", "poet", "interpolative", (1, 2, 1), 4)
    published = flatten(kin.registry, request)
    manifest = published.manifest
    assert manifest.merge.method == "flatten"
    assert manifest.merge.weights == (1, 2, 1)
    assert manifest.merge.options == {"blend": "interpolative", "dtype": "float32", "padded": False, "rank": 4}
    assert manifest.merged_from == kin.registry.lineage("grandchild").members
    assert manifest.data.source.startswith("nothing of its own: flattened from unified@1.0.0, child@1.0.0")
    assert adapterkit.verify("poet", registry=kin.registry.path).ok
    card = (published.path / "README.md").read_text()
    assert "made by `flatten` (blend interpolative, dtype float32, padded false, rank 4)" in card
    assert "| `child@1.0.0` | 2 |" in card
    assert "of a layer's change (Frobenius norm)" in card
    assert "This adapter needs its parents" not in card
    metrics = json.loads((published.path / "training_metrics.json").read_text())["flatten"]
    assert [each["coefficient"] for each in metrics["members"]] == [0.25, 0.5, 0.25]
    assert metrics["layers"]["model.layers.0.self_attn.q_proj"]["rank"] == 4

    again = flatten(kin.registry, request)
    assert (again.new, again.manifest) == (False, manifest)
    assert flatten(kin.registry, FlattenRequest("grandchild", "poet")).manifest.ref != manifest.ref


def test_what_cannot_be_flattened_is_refused(kin):
    with pytest.raises(StackError, match=r"dora@1\.0\.0 cannot be flattened\. A DoRA rescales"):
        flatten(kin.registry, FlattenRequest("dora"))
    with pytest.raises(UsageError, match="1 weight for a stack of 2 members"):
        flatten(kin.registry, FlattenRequest("child", weights=(1,)))
    with pytest.raises(UnknownNameError, match="Did you mean float32"):
        flatten(kin.registry, FlattenRequest("child", dtype="float33"))
    with pytest.raises(UsageError, match="a rank is 1 or more"):
        flatten(kin.registry, FlattenRequest("child", rank=0))


def test_the_verb(kin):
    words = ("flatten", "child", "--name", "said", "--blend", "interpolative", "--weight", "1", "--weight", "0.5")
    where = ("--registry", kin.registry.path)
    found = json.loads(printed(*words, *where, "--json"))
    assert (found["ref"], found["new"], found["weights"]) == ("said@1.0.0", True, [1, 0.5])
    assert max(found["errors"].values()) == 0
    told = printed(*words, *where)
    assert "Already flattened to said@1.0.0" in told
    assert "unified@1.0.0 x 1, child@1.0.0 x 0.5" in told
    assert printed("flatten", "child", "--weight", "1", *where, code=2) == ""


def test_zero_columns_are_dropped_and_rounding_is_measured():
    a, b = torch.randn(4, 6, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    b[:, 1], a[3] = 0, 0
    tight = without_zeros(Factors(a, b))
    assert tight.rank == 2
    assert torch.equal(tight.dense(), Factors(a[[0, 2]], b[:, [0, 2]]).dense())
    assert norm(tight) == pytest.approx(tight.dense().norm().item())
    stored = Factors(tight.a.bfloat16().double(), tight.b.bfloat16().double()).dense()
    expected = torch.dist(stored, tight.dense()) / tight.dense().norm()
    assert rounding(tight, torch.bfloat16) == pytest.approx(expected.item())
    assert rounding(tight, torch.float64) == 0
    with pytest.raises(UsageError, match="Nothing is left"):
        flat([{"q": Factors(a, b)}], [0.0])


def test_it_is_stale_once_a_member_moved_on_and_says_how_it_is_made_again(tiny_base_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("ADAPTERKIT_CACHE", str(tmp_path / "cache"))
    kin = Kin(tiny_base_dir, tmp_path)
    kin.publish("child", kin.publish("unified", seed=1), seed=2)
    flatten(kin.registry, FlattenRequest("child"))
    where = ("--registry", kin.registry.path)

    def state():
        rows = json.loads(printed("status", *where, "--json", code=None))
        return next((row["state"], str(row["reasons"])) for row in rows if row["ref"].startswith("child_flat"))

    assert state() == ("fresh", "[]")
    kin.publish("child", kin.registry.artifact("unified"), seed=3)
    assert state()[0] == "stale"
    assert "child moved on: child@1.0.0 -> child@1.1.0" in state()[1]
    assert "make it again with adapterkit flatten" in printed("rebuild", "child_flat", *where, code=1)


@pytest.mark.parametrize("name", ["child", "unified"])
def test_a_member_gives_its_name_to_no_flat_adapter(kin, name):
    with pytest.raises(UsageError, match=f"'{name}' would be made of {name}@1.0.0, an earlier version of itself"):
        flatten(kin.registry, FlattenRequest("child", name))


def test_what_cancels_but_for_rounding_is_left_out(kin):
    unified = factors_of(kin.registry.artifact("unified"), "flattened")
    # The same change in other factors: every number of both is another one.
    other = {name: Factors(each.a * 3, each.b / 3) for name, each in unified.items()}
    with pytest.raises(UsageError, match="or they cancel each other"):
        flat([unified, other], [1.0, -1.0])
    first = next(iter(unified))
    other[first] = other[first].scaled(0.5)
    assert list(flat([unified, other], [1.0, -1.0])) == [first]


def test_a_number_beyond_the_stored_dtype_is_told_with_its_layer(kin):
    with pytest.raises(ExportError, match=r"A weight of `model\.layers\.\S+` is beyond torch\.float16"):
        flatten(kin.registry, FlattenRequest("unified", "far", None, (1e8,), dtype="float16"))
