"""What names a secret in a draft is redacted; what names the adapter and how it is asked for again stays."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from adapterkit.artifacts import without_secrets
from adapterkit.manifest import RecipeRecord
from artifacts.samples import draft_of

RECIPE = RecipeRecord(
    "unified", ("hub.token=hunter2hunter2", "seed=3"), "https://me:hunter2hunter2@host/x", {"train": "a" * 64},
    None, "b" * 64, "c" * 64, "https://me:hunter2hunter2@host/who", 4,
)  # fmt: skip


def test_a_recipe_is_redacted_where_it_may_hold_what_somebody_typed(tmp_path: Path) -> None:
    draft = draft_of(tmp_path, recipe=RECIPE)
    clean = without_secrets(draft)
    assert clean.recipe == dataclasses.replace(
        RECIPE,
        overrides=("hub.token=<redacted>", "seed=3"),
        config_dir="https://<redacted>@host/x",
        persona="https://<redacted>@host/who",
    )
    assert without_secrets(clean) == clean


@pytest.mark.parametrize("recipe", [None, dataclasses.replace(RECIPE, overrides=(), config_dir=None, persona=None)])
def test_what_holds_none_stays_as_it_is(tmp_path: Path, recipe: RecipeRecord | None) -> None:
    draft = draft_of(tmp_path, recipe=recipe)
    assert without_secrets(draft) == draft
