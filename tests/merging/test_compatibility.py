"""What fits among adapters and what does not, before a weight is read."""

from __future__ import annotations

import dataclasses
import json

import pytest

from adapterkit.config.schema import QuantizationConfig
from adapterkit.errors import StackError
from adapterkit.merging.compatibility import compatibility
from tests.driving import printed
from tests.stack.kin import Kin

BF16 = QuantizationConfig(kind="none", dtype="bfloat16")


@pytest.fixture(scope="module")
def kin(tiny_base_dir, tmp_path_factory):
    made = Kin(tiny_base_dir, tmp_path_factory.mktemp("kin"))
    made.publish("coder", seed=1)
    made.publish("narrow", seed=2, r=2, target_modules=["q_proj"], use_rslora=True)
    made.publish("dora", seed=3, use_dora=True)
    made.publish("child", made.publish("unified", seed=4), seed=5)
    held = Kin(tiny_base_dir, tmp_path_factory.mktemp("bf16"), BF16)
    held.registry = made.registry
    held.publish("other", seed=6)
    return made


def found(kin, *refs, **options):
    return compatibility([kin.registry.artifact(ref) for ref in refs], **options)


def misfits(result):
    return [check.part for check in result.checks if not check.fits]


@pytest.mark.parametrize(
    ("refs", "parts"),
    [
        (("coder", "narrow"), []),
        (("coder", "dora"), ["variant"]),
        (("coder", "child"), ["parents"]),
        (("coder", "other"), ["quantization"]),
        (("child", "other", "dora"), ["quantization", "parents", "variant"]),
    ],
)
def test_every_part_is_looked_at(kin, refs, parts):
    result = found(kin, *refs)
    assert misfits(result) == parts
    assert result.fits == (not parts)
    if parts:
        with pytest.raises(StackError, match=f"(?s)cannot be merged:\n  {parts[0]}: .*adapterkit compatible {refs[0]}"):
            result.require()
    else:
        result.require()


@pytest.mark.parametrize("digests", [(None, "1", "2"), ("1", None, "2"), ("1", "2", None)])
def test_two_known_tokenizers_differ_wherever_an_unknown_one_stands(kin, digests):
    artifact = kin.registry.artifact("coder")
    lineage = artifact.manifest.lineage
    sources = [
        dataclasses.replace(
            artifact,
            manifest=dataclasses.replace(
                artifact.manifest,
                lineage=dataclasses.replace(lineage, base=dataclasses.replace(lineage.base, tokenizer_digest=digest)),
            ),
        )
        for digest in digests
    ]
    assert misfits(compatibility(sources)) == ["tokenizer"]


def test_what_differs_and_fits_is_told(kin):
    told = {check.part: check for check in found(kin, "coder", "narrow").checks}
    assert told["ranks"].values == ("4", "2")
    assert told["ranks"].note
    assert told["variant"].values == ("lora", "rslora")
    assert told["shapes"].values == ("14 layers", "2 layers")
    assert told["targets"].note == "12 layers of 14 not changed by all: a change of zero there"
    assert misfits(found(kin, "coder", "narrow", on="factors")) == ["ranks"]
    assert misfits(found(kin, "coder", "unified", on="factors")) == []


def test_layers_of_other_sizes_and_another_base_do_not_fit(kin, tmp_path):
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path / "base"
    config = LlamaConfig.from_pretrained(kin.base_folder)
    config.intermediate_size = 96
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(kin.base_folder)
    tokenizer.chat_template += "{# another #}"
    tokenizer.save_pretrained(folder)
    alien = Kin(folder, tmp_path).publish("alien", seed=7)
    result = compatibility([kin.registry.artifact("coder"), alien])
    assert misfits(result) == ["base", "tokenizer", "shapes"]
    told = next(check.why for check in result.checks if check.part == "shapes")
    assert "6 layers of other sizes, first model.layers.0.mlp.down_proj: 64 x 128 in coder@1.0.0, 64 x 96" in told


def test_the_verb(kin):
    where = ("--registry", kin.registry.path)
    told = json.loads(printed("compatible", "coder", "narrow", *where, "--json"))
    assert (told["fits"], told["refs"]) == (True, ["coder@1.0.0", "narrow@1.0.0"])
    assert {"part": "variant", "values": ["lora", "rslora"], "why": "", "note": "", "fits": True} in told["checks"]
    told = json.loads(printed("compatible", "coder", "dora", "child", *where, "--json", code=1))
    assert [check["part"] for check in told["checks"] if not check["fits"]] == ["parents", "variant"]
    text = printed("compatible", "coder", "dora", *where, code=1)
    assert "DOES NOT FIT" in text
    assert "adapter.use_dora=false" in text
    assert "They cannot be merged." in text
    assert "They can be merged." in printed("compatible", "coder", "narrow", *where)
    assert printed("compatible", "coder", *where, code=2) == ""
    assert printed("compatible", "coder", "nobody", *where, code=1) == ""
