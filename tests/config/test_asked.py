"""What a command asked for survives being recorded and composed again, whatever letters are in it."""

from __future__ import annotations

import contextlib
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from adapterkit.config.asked import Asked, asked_for, leaf_overrides, quoted
from adapterkit.config.compose import compose_asked, compose_recipe, composing
from adapterkit.config.schema import TrainConfig
from adapterkit.errors import MissingKeyError
from adapterkit.manifest import RecipeRecord
from adapterkit.workflows.present import asked_of

ODD = "'\"\\,{}[]()$:=%~@!?*#&;|<> \t\näß語🙂a1"
texts = st.text(st.sampled_from(ODD)) | st.text(st.characters(exclude_categories=["Cs"]))
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = leaves | st.lists(leaves, max_size=4)


def composed(override: str) -> Any:
    """The value of `key` as Hydra makes it of one override, interpolations resolved."""
    (parsed,) = OverridesParser.create().parse_overrides([override])
    assert not parsed.is_sweep_override()
    config = OmegaConf.create({"key": None})
    OmegaConf.update(config, parsed.key_or_group, parsed.value(), merge=True)
    return OmegaConf.to_container(config, resolve=True)["key"]


@given(values)
@example("${oc.env:HOME}")
@example("\\${a}")
@example("a\\\\${a}\\")
@example("\\")
@example("it's \\'")
@example("${")
@example("$${a}")
@example("null")
@example("1e5")
@example("")
def test_every_value_comes_back(value: Any) -> None:
    found = composed(f"key={quoted(value)}")
    assert found == value
    assert type(found) is type(value)


@given(texts)
def test_what_is_recorded_is_asked_again(text: str) -> None:
    overrides = (f"description={quoted(text)}", f"+tags=[{quoted(text)}]")
    asked = asked_for(overrides, ())
    record = RecipeRecord(asked.recipe, asked.overrides, None, {}, None, "a" * 64, "b" * 64, None, 4)
    assert asked_of(record).command == list(overrides)


# A text of each kind in a key of its own that a child and its parent share: composing takes long.
TEXTS = {
    "data.train": 'it\'s "so"',
    "data.validation": "back\\slash\\",
    "data.test": "a,b{c}[d]=e",
    "data.prompt": "two\nlines",
    "data.system": "${oc.env:HOME} \\${x}",
    "data.install": "x=y",
    "model.id": "語 🙂",
    "model.revision": " ",
    "model.install": "50%",
}
AS_OVERRIDES = tuple(f"{key}={quoted(text)}" for key, text in TEXTS.items())


def texts_in(config: TrainConfig) -> dict[str, str]:
    return {key: attrgetter(key)(config) for key in TEXTS}


def test_texts_come_back_through_a_whole_composition() -> None:
    whole = "".join(TEXTS.values())
    with composing():
        config = compose_asked(Asked("unified", (*AS_OVERRIDES, f"description={quoted(whole)}"))).config
    assert texts_in(config) == TEXTS
    assert config.description == whole


def test_texts_come_back_through_a_parent_trained_on_the_way() -> None:
    with composing():
        child = compose_asked(Asked("persona_on_unified", ("persona=ann", *AS_OVERRIDES))).config
        child.output_dir = "outputs/persona_ann/now"
        parent, asked = compose_recipe("unified", child, Asked()) or (None, None)
        assert parent is not None
        assert asked is not None
        assert texts_in(compose_asked(asked).config) == texts_in(parent) == TEXTS


@pytest.mark.parametrize(
    "name",
    ["my confs", "it's", 'say "x"', "a=b", "50%20", "語", "a,b", "{c}", "[d]", "$HOME", "${x}", "back\\slash", "e:f"],
)
@pytest.mark.parametrize("absolute", [True, False])
def test_a_folder_of_configs_may_bear_any_name(name: str, absolute: bool, tmp_path: Path) -> None:
    folder = tmp_path / name / "recipe"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("# @package _global_\nname: my_own\n")
    where = str(folder.parent) if absolute else name
    with contextlib.chdir(tmp_path), composing():
        found = compose_asked(Asked("mine", (), where))
    assert found.config.name == "my_own"
    assert found.asked.config_dir == where
    assert "recipe/mine" in found.asked.sources


def test_leaf_overrides_name_what_differs() -> None:
    assert leaf_overrides({"a": {"b": "it's", "c": 1}}, {"a": {"b": None, "c": 1}}) == ["a.b='it\\'s'"]


@pytest.mark.parametrize("name", ["child_${persona}", "x_${as_name:${persona}}", "a${data.voice}", "a${.data.voice}b"])
def test_a_name_is_never_made_of_a_null(name: str, tmp_path: Path) -> None:
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "mine.yaml").write_text(
        f"# @package _global_\ndefaults:\n  - override /data: chat\nname: {name}\n"
    )
    key = "data.voice" if "voice" in name else "persona"
    with composing():
        with pytest.raises(MissingKeyError, match=rf"needs {key}, which is null: say it with {key}=") as refused:
            compose_asked(Asked("mine", (), str(tmp_path)))
        assert refused.value.key == key
        assert compose_asked(Asked("mine", (f"{key}=ann",), str(tmp_path))).config.name.strip("b").endswith("ann")
