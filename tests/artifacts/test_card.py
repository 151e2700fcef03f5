from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from adapterkit.base.fingerprint import fingerprint
from adapterkit.base.load import identify, load_base
from adapterkit.config.groups import quantization_named
from adapterkit.config.schema import ModelConfig
from adapterkit.manifest import BaseRecord
from adapterkit.registry import Published, Registry
from artifacts.samples import IDENTITY, draft_of, lora_tensors, write_adapter


@pytest.fixture
def family(tmp_path: Path, registry: Registry, tiny_base_dir: Path) -> tuple[Published, Published]:
    """A parent and a child with a dot in its name, published for the tiny base."""
    place = {"base_location": str(tiny_base_dir)}
    parent = registry.publish(draft_of(write_adapter(tmp_path / "p"), **place))
    child = registry.publish(
        draft_of(
            write_adapter(tmp_path / "c", tensors=lora_tensors(seed=1)),
            name="persona_lincoln.r4",
            parents=parent.manifest.lineage.members,
            description="Speaks as Lincoln.",
            tags=("persona",),
            **place,
        )
    )
    return parent, child


def card_of(published: Published) -> str:
    return (published.path / "README.md").read_text(encoding="utf-8")


def peft_block(published: Published) -> str:
    blocks = re.findall(r"^```python\n(.*?)^```$", card_of(published), re.S | re.M)
    (block,) = [found for found in blocks if "from peft import" in found]
    return str(block)


def run_block(published: Published) -> dict[str, Any]:
    """Run the card's plain-PEFT block as it stands, but for a shorter answer."""
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(peft_block(published).replace("max_new_tokens=100", "max_new_tokens=2"), names)
    return names


def test_the_block_for_plain_peft_runs_the_whole_stack(family: tuple[Published, Published]) -> None:
    import torch

    parent, child = family
    names = run_block(child)
    model = names["model"]
    assert list(model.base_model.active_adapters) == ["0_unified", "1_persona_lincoln_r4"]
    assert not [name for name, parameter in model.named_parameters() if parameter.requires_grad]

    tokens = torch.arange(10)[None]
    with torch.no_grad():
        stacked = model(input_ids=tokens).logits
        model.base_model.set_adapter("1_persona_lincoln_r4", inference_mode=True)
        alone = model(input_ids=tokens).logits
    assert not torch.allclose(stacked, alone, atol=1e-3)
    layer = model.base_model.model.model.layers[1].self_attn.v_proj
    for position, member in enumerate((parent, child)):
        written = lora_tensors(seed=position)["base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight"]
        assert (layer.lora_B[f"{position}_{member.manifest.name.replace('.', '_')}"].weight.numpy() == written).all()


def test_the_block_of_an_adapter_without_parents_runs(family: tuple[Published, Published]) -> None:
    parent, _ = family
    assert "set_adapter" not in peft_block(parent)
    assert list(run_block(parent)["model"].base_model.active_adapters) == ["0_unified"]


def test_the_card_says_what_it_must(family: tuple[Published, Published]) -> None:
    parent, child = family
    card = card_of(child)
    front = yaml.safe_load(card.split("---")[1])
    assert front == {"base_model": "tiny/base", "library_name": "peft", "tags": ["adapterkit", "lora", "persona"]}
    assert "silently another model" in " ".join(card.split())
    assert "silently another model" not in " ".join(card_of(parent).split())
    assert 'adapterkit.load("persona_lincoln.r4@1.0.0", registry=' in card
    assert "Speaks as Lincoln." in card
    assert "| eval_loss | 2.25 |" in card
    assert IDENTITY.source_digest in card
    assert all(member.weights_digest in card for member in child.manifest.lineage.members)


def test_what_it_is_for_and_fields_of_ones_own_stand_in_the_card(tmp_path: Path, registry: Registry) -> None:
    told = {"intended_use": "Reviews.", "custom": {"team": "a|b\nc", "draft": False, "none": None}}
    card = card_of(registry.publish(draft_of(write_adapter(tmp_path / "raw"), **told)))
    assert "\n**Intended use:** Reviews.\n" in card
    assert "\n| field | value |\n|---|---|\n| draft | false |\n| none | null |\n| team | a\\|b c |\n" in card


@pytest.mark.parametrize("held", ["nf4", "int8"])
def test_the_lines_that_hold_the_base_as_in_training_hold_that_very_base(
    tmp_path: Path, registry: Registry, tiny_base_dir: Path, held: str
) -> None:
    quantization = quantization_named(held)
    identity, path = identify(ModelConfig(id=str(tiny_base_dir)), quantization)
    base = BaseRecord(identity, "b" * 64, "b" * 64, 20)
    published = registry.publish(draft_of(write_adapter(tmp_path / "raw"), base=base, base_location=str(tiny_base_dir)))
    held_lines = re.findall(r"^```python\n(from transformers import B.*?)^```$", card_of(published), re.S | re.M)[0]
    (line,) = [line for line in peft_block(published).splitlines() if line.startswith("base = ")]
    names: dict[str, Any] = {}
    exec(peft_block(published).replace(line, held_lines).replace("max_new_tokens=100", "max_new_tokens=2"), names)
    ours = load_base(identity, path, quantization, device=torch.device("cpu"))
    fingerprint(ours.model).require_equal(fingerprint(names["model"]))


@pytest.mark.parametrize("text", ['a"b', "a\\b", "a\nb", "```", "é"])
def test_texts_from_outside_stay_texts(tmp_path: Path, registry: Registry, text: str) -> None:
    published = registry.publish(
        draft_of(write_adapter(tmp_path / "raw"), base_location=text, tags=(text,), metrics={"a|b\nc": 1.0})
    )
    compile(peft_block(published), "card", "exec")
    assert yaml.safe_load(card_of(published).split("\n---\n")[0])["tags"][-1] == text
    assert "| a\\|b c | 1 |" in card_of(published)


def test_a_card_says_that_a_run_went_on_from_earlier_weights(
    family: tuple[Published, Published], registry: Registry, tmp_path: Path
) -> None:
    before = family[0].manifest.weights_digest
    draft = draft_of(write_adapter(tmp_path / "next", tensors=lora_tensors(seed=2)), started_from=before)
    assert f"went on from the weights of an earlier version of `unified` (weights digest `{before[:12]}`)" in card_of(
        registry.publish(draft)
    )
    assert "went on from" not in card_of(family[0])
