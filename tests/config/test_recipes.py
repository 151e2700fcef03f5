"""The recipes of personas, the sweep over the presidents with the most to learn from, and the recipes of merges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser

from adapterkit.config.compose import compose_command, compose_merge, composing
from adapterkit.config.locate import config_root
from adapterkit.config.schema import DataConfig
from adapterkit.data import list_personas, read_splits
from adapterkit.merging.asked import checked
from adapterkit.workflows.merge_plan import options_of


def composed(*words: str) -> Any:
    with composing():
        return compose_command(words)[0]


def swept(recipe: str) -> list[str]:
    """The values of persona that Hydra's sweeper would go through."""
    with composing():
        config = compose("train", [f"+recipe={recipe}", "+sweep=personas"], return_hydra_config=True)
    words = [f"{key}={value}" for key, value in config.hydra.sweeper.params.items()]
    (override,) = OverridesParser.create().parse_overrides(words)
    assert override.key_or_group == "persona"
    assert override.is_sweep_override()
    return list(override.sweep_string_iterator())


def test_a_standalone_persona_is_the_persona_without_its_parent() -> None:
    alone, on_unified = (composed(f"+recipe=persona_{kind}", "persona=reagan") for kind in ("standalone", "on_unified"))
    assert (alone.name, on_unified.name) == ("standalone_reagan", "persona_reagan")
    assert (alone.parent, alone.parent_recipe) == (None, None)
    assert (alone.persona, alone.data, alone.trainer) == (on_unified.persona, on_unified.data, on_unified.trainer)
    assert (alone.adapter, alone.seed, alone.model) == (on_unified.adapter, on_unified.seed, on_unified.model)


@pytest.mark.parametrize("recipe", [pytest.param("persona_standalone", marks=pytest.mark.long), "persona_on_unified"])
def test_the_sweep_composes_one_job_a_president(recipe: str) -> None:
    personas = swept(recipe)
    names = [composed(f"+recipe={recipe}", "+sweep=personas", f"persona={persona}").name for persona in personas]
    assert len(set(names)) == len(personas) == 24


def test_the_sweep_takes_those_with_the_most_paragraphs_to_train_on() -> None:
    data = DataConfig(reader="presidents", train="auto", validation="auto", test="auto", prompt="Speak.")
    names = [name for name in list_personas(data) if name != "cleveland-24"]
    rows = {name: len(read_splits(data, name).train) for name in names}
    most = sorted(rows, key=lambda name: (-rows[name], name))[:24]
    assert swept("persona_standalone") == sorted(most)


TRAININGS = sorted((config_root() / "recipes" / "recipe").glob("*.yaml"))
MERGES = sorted((config_root() / "recipes" / "merge").glob("*.yaml"))


def test_there_are_recipes_of_merges() -> None:
    assert {file.stem for file in MERGES} >= {"coder_security", "all_tasks", "two_voices", "unlearn_reviewer"}


@pytest.mark.parametrize("file", MERGES, ids=lambda file: file.stem)
def test_a_recipe_of_a_merge_asks_for_what_can_be_made(file: Path) -> None:
    lines = file.read_text("utf-8").splitlines()
    assert lines[:2] == ["# @package _global_", f"# python -m adapterkit.merge +merge={file.stem}"]
    with composing():
        config = compose_merge([f"+merge={file.stem}"])
    assert config.name == file.stem
    assert config.description
    checked(options_of(config), len(config.adapters))
    # Every source is what a recipe of a training publishes, by the command that the comment names.
    known = {composed(f"+recipe={recipe.stem}").name for recipe in TRAININGS if recipe.stem.startswith("task_")}
    known |= {composed("+recipe=persona_on_unified", f"persona={who}").name for who in ("lincoln", "reagan")}
    assert set(config.adapters) <= known
    for recipe in {"persona_on_unified"} if "persona" in config.tags else config.adapters:
        assert recipe in "".join(lines[2:5])
