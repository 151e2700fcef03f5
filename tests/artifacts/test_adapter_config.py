from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapterkit.artifacts import measure, parse_adapter_config
from adapterkit.errors import ArtifactError
from artifacts.samples import lora_config, lora_tensors, write_adapter


def parse(**changes: Any) -> Any:
    return parse_adapter_config(json.dumps(lora_config(**changes)).encode())


@pytest.mark.parametrize(
    ("flags", "variant"),
    [
        ({}, "lora"),
        ({"use_rslora": True}, "rslora"),
        ({"use_dora": True}, "dora"),
        ({"use_rslora": True, "use_dora": True}, "rsdora"),
    ],
)
def test_what_peft_writes_is_accepted(
    tiny_base_dir: Path, tmp_path: Path, flags: dict[str, bool], variant: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        base = AutoModelForCausalLM.from_pretrained(tiny_base_dir)
        config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", **flags)
        model = get_peft_model(base, config)
        model.save_pretrained(tmp_path)
    measured = measure(tmp_path)
    assert measured.problems == ()
    assert measured.shape.variant == variant
    assert measured.shape.parameters == sum(p.numel() for n, p in model.named_parameters() if "lora_" in n)
    assert measured.shape.bytes == 4 * measured.shape.parameters
    assert measured.shape.targets == tuple(
        sorted(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("peft_type", "IA3"),
        ("task_type", "SEQ_CLS"),
        ("r", 0),
        ("r", 1025),
        ("r", 8.0),
        ("r", True),
        ("r", "8"),
        ("r", 10**40),
        ("lora_alpha", 0),
        ("lora_alpha", -1),
        ("lora_alpha", 10**400),
        ("lora_alpha", "8"),
        ("lora_alpha", None),
        ("rank_pattern", {"q_proj": 5000}),
        ("rank_pattern", {"q_proj": 2.5}),
        ("rank_pattern", {"(a+)+": 4}),
        ("rank_pattern", ["q_proj"]),
        ("alpha_pattern", {"q_proj": 0}),
        ("alpha_pattern", {"q_proj": 1e300}),
        ("target_modules", "all-linear"),
        ("target_modules", ".*"),
        ("target_modules", []),
        ("target_modules", ["(a+)+$"]),
        ("target_modules", [1]),
        ("lora_dropout", 1.0),
        ("lora_dropout", -0.1),
        ("bias", "all"),
        ("init_lora_weights", "pissa"),
        ("init_lora_weights", "olora"),
        ("init_lora_weights", 1),
        ("auto_mapping", {"base_model_class": "os", "parent_library": "os"}),
        ("megatron_config", {"a": 1}),
        ("megatron_core", "os.path"),
        ("layer_replication", [[0, 400]]),
        ("layers_to_transform", [0]),
        ("modules_to_save", ["lm_head"]),
        ("trainable_token_indices", [1, 2]),
        ("target_parameters", ["experts.w"]),
        ("alora_invocation_tokens", [1]),
        ("lora_bias", True),
        ("use_qalora", True),
        ("loftq_config", {"loftq_bits": 4}),
        ("eva_config", {"rho": 2.0}),
        ("use_dora", "yes"),
        ("base_model_name_or_path", 5),
    ],
)
def test_what_plain_lora_does_not_write_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(ArtifactError, match=f"'{key}' is .*and must be"):
        parse(**{key: value})


def test_an_unknown_key_is_refused_by_name() -> None:
    with pytest.raises(ArtifactError, match="'surprise' is unknown"):
        parse(surprise=1)


def test_every_problem_is_listed() -> None:
    with pytest.raises(ArtifactError, match="1 more") as caught:
        parse(r=0, bias="all")
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("key", ["peft_type", "r", "lora_alpha", "target_modules"])
def test_a_needed_key_may_not_be_missing(key: str) -> None:
    plain = {name: value for name, value in lora_config().items() if name != key}
    with pytest.raises(ArtifactError, match=f"'{key}' is missing"):
        parse_adapter_config(json.dumps(plain).encode())


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_an_alpha_that_is_not_finite_is_refused(text: str) -> None:
    data = json.dumps(lora_config(lora_alpha=0)).replace('"lora_alpha": 0', f'"lora_alpha": {text}').encode()
    with pytest.raises(ArtifactError, match="not a finite number"):
        parse_adapter_config(data)


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"r": 1024}, r"lora_A.weight has shape \[4, 64\], and rank 1024"),
        ({"target_modules": ["q_proj"]}, "v_proj is not among target_modules"),
        ({"target_modules": ["q_proj", "v_proj", "k_proj"]}, "no weights for the target 'k_proj'"),
        ({"rank_pattern": {"q_proj": 8}}, r"q_proj.lora_B.weight has shape \[64, 4\], and rank 8"),
        ({"rank_pattern": {"o_proj": 4}}, "'o_proj' names no layer"),
        ({"alpha_pattern": {"o_proj": 4}}, "'o_proj' names no layer"),
        ({"alpha_pattern": {"q_proj": 4, "layers.0.self_attn.q_proj": 8}}, "more than one pattern"),
        ({"use_dora": True}, "lora_magnitude_vector"),
    ],
)
def test_tensors_must_be_those_of_the_config(tmp_path: Path, config: dict[str, Any], match: str) -> None:
    assert re.search(match, "\n".join(map(str, measure(write_adapter(tmp_path, **config)).problems)))


def test_strange_tensors_are_refused(tmp_path: Path) -> None:
    tensors = lora_tensors()
    module = "base_model.model.model.layers.0.self_attn.q_proj"
    tensors["base_model.model.lm_head.weight"] = tensors[f"{module}.lora_A.weight"]
    tensors[f"{module}.lora_B.weight"] = tensors[f"{module}.lora_B.weight"].astype("int32")
    del tensors[f"{module}.lora_A.weight"]
    first, second, third = sorted(map(str, measure(write_adapter(tmp_path, tensors=tensors)).problems))
    assert "lm_head.weight is not a LoRA tensor" in first
    assert "is I32, not a float" in second
    assert "lacks ['lora_A.weight']" in third


@pytest.mark.parametrize(
    ("part", "shape", "asked"), [("lora_A", (4, 0), "[4, inputs]"), ("lora_B", (0, 4), "[outputs, 4]")]
)
def test_a_layer_without_inputs_or_outputs_is_refused(
    tmp_path: Path, part: str, shape: tuple[int, int], asked: str
) -> None:
    name = f"base_model.model.model.layers.0.self_attn.q_proj.{part}.weight"
    tensors = lora_tensors() | {name: np.zeros(shape, np.float32)}
    told = "\n".join(map(str, measure(write_adapter(tmp_path, tensors=tensors)).problems))
    assert f"{name.removeprefix('base_model.model.')} has shape {list(shape)}, and rank 4 asks for {asked}" in told


def test_a_rank_pattern_with_fitting_shapes_is_accepted(tmp_path: Path) -> None:
    tensors = lora_tensors()
    wide = {name: tensor for name, tensor in lora_tensors(rank=8).items() if "q_proj" in name}
    folder = write_adapter(tmp_path, tensors={**tensors, **wide}, rank_pattern={"q_proj": 8})
    assert measure(folder).problems == ()
