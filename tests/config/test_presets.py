"""Every preset says what it is meant to say, in the shell and in Python; what a command says goes before it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import adapterkit
from adapterkit import presets
from adapterkit.config.checks import check_values
from adapterkit.config.groups import purpose_of
from adapterkit.config.locate import config_root
from adapterkit.config.schema import AdapterConfig, TrainConfig
from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.training.arguments import exact_steps
from adapterkit.training.run_key import settings_digest

ALL = "all-linear"
# rank, alpha, dropout, targets, epochs, learning rate, steps at most, MB at most
ADAPTERS: dict[str, tuple[Any, ...]] = {
    "default": (8, 16, 0.0, ALL, 1, 3e-4, 1000, 10),
    "low_rank": (4, 8, 0.0, ALL, 1, 3e-4, None, 10),
    "high_rank": (16, 32, 0.0, ALL, 1, 3e-4, None, 20),
    "unified": (16, 32, 0.0, ALL, 1, 3e-4, None, 20),
    "persona": (8, 16, 0.2, ALL, 1, 3e-4, None, 10),
    "parent": (16, 32, 0.0, ALL, 15, 3e-4, None, 20),
    "child": (8, 16, 0.0, ALL, 8, 3e-4, None, 10),
    "coder": (16, 32, 0.0, ["q", "k", "v", "o"], 1, 3e-4, None, 10),
    "researcher": (8, 16, 0.0, ["q", "k", "v"], 1, 3e-4, None, 10),
    "security": (16, 32, 0.0, ["attention", "mlp"], 1, 3e-4, None, 20),
    "architect": (12, 24, 0.0, ["q", "v", "gate", "up"], 1, 3e-4, None, 10),
    "reviewer": (8, 16, 0.0, ["q", "v"], 1, 3e-4, None, 10),
}
TASKS = ("coder", "researcher", "security", "architect", "reviewer")
# epochs, learning rate, batch size, with adapter=parent
TRAINERS: dict[str, tuple[Any, ...]] = {
    "default": (15, 3e-4, 8),
    "quick": (1, 5e-3, 8),
    "stable": (5, 5e-4, 8),
    "fast": (1, 3e-4, 8),
    "thorough": (3, 3e-4, 4),
    "persona": (3, 3e-4, 8),
    "persona_full": (5, 1e-4, 8),
    "unified_full": (10, 3e-4, 8),
    "style": (3, 5e-4, 8),
}
# The digests of what the recipes ask for under training schema 5, from before there were presets to choose from.
UNIFIED = "63bb01081d38cc2908ef3bb71705c421c93e2bbf61bdf001dcbdf23355b0b38b"
PERSONA = "3170171ebfbcf022ae6d8e851970b6df850d3188681f35d267907e474af98979"


def composed(*words: str, recipe: str | None = None) -> TrainConfig:
    return presets.compose(recipe, overrides=words).config


def test_every_preset_is_tried_here() -> None:
    assert {each.name for each in presets.adapters()} == set(ADAPTERS)
    assert {each.name for each in presets.trainers()} >= set(TRAINERS)


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_an_adapter_preset_is_what_it_is_meant_to_be(name: str) -> None:
    config = composed(f"adapter={name}", "trainer=default")
    check_values(config)
    shape, trainer = config.adapter, config.trainer
    assert (
        shape.r, shape.lora_alpha, shape.lora_dropout, shape.target_modules, trainer.epochs, trainer.learning_rate,
        trainer.step_limit, shape.max_artifact_mb,
    ) == ADAPTERS[name]  # fmt: skip
    assert (trainer.max_steps, trainer.batch_size, shape.use_dora, shape.use_rslora) == (-1, 8, False, False)
    assert config.intended_use
    assert config.tags == ([name] if name in TASKS else [])


@pytest.mark.parametrize("name", sorted(TRAINERS))
def test_a_trainer_preset_is_what_it_is_meant_to_be(name: str) -> None:
    trainer = composed("adapter=parent", f"trainer={name}").trainer
    assert (trainer.epochs, trainer.learning_rate, trainer.batch_size) == TRAINERS[name]
    assert (trainer.max_steps, trainer.step_limit) == (-1, None)


@pytest.mark.parametrize("group", ["adapter", "trainer"])
def test_every_file_begins_with_what_it_is_for(group: str) -> None:
    for file in (config_root() / "conf" / group).glob("*.yaml"):
        assert len(purpose_of(file)) > 20, file


def test_what_a_command_says_goes_before_what_a_preset_proposes() -> None:
    assert composed("adapter=parent").trainer.epochs == 15
    assert composed("adapter=parent", "trainer.epochs=3").trainer.epochs == 3
    assert composed("trainer.epochs=3", "adapter=parent").trainer.epochs == 3
    assert composed("adapter=parent", "adapter.epochs=4").trainer.epochs == 4
    assert composed("adapter=parent", "trainer=stable").trainer.epochs == 5
    assert composed("trainer.learning_rate=1", "trainer.step_limit=null").trainer.learning_rate == 1
    assert composed("trainer.step_limit=null").trainer.step_limit is None
    assert composed("adapter=coder", "tags=[mine]", "intended_use=Mine").tags == ["mine"]
    assert composed("adapter=coder", "intended_use=Mine").intended_use == "Mine"


def test_the_recipes_train_what_they_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapterkit.training.run_key.TRAINING_SCHEMA", 5)
    unified = composed(recipe="unified")
    assert (unified.adapter.r, unified.adapter.lora_alpha, unified.adapter.lora_dropout) == (16, 32, 0.0)
    assert (unified.adapter.target_modules, unified.trainer.epochs, unified.trainer.learning_rate) == (ALL, 1, 3e-4)
    assert settings_digest(unified) == UNIFIED
    assert settings_digest(composed(recipe="persona_on_unified")) == PERSONA


@pytest.mark.parametrize(
    ("limit", "max_steps", "epochs", "taken"),
    [
        (None, -1, 1.0, -1), (1000, -1, 1.0, -1), (10, -1, 1.0, -1), (9, -1, 1.0, 9), (10, -1, 1.01, 10),
        (5, 20, 1.0, 20), (50, 20, 1.0, 20), (None, 20, 1.0, 20),
    ],
)  # fmt: skip
def test_a_limit_only_ever_shortens_a_training(limit: int | None, max_steps: int, epochs: float, taken: int) -> None:
    trainer = dataclasses.replace(composed().trainer, step_limit=limit, max_steps=max_steps, epochs=epochs)
    assert exact_steps(trainer, 10) == taken


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_a_preset_in_python_is_the_one_of_the_file(name: str) -> None:
    preset = adapterkit.presets.adapter(name)
    shell = composed(f"adapter={name}")
    assert preset.overrides() == [f"adapter={name}"]
    assert presets.compose(adapter=preset).config.adapter == shell.adapter
    assert (preset.epochs, preset.intended_use, list(preset.tags)) == (
        shell.trainer.epochs, shell.intended_use, shell.tags,
    )  # fmt: skip
    with pytest.raises(dataclasses.FrozenInstanceError):
        preset.r = 5  # type: ignore[misc]


def test_python_can_vary_all_that_a_file_can_say() -> None:
    said = {field.name for field in dataclasses.fields(AdapterConfig)}
    assert {field.name for field in dataclasses.fields(presets.AdapterPreset)} == said | {"name"}


def test_a_varied_preset_is_the_command_that_says_the_same() -> None:
    coder = dataclasses.replace(
        presets.adapter("coder"), r=32, lora_alpha=64.0, target_modules=("q", "o_proj"), tags=("it's",), epochs=2.5
    )
    long = dataclasses.replace(presets.trainer("quick"), epochs=None, batch_size=2)
    found = presets.compose("unified", adapter=coder, trainer=long, overrides=["name=coder_r32"])
    config = found.config
    assert (config.adapter.r, config.adapter.lora_alpha, config.adapter.target_modules) == (32, 64.0, ["q", "o_proj"])
    assert (config.trainer.epochs, config.trainer.learning_rate, config.trainer.batch_size) == (2.5, 5e-3, 2)
    assert config.adapter.tags == ["it's"]
    assert config.output_dir.startswith("outputs/coder_r32/")
    again = presets.compose(found.asked.recipe, overrides=found.asked.overrides).config
    assert dataclasses.replace(again, output_dir="") == dataclasses.replace(config, output_dir="")
    assert {"adapter/coder", "trainer/quick", "recipe/unified"} <= set(found.asked.sources)


def test_a_file_that_proposes_nothing_is_trained_as_before(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "mine.yaml").write_text("r: 3\nlora_alpha: 6\n")
    config = presets.compose(adapter="mine", config_dir=str(tmp_path)).config
    assert (config.adapter.r, config.trainer.epochs, config.trainer.learning_rate) == (3, 1, 3e-4)
    assert (config.trainer.step_limit, config.intended_use, config.tags) == (None, "", [])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (lambda: presets.adapter("codr"), "Unknown adapter preset 'codr'. Did you mean coder"),
        (lambda: presets.trainer("thorogh"), "Unknown trainer preset 'thorogh'. Did you mean thorough"),
        (lambda: presets.compose(adapter="codr"), r"(?s)adapter/codr.*coder"),
        (lambda: presets.compose(overrides=["trainer.epoch=1"]), "epoch"),
        (lambda: presets.compose("unifed"), "unifed"),
        (lambda: presets.compose(overrides="name=x"), r"(?s)overrides='name=x' cannot be used: .*\['name=x'"),
        (lambda: presets.compose(overrides=[3]), r"overrides=\[3\] cannot be used"),  # type: ignore[list-item]
        (lambda: presets.compose(overrides=3), "overrides=3 cannot be used"),  # type: ignore[arg-type]
        (lambda: presets.compose(adapter=3), r"adapter=3 is no adapter preset.*presets\.adapter\(NAME\)"),  # type: ignore[arg-type]
        (lambda: presets.compose(trainer=presets.adapter("coder")), "trainer=AdapterPreset.*is no trainer preset"),  # type: ignore[arg-type]
        (lambda: presets.compose(config_dir="no/such"), "There is no folder no/such"),
        (lambda: dataclasses.replace(presets.adapter("coder"), name="mine").overrides(), "Unknown adapter preset"),
    ],
)
def test_what_is_misspelt_is_said_and_what_there_is(asked: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asked()


def test_a_misspelt_preset_carries_its_facts() -> None:
    with pytest.raises(UnknownNameError) as refused:
        presets.adapter("resercher")
    assert (refused.value.kind, refused.value.nearest[0]) == ("adapter preset", "researcher")


def test_a_preset_that_sets_more_than_its_group_shows_its_training() -> None:
    shown, taken = presets.trainer("incremental"), composed("trainer=incremental")
    assert (shown.epochs, shown.learning_rate) == (taken.trainer.epochs, taken.trainer.learning_rate) == (1, 1e-4)
    assert taken.incremental
