"""Presets through the whole story: what is adapted, what is recorded, what is told of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

import adapterkit
from adapterkit import presets
from adapterkit.config.checks import check_values
from adapterkit.config.redaction import REDACTED
from adapterkit.config.told import check_told
from adapterkit.errors import UsageError
from adapterkit.manifest import ADAPTER_CONFIG_FILE, CARD_FILE
from adapterkit.registry import Registry
from tests.driving import door, printed
from tests.workflows.project import Project

ATTENTION, MLP = ["k_proj", "o_proj", "q_proj", "v_proj"], ["down_proj", "gate_proj", "up_proj"]
TARGETS = {
    "coder": ATTENTION,
    "researcher": ["k_proj", "q_proj", "v_proj"],
    "security": sorted(ATTENTION + MLP),
    "architect": ["gate_proj", "q_proj", "up_proj", "v_proj"],
    "reviewer": ["q_proj", "v_proj"],
}


@pytest.fixture
def begun(tmp_path: Path, tiny_base_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADAPTERKIT_CACHE", str(tmp_path / "cache"))
    return Project.begun(tmp_path, tiny_base_dir)


@pytest.mark.long
def test_each_preset_is_trained_on_exactly_its_layers(begun: Project) -> None:
    for preset in presets.adapters():
        words = [f"name={preset.name}", "trainer.max_steps=1"]
        done = adapterkit.train_recipe("family", adapter=preset, overrides=words, config_dir="mine")
        manifest, plain = done.artifact.manifest, json.loads((done.artifact.path / ADAPTER_CONFIG_FILE).read_bytes())
        wanted = TARGETS.get(preset.name, sorted(ATTENTION + MLP))
        assert list(manifest.adapter.targets) == wanted
        if preset.target_modules != "all-linear":  # Of those, PEFT lists every layer of so small a model.
            assert plain["target_modules"] == wanted
        assert (manifest.adapter.rank, manifest.adapter.alpha) == (preset.r, preset.lora_alpha)
        assert plain["lora_dropout"] == preset.lora_dropout
        assert manifest.intended_use == preset.intended_use
        assert manifest.tags == preset.tags
    assert all(begun.registry.verify(name).ok for name in begun.registry.names())
    assert begun.all_fresh()


def test_what_is_said_of_an_adapter_travels_with_it(begun: Project) -> None:
    words = ["+custom.ticket=42", "+custom.team=docs", "+custom.api_key=HUNTER2TWO", "description=A coder."]
    coder = dataclasses.replace(presets.adapter("coder"), intended_use="For docs, with api_key=HUNTER3TWO.")
    done = adapterkit.train_recipe("family", adapter=coder, overrides=[*words, "name=told"], config_dir="mine")
    manifest = begun.registry.manifest("told")
    assert (manifest.description, manifest.tags) == ("A coder.", ("coder",))
    assert manifest.custom == {"ticket": 42, "team": "docs", "api_key": REDACTED}
    assert manifest.intended_use == f"For docs, with api_key={REDACTED}"
    card = (done.artifact.path / CARD_FILE).read_text("utf-8")
    assert "**Intended use:** For docs" in card
    assert "| team | docs |\n| ticket | 42 |" in card
    assert '  - "coder"' in card
    shown = printed("show", "told")
    assert "intended use" in shown
    assert "custom ticket" in shown
    assert json.loads(printed("show", "told", "--json"))["manifest"]["custom"]["team"] == "docs"
    files = [file for file in (*begun.registry.path.rglob("*"), *Path("outputs").rglob("*")) if file.is_file()]
    assert not [file for file in files if b"HUNTER" in file.read_bytes()]


def test_tags_of_a_recipe_and_of_a_preset_come_together(begun: Project) -> None:
    words = ["name=both", "tags=[mine,coder]", "trainer.max_steps=1"]
    done = adapterkit.train_recipe("family", adapter="coder", overrides=words, config_dir="mine")
    assert done.artifact.manifest.tags == ("mine", "coder")
    done = adapterkit.train_recipe("family", adapter="reviewer", overrides=[*words, "name=three"], config_dir="mine")
    assert done.artifact.manifest.tags == ("mine", "coder", "reviewer")


def test_what_is_said_is_no_other_training(begun: Project) -> None:
    first = adapterkit.train_recipe("family", adapter="reviewer", config_dir="mine")
    again = adapterkit.train_recipe(
        "family", adapter="reviewer", overrides=["intended_use=Other", "+custom.x=1", "tags=[y]"], config_dir="mine"
    )
    assert (first.trained, again.trained) == (True, False)


@pytest.mark.long
def test_a_training_from_python_is_known_by_its_command(begun: Project) -> None:
    reviewer = dataclasses.replace(presets.adapter("reviewer"), r=2)
    adapterkit.train_recipe("child", adapter=reviewer, overrides=["persona=ann"], config_dir="mine")
    assert printed("show", "child_ann").count(
        "adapterkit train --config-dir mine +recipe=child adapter=reviewer adapter.r=2 persona=ann"
    )
    assert [str(m.ref) for m in begun.registry.lineage("child_ann").members] == ["unified@1.0.0", "child_ann@1.0.0"]
    begun.set_steps(3)
    begun.run("rebuild")
    assert begun.registry.manifest("child_ann").adapter.rank == 2
    assert begun.all_fresh()


def test_a_role_that_the_base_lacks_stops_before_a_step(begun: Project) -> None:
    with pytest.raises(UsageError, match="no module 'lm_hed'"):
        adapterkit.train_recipe(
            "family", adapter=dataclasses.replace(presets.adapter("coder"), target_modules=("q", "lm_hed")),
            overrides=["name=none"], config_dir="mine",
        )  # fmt: skip
    assert begun.registry.names() == []


def test_a_limit_of_steps_ends_a_training_and_an_epoch_may_end_it_before(begun: Project) -> None:
    words = ["trainer.max_steps=-1", "trainer.batch_size=1", "name=limited"]
    for limit, steps in (("3", 3), ("1000", 4), ("null", 4)):
        done = adapterkit.train_recipe(
            "family", overrides=[*words, f"trainer.step_limit={limit}", "force=true"], config_dir="mine"
        )
        assert done.artifact.manifest.metrics["steps"] == steps


@pytest.mark.long
def test_a_sweep_over_presets_publishes_each_under_its_own_name(tmp_path: Path, tiny_base_dir: Path) -> None:
    Project.begun(tmp_path, tiny_base_dir)
    words = ["--config-dir", "mine", "-m", "+recipe=family", "adapter=low_rank,reviewer", "trainer=quick,fast"]
    done = door(tmp_path, *words, "trainer.max_steps=1", "name=x")
    assert done.returncode == 0, done.stderr
    registry = Registry(tmp_path / "adapters")
    assert registry.names() == ["x.low_rank.fast", "x.low_rank.quick", "x.reviewer.fast", "x.reviewer.quick"]
    assert registry.manifest("x.reviewer.fast").tags == ("reviewer",)


@pytest.mark.parametrize(("word", "said"), [("adapter=codr", "coder"), ("trainer=fats", "fast")])
def test_a_misspelt_preset_is_one_message_and_exit_code_2(tmp_path: Path, word: str, said: str) -> None:
    done = door(tmp_path, word)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("+custom.deep={a: 1}", r"custom\.deep=.* a custom field is a text"),
        ("+custom.list=[1]", r"custom\.list=.* a custom field is a text"),
        ("adapter.max_artifact_mb=0", r"adapter\.max_artifact_mb=0"),
        ("adapter.epochs=0", r"adapter\.epochs=0"),
        ("adapter.max_steps=0", r"adapter\.max_steps=0"),
        ("trainer.step_limit=0", r"trainer\.step_limit=0"),
    ],
)
def test_a_value_that_cannot_be_used_names_its_key(word: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_values(presets.compose(overrides=[word]).config)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("description", "x" * 4001, "description has 4,001 letters"),
        ("intended_use", "x" * 4001, "intended_use has"),
        ("tags", ["x"] * 33, "up to 32 texts"),
        ("tags", [""], "up to 32 texts"),
        ("tags", ["x" * 101], "up to 32 texts"),
        ("custom", {f"k{n}": n for n in range(65)}, "custom has 65 fields"),
        ("custom", {"k": "x" * 1001}, r"custom\.k="),
        ("custom", {"k": float("nan")}, r"custom\.k=nan"),
        ("custom", {"k": 2**63}, r"custom\.k="),
        ("custom", {"_target_": "x"}, "cannot name a field"),
        ("custom", {1: "x"}, "cannot name a field"),
    ],
)
def test_what_is_said_keeps_within_bounds(key: str, value: object, said: str) -> None:
    config = presets.compose().config
    check_told(dataclasses.replace(config, custom={"a": "b", "c": 1, "d": 1.5, "e": True, "f": None, "g.h-i": ""}))
    with pytest.raises(UsageError, match=said):
        check_told(dataclasses.replace(config, **{key: value}))


@pytest.mark.parametrize(
    ("name", "groups"), [("coder", ["adapter"]), ("fast", ["trainer"]), ("persona", ["adapter", "trainer"])]
)
def test_the_command_shows_those_of_one_name(name: str, groups: list[str]) -> None:
    shown = printed("presets", name)
    found = json.loads(printed("presets", name, "--json"))
    assert [group for group in ("adapter", "trainer") if f"{group}={name}\n" in shown] == groups
    assert {group: [each["name"] for each in presets] for group, presets in found.items()} == {
        group: [name] if group in groups else [] for group in ("adapter", "trainer")
    }
    for preset in (each for group in found.values() for each in group):
        assert all(key in shown for key in preset if key != "name")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("task", ["step_limit     100"]),
        ("incremental", ["incremental    true", "warmup_ratio   0"]),
        ("default", ["step_limit     adapter's"]),
    ],
)
def test_whatever_the_file_of_a_trainer_sets_is_shown(name: str, lines: list[str]) -> None:
    shown = printed("presets", name).partition("trainer=")[2].splitlines()
    assert shown[-len(lines) :] == lines


def test_a_name_that_no_preset_bears_is_told_with_all_names(capsys: pytest.CaptureFixture[str]) -> None:
    printed("presets", "codr", code=2)
    told = capsys.readouterr().err
    assert "Unknown preset 'codr'. Did you mean coder" in told
    assert all(each.name in told for each in (*presets.adapters(), *presets.trainers()))


def test_the_command_lists_them() -> None:
    table = printed("presets")
    found = json.loads(printed("presets", "--json"))
    assert {each["name"] for each in found["adapter"]} >= {"default", "coder", "parent"}
    (coder,) = [each for each in found["adapter"] if each["name"] == "coder"]
    assert (coder["r"], coder["target_modules"]) == (16, ["q", "k", "v", "o"])
    (fast,) = [each for each in found["trainer"] if each["name"] == "fast"]
    assert (fast["epochs"], fast["learning_rate"], fast["batch_size"]) == (1, None, 8)
    for group in found.values():
        assert all(each["name"] in table for each in group)
