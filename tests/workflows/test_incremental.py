"""Going on from the version before: what is published, what is refused, and what a second run finds."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from adapterkit.artifacts import read_verified
from adapterkit.digest import sha256_file
from adapterkit.errors import ArtifactError, RefNotFoundError, UsageError
from adapterkit.names import Version
from adapterkit.registry import Registry, history_of, version_with
from adapterkit.training.run_key import settings_digest
from adapterkit.workflows.estimating import estimate
from adapterkit.workflows.train import train
from tests.training.conftest import at_first_step
from tests.workflows.project import FAMILY, Project
from tests.workflows.tiny import Workshop, write_chats

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def made(tiny_base_dir, tmp_path_factory):
    """`unified`, and `voice` on it, both 1.0.0."""
    shop = Workshop(tiny_base_dir, tmp_path_factory.mktemp("incremental"))
    train(shop.config("unified"))
    train(shop.config("voice", "unified"))
    return shop


@pytest.fixture
def shop(made, tmp_path):
    """A copy, in which a test may publish."""
    copy = Workshop(made.base, tmp_path)
    shutil.copytree(made.registry.path, copy.registry.path)
    write_chats(tmp_path / "new.jsonl", ("bright star", "cold river", "old mountain"))
    return copy


def going_on(shop, name="voice", parent="unified", **changes):
    data = {"train": str(shop.folder / "new.jsonl"), "incremental": True}
    return shop.config(name, parent, **{**data, **changes})


def weights(artifact):
    return load_file(artifact.path / WEIGHTS)


def test_it_starts_from_the_latest_and_publishes_a_patch(shop, monkeypatch):
    began = {}
    at_first_step(monkeypatch, lambda model: began or began.update({n: p.clone() for n, p in model.named_parameters()}))
    before = shop.registry.artifact("voice")
    parent = sha256_file(shop.registry.resolve("unified").path / WEIGHTS)
    outcome = train(going_on(shop))
    manifest = outcome.artifact.manifest
    assert str(manifest.ref) == "voice@1.0.1"
    assert manifest.started_from == before.manifest.weights_digest
    assert manifest.weights_digest != before.manifest.weights_digest
    start = {name.replace(".weight", ".1_voice.weight"): tensor for name, tensor in weights(before).items()}
    assert all(torch.equal(began[name], tensor) for name, tensor in start.items())
    assert sha256_file(shop.registry.resolve("unified").path / WEIGHTS) == parent
    assert json.loads((Path(outcome.artifact.path) / "metadata.json").read_text())["base"]["fingerprint_before"]
    assert [event.note for event in history_of(shop.registry, "voice")][1] == "trained on from 1.0.0"
    read_verified(outcome.artifact.path)


def test_the_same_run_again_finds_its_own_result_and_does_not_go_on_from_it(shop, caplog):
    first = train(going_on(shop))
    with caplog.at_level("INFO"):
        second = train(going_on(shop))
    assert (first.trained, second.trained) == (True, False)
    assert second.artifact.ref == first.artifact.ref
    assert "voice@1.0.1 is up to date" in caplog.text
    assert "Over the same rows once more: start_from=voice@1.0.1" in caplog.text
    forced = train(going_on(shop, force=True))
    assert forced.artifact.ref == first.artifact.ref  # the same start, the same bits: nothing new
    assert shop.published("voice") == ["1.0.0", "1.0.1"]


def test_new_rows_go_on_from_there_and_an_exact_start_is_what_it_says(shop):
    train(going_on(shop))
    write_chats(shop.folder / "newer.jsonl", ("green leaf", "blue sky"))
    newer = str(shop.folder / "newer.jsonl")
    second = train(going_on(shop, train=newer)).artifact
    assert shop.published("voice") == ["1.0.0", "1.0.1", "1.0.2"]
    assert second.manifest.started_from == shop.registry.manifest("voice@1.0.1").weights_digest
    # Once more over the same rows, on purpose: named exactly it may be one's own result, and is done once.
    again = train(going_on(shop, train=newer, start_from="voice@1.0.2"))
    assert str(again.artifact.ref) == "voice@1.0.3"
    assert not train(going_on(shop, train=newer, start_from="voice@1.0.2")).trained
    # From an older version: not what came before, so no patch.
    branch = train(going_on(shop, start_from="voice@1.0.0", seed=5)).artifact.manifest
    assert (str(branch.ref), branch.started_from) == (
        "voice@1.1.0",
        shop.registry.manifest("voice@1.0.0").weights_digest,
    )


def test_an_update_is_measured_beside_the_version_it_went_on_from(shop):
    before = train(shop.config("measured", "unified"))
    outcome = train(going_on(shop, "measured"))
    assert (before.update, outcome.update.before) == (None, before.test.after)
    assert outcome.update.after == outcome.test.after
    assert outcome.artifact.manifest.metrics["test_loss_started_from"] == before.test.after
    told = json.loads((outcome.artifact.path / "test_metrics.json").read_text())
    assert told["started_from"] == outcome.update.to_json()
    assert [event.test_loss for event in history_of(shop.registry, "measured")] == [before.test.after, told["after"]]


def test_an_alias_and_a_rollback_decide_what_it_starts_from(shop):
    shop.registry.promote("voice@1.0.0")
    train(going_on(shop))
    found = train(going_on(shop, start_from="voice@production", seed=3)).artifact.manifest
    assert found.started_from == shop.registry.manifest("voice@1.0.0").weights_digest
    assert str(found.ref) == "voice@1.1.0"
    shop.registry.rollback("voice", to=Version(1, 0, 0))
    assert not train(going_on(shop)).trained  # 1.0.1 is that very run
    assert train(going_on(shop, seed=4)).artifact.manifest.started_from == found.started_from


def test_a_run_on_the_bare_base_goes_on_too_and_makes_its_child_stale_by_its_new_weights(shop):
    assert str(train(going_on(shop, "unified", None)).artifact.ref) == "unified@1.0.1"
    child = going_on(shop)
    with pytest.raises(UsageError, match=r"voice@1\.0\.0.*\n  parent: unified@1\.0\.1 is not unified@1\.0\.0\n"):
        train(child)
    assert str(train(dataclasses.replace(child, parent="unified@1.0.0")).artifact.ref) == "voice@1.0.1"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"r": 4}, r"adapter\.r: 4 is not 2"),
        ({"lora_alpha": 8}, r"adapter\.lora_alpha: 8\.0 is not 4\.0"),
        ({"use_rslora": True}, "variant: rslora is not lora"),
        ({"use_dora": True, "r": 1}, r"adapter\.r: 1 is not 2\n  variant: dora is not lora"),
        ({"parent": None}, r"parent: the bare base is not unified@1\.0\.0"),
        ({"quantization": "bfloat16"}, r"quantization\.dtype: bfloat16 is not float32"),
    ],
)
def test_another_base_parent_or_shape_is_refused_before_the_base_is_loaded(shop, monkeypatch, changes, told):
    monkeypatch.setattr("adapterkit.workflows.train.resident_base", lambda *_, **__: pytest.fail("the base was loaded"))
    config = going_on(shop, **{key: value for key, value in changes.items() if key not in ("quantization", "parent")})
    if "quantization" in changes:
        config.quantization = dataclasses.replace(config.quantization, dtype=changes["quantization"])
        config.parent = None
    if "parent" in changes:
        config.parent = None
    with pytest.raises(UsageError, match=rf"(?s)cannot go on from voice@1\.0\.0.*{told}.*incremental=false"):
        train(config)
    assert shop.published("voice") == ["1.0.0"]


def test_other_layers_are_refused_and_the_ones_to_ask_for_are_named(shop):
    with pytest.raises(UsageError, match=r"target_modules=\['q_proj'\] asks for.*adapter\.target_modules=\[.*v_proj\]"):
        train(going_on(shop, target_modules=["q_proj"]))
    named = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    assert str(train(going_on(shop, target_modules=named)).artifact.ref) == "voice@1.0.1"


def test_what_there_is_to_start_from_is_told(shop):
    with pytest.raises(RefNotFoundError, match=r"has none\. Did you mean voice\? Make"):
        train(going_on(shop, "vioce"))
    with pytest.raises(RefNotFoundError, match=r"(?s)earlier version of 'nobody'.*has none\. Make.*incremental=false"):
        train(going_on(shop, "nobody"))
    with pytest.raises(RefNotFoundError, match=r"voice@9\.0\.0"):
        train(going_on(shop, start_from="voice@9.0.0"))
    with pytest.raises(UsageError, match=r"another adapter than 'voice'.*parent=unified\."):
        train(going_on(shop, start_from="unified"))
    with pytest.raises(UsageError, match="add incremental=true"):
        train(going_on(shop, start_from="voice", incremental=False))
    path = shop.registry.resolve("voice").path / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"start_from=voice@VERSION"):
        train(going_on(shop))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="lora"),
        pytest.param({"use_dora": True}, id="dora", marks=pytest.mark.long),
        pytest.param({"loraplus_lr_ratio": 4.0}, id="loraplus", marks=pytest.mark.long),
    ],
)
def test_resuming_is_bit_identical(shop, changes):
    name = f"kept{len(str(changes))}"
    train(shop.config(name, "unified", **changes))
    config = going_on(shop, name, max_steps=4, epochs=9, save_steps=2, force=True, **changes)
    train(config)
    run = Path(config.output_dir)
    parts = {"output_dir": str(run.parent / "again"), "resume": str(run / "checkpoint-2")}
    again = dataclasses.replace(config, **parts)
    assert train(again).artifact.ref == shop.registry.exact(name)
    assert sha256_file(run.parent / "again" / "adapter" / WEIGHTS) == sha256_file(run / "adapter" / WEIGHTS)
    assert shop.published(name) == ["1.0.0", "1.0.1"]


def test_a_fresh_training_keeps_its_key_and_an_incremental_one_has_another(shop):
    config = shop.config("voice", "unified")
    assert not train(config).trained
    assert settings_digest(config) != settings_digest(dataclasses.replace(config, incremental=True))


@pytest.mark.parametrize("ask", [train, estimate])
def test_eva_is_for_a_fresh_training_alone(shop, ask):
    with pytest.raises(UsageError, match=r"adapter\.init_lora_weights=default.*incremental=false"):
        ask(going_on(shop, init_lora_weights="eva"))
    assert shop.published("voice") == ["1.0.0"]


INCREMENTAL = FAMILY.replace("name: unified", "name: unified\nincremental: true").replace("train.jsonl", "new.jsonl")


@pytest.fixture
def kept(project: Project) -> Project:
    """The family with a second version of `unified`, which an incremental recipe made from new rows."""
    (project.folder / "mine/recipe/more.yaml").write_text(INCREMENTAL)
    write_chats(project.folder / "new.jsonl", ("bright star", "cold river", "old mountain"))
    project.train("more")
    return project


def test_status_calls_it_fresh_until_its_rows_change_and_rebuild_goes_on_from_it(kept: Project) -> None:
    assert kept.standings()["unified@1.0.1"] == ["fresh"]
    assert "moved on: unified@1.0.0 -> unified@1.0.1" in kept.standings()["child_ann@1.0.0"][0]
    write_chats(kept.folder / "new.jsonl", ("green leaf", "blue sky"))
    assert kept.standings()["unified@1.0.1"] == ["data: new.jsonl has other rows now"]
    done = json.loads(kept.run("rebuild", "unified", "--json"))
    assert [each["ref"] for each in done] == ["unified@1.0.2"]
    manifest = kept.registry.manifest("unified")
    assert manifest.started_from == kept.registry.manifest("unified@1.0.1").weights_digest
    assert kept.standings()["unified@1.0.2"] == ["fresh"]
    assert json.loads(kept.run("rebuild", "unified", "--json")) == []


def test_a_recipe_that_becomes_incremental_is_another_recipe(project: Project) -> None:
    project.recipe.write_text(FAMILY.replace("name: unified", "name: unified\nincremental: true"))
    assert project.standings()["unified@1.0.0"] == ["recipe: incremental None -> True"]


@pytest.mark.long
def test_reproduce_starts_from_the_version_that_it_started_from(
    kept: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(kept.run("reproduce", "unified", "--json"))
    assert (found["ref"], found["identical"], found["circumstances"]) == ("unified@1.0.1", True, {})
    shutil.rmtree(kept.registry.path / "unified" / "1.0.0")
    kept.run("reproduce", "unified", code=1)
    assert "is not in adapters any more" in capsys.readouterr().err


def test_a_start_that_is_gone_is_told_and_the_run_still_counts_as_done(shop):
    first = train(going_on(shop)).artifact
    shutil.rmtree(shop.registry.path / "voice" / "1.0.0")
    assert not train(going_on(shop)).trained
    with pytest.raises(RefNotFoundError, match=r"is not in .* any more.*gc"):
        train(going_on(shop, force=True))
    with pytest.raises(RefNotFoundError):
        version_with(Registry(shop.registry.path), "voice", first.manifest.started_from)


@pytest.mark.parametrize("words", [["incremental=true"], ["trainer=incremental"]])
def test_both_ways_to_ask_for_it_come_to_the_same_key(words: list[str]) -> None:
    from adapterkit.config.asked import Asked
    from adapterkit.config.compose import compose_asked, composing

    with composing():
        config = compose_asked(Asked(None, tuple(words))).config
        recipe = compose_asked(Asked("persona_on_unified", ("persona=lincoln", *words))).config
    assert (config.incremental, recipe.incremental) == (True, True)
    if words == ["trainer=incremental"]:
        assert (config.trainer.epochs, config.trainer.learning_rate, config.trainer.warmup_ratio) == (1, 1e-4, 0.0)
        assert (recipe.trainer.epochs, recipe.trainer.learning_rate) == (1, 1e-4)


def test_a_first_version_that_is_missing_is_said_before_a_missing_parent_is_trained(shop):
    def never(*_):
        raise AssertionError("the parent would be trained")

    config = shop.config("nobody", parent="not_there", incremental=True)
    with pytest.raises(RefNotFoundError, match="goes on from an earlier version of 'nobody'"):
        train(config, compose_parent=never)
