"""The recipes of a family of styles: a child names its parent, and the parent is trained on all styles."""

from __future__ import annotations

import pytest

from adapterkit import presets
from adapterkit.config.checks import check_values
from adapterkit.config.compose import compose_command, compose_recipe, composing
from adapterkit.config.schema import TrainConfig
from adapterkit.errors import MissingKeyError


def composed(recipe: str, *words: str) -> TrainConfig:
    config = presets.compose(recipe, overrides=words).config
    check_values(config)
    return config


def test_a_child_stands_on_the_parent_of_its_family() -> None:
    child, parent = composed("style_child"), composed("style_parent")
    assert (child.name, child.parent, child.parent_recipe) == ("style_reel", parent.name, "style_parent")
    assert (child.data.reader, child.data.style, parent.data.style) == ("session_dance", "reel", None)
    assert (child.adapter.r, parent.adapter.r) == (8, 16)
    assert composed("style_child", "data.style=slip_jig").name == "style_slip_jig"


def test_in_full_both_train_as_long_as_their_presets_say() -> None:
    words = ("trainer=default", "data.max_train_rows=null")
    assert [composed(recipe, *words).trainer.epochs for recipe in ("style_parent", "style_child")] == [15, 8]


def test_a_parent_trained_on_the_way_is_the_parent_of_every_child() -> None:
    with composing():
        parents = []
        for style, augment in (("reel", "[]"), ("jig", "[transpose]")):
            words = ["+recipe=style_child", f"data.style={style}", f"data.augment={augment}", "data.prompt=Play."]
            child, asked = compose_command(words)
            parent = compose_recipe("style_parent", child, asked)
            assert parent is not None
            parents.append(parent[0])
    assert parents[0].data == parents[1].data
    assert (parents[0].data.style, parents[0].data.augment, parents[0].data.prompt) == (None, [], "Play.")
    assert parents[0].data.max_train_rows == composed("style_parent").data.max_train_rows


@pytest.mark.parametrize(
    ("folder", "parent"),
    [("packs/pop", "style_pop"), ("'/a/My Rock!/'", "style_my_rock"), ("null", "style_pack"), ("/", "style_pack")],
)
def test_the_parent_of_ones_own_pack_is_called_after_its_folder(folder: str, parent: str) -> None:
    assert composed("style_parent", "data=style_pack", f"data.train={folder}").name == parent


def test_a_child_of_ones_own_pack_is_asked_which() -> None:
    words = ("data=style_pack", "data.train=packs/pop", "data.style=dance_pop")
    child = composed("style_child", *words)
    assert (child.name, child.parent, child.data.reader) == ("style_dance_pop", "style_pop", "style_pack")
    assert composed("style_child", *words, "parent=other").parent == "other"
    with pytest.raises(MissingKeyError, match=r"data\.style"):
        composed("style_child", *words[:2], "data.style=null")
