"""The story of one training: what is published, what is not, and what a second run finds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from artifacts.samples import draft_of

from adapterkit.base.load import identify
from adapterkit.base.resident import release_resident_base
from adapterkit.config.asked import Asked
from adapterkit.config.schema import QuantizationConfig
from adapterkit.digest import sha256_file
from adapterkit.errors import (
    BaseMismatchError,
    DataError,
    RefNotFoundError,
    RegistryError,
    StackError,
    TrainingError,
    UsageError,
)
from adapterkit.manifest import BaseRecord
from adapterkit.registry import Registry
from adapterkit.stack.fit import require_dora_trains
from adapterkit.workflows.run_directory import RunDirectory
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop, write_chats

WEIGHTS = "adapter_model.safetensors"
RUN_FILES = {
    "final_artifact", "adapter", "tensorboard", "baseline_checksums.json", "metrics_history.jsonl",
    "training_summary.json", "training_results.json", "test_metrics.json", "training_curves.png", "report.html",
}  # fmt: skip
ARTIFACT_FILES = {
    "adapter_config.json", WEIGHTS, "metadata.json", "training_config.yaml", "training_metrics.json", "checksums.json",
    "README.md",
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(tiny_base_dir, tmp_path_factory):
    made = Workshop(tiny_base_dir, tmp_path_factory.mktemp("story"))
    train(made.config("unified"))
    return made


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): sha256_file(p) for p in folder.rglob("*") if p.is_file()}


def test_a_run_directory_holds_everything_and_the_artifact_byte_for_byte(shared):
    config = shared.config("whole", "unified")
    config.tracking.tensorboard = True
    outcome = train(config)
    run = Path(config.output_dir)
    assert {p.name for p in run.iterdir()} >= RUN_FILES | {"checkpoint-2"}
    assert list((run / "tensorboard").rglob("events.out.tfevents.*"))
    assert {p.name for p in outcome.artifact.path.iterdir()} >= ARTIFACT_FILES
    assert contents(run / "final_artifact") == contents(outcome.artifact.path)
    assert sha256_file(run / "adapter" / WEIGHTS) == sha256_file(outcome.artifact.path / WEIGHTS)
    record = json.loads((run / "baseline_checksums.json").read_text())
    assert record["unchanged"] is True
    assert record["after"]["digest"] == record["before"]["digest"]
    for name in ("training_summary.json", "training_results.json", "test_metrics.json"):
        json.loads((run / name).read_text())
    assert (run / "training_curves.png").read_bytes().startswith(b"\x89PNG")
    assert outcome.test is not None
    assert outcome.test.rows == 3


def test_the_same_training_again_does_nothing_and_forced_adds_no_version(shared):
    first = train(shared.config("again", "unified"))
    second = train(shared.config("again", "unified"))
    assert (first.trained, second.trained) == (True, False)
    assert second.artifact.ref == first.artifact.ref
    forced = train(shared.config("again", "unified", force=True))
    assert forced.trained
    assert forced.artifact.ref == first.artifact.ref
    assert shared.published("again") == ["1.0.0"]


def test_what_only_watches_is_the_same_training(shared):
    train(shared.config("watched", "unified"))
    again = train(shared.config("watched", "unified", logging_steps=7, keep_checkpoints=5, description="other words"))
    assert not again.trained


def test_another_seed_is_another_version(shared):
    one = train(shared.config("seeded", "unified", seed=1))
    two = train(shared.config("seeded", "unified", seed=2))
    assert shared.published("seeded") == ["1.0.0", "1.1.0"]
    assert one.artifact.manifest.weights_digest != two.artifact.manifest.weights_digest


def test_a_seed_gives_the_same_file_in_two_registries(shared, tiny_base_dir, tmp_path):
    other = Workshop(tiny_base_dir, tmp_path).config("unified", train=str(shared.train), test=str(shared.held_out))
    found = train(other).artifact
    assert sha256_file(found.path / WEIGHTS) == sha256_file(shared.registry.resolve("unified").path / WEIGHTS)


def test_a_missing_parent_without_a_recipe_is_said_before_anything_is_trained(shared):
    config = shared.config("orphan", "no_such_parent")
    with pytest.raises(RefNotFoundError, match="No adapter 'no_such_parent'"):
        train(config)
    assert not Path(config.output_dir).exists()
    assert shared.published("orphan") == []


def test_a_misspelt_parent_is_answered_with_the_one_that_is_there(shared):
    with pytest.raises(RefNotFoundError, match=r"No adapter 'unifed' in .* Did you mean unified\?") as caught:
        train(shared.config("nobody", "unifed"))
    assert caught.value.nearest == ("unified",)


def test_a_missing_parent_with_a_recipe_is_trained_first(tiny_base_dir, tmp_path):
    shop = Workshop(tiny_base_dir, tmp_path)
    asked: list[str] = []

    def compose_parent(recipe, child, how):
        asked.append(recipe)
        return shop.config("common"), Asked(recipe)

    child = shop.config("child", "common", parent_recipe="unified")
    outcome = train(child, compose_parent=compose_parent)
    # Once before the rows are read, whether there is a recipe at all, and once to train it.
    assert asked == ["unified"] * 2
    assert [str(m.ref) for m in outcome.artifact.manifest.lineage.members] == ["common@1.0.0", "child@1.0.0"]
    assert shop.registry.manifest("common").recipe.recipe == "unified"
    assert shop.registry.manifest("child").recipe.parent == "common"

    with pytest.raises(RefNotFoundError):  # the recipe makes another adapter than the one that is missing
        train(shop.config("lost", "elsewhere", parent_recipe="unified"), compose_parent=compose_parent)
    with pytest.raises(RefNotFoundError):  # no recipe promises a version
        train(shop.config("lost", "common@9.0.0", parent_recipe="unified"), compose_parent=compose_parent)


def test_data_is_read_before_a_parent_is_trained(tiny_base_dir, tmp_path):
    shop = Workshop(tiny_base_dir, tmp_path)
    config = shop.config("child", "common", parent_recipe="unified", train=str(tmp_path / "missing.jsonl"))
    with pytest.raises(DataError, match=r"missing\.jsonl"):
        train(config, compose_parent=lambda recipe, *_: (shop.config("common"), Asked(recipe)))
    assert shop.registry.names() == []


def test_a_parent_that_is_nowhere_is_told_before_the_data_is_read(tiny_base_dir, tmp_path):
    shop = Workshop(tiny_base_dir, tmp_path)
    train(shop.config("common"))
    config = shop.config("child", "comon", parent_recipe="unified", train=str(tmp_path / "missing.jsonl"))
    with pytest.raises(RefNotFoundError, match=r"'comon'.*Did you mean common\?"):
        train(config, compose_parent=lambda recipe, *_: (shop.config("common"), Asked(recipe)))


def test_a_name_that_no_folder_may_bear_is_refused(shared):
    with pytest.raises(UsageError, match="cannot name an adapter"):
        train(shared.config("../escape"))


def test_a_rate_of_zero_publishes_a_child_that_changes_nothing(shared):
    outcome = train(shared.config("still", "unified", learning_rate=0.0))
    assert outcome.test is not None
    assert (outcome.test.change, outcome.test.before) == (0.0, outcome.test.after)
    Registry(shared.registry.path).lineage_artifacts("still")


def test_one_step_already_learns_something(shared):
    outcome = train(shared.config("single", max_steps=1))
    assert outcome.test is not None
    assert outcome.test.change != 0.0


def test_the_loss_is_that_of_all_steps_however_many_are_logged_at_once(shared):
    logged, loss = {}, {}
    for at_once in (1, 2, 5):
        artifact = train(shared.config(f"logged_{at_once}", max_steps=3, logging_steps=at_once)).artifact
        history = json.loads((artifact.path / "training_metrics.json").read_text())["history"]
        logged[at_once] = [entry["step"] for entry in history if "loss" in entry]
        loss[at_once] = artifact.manifest.metrics["train_loss"]
    assert logged == {1: [1, 2, 3], 2: [2, 3], 5: [3]}
    assert loss[1] == pytest.approx(loss[2], abs=1e-6) == pytest.approx(loss[5], abs=1e-6)


def test_a_single_test_row_is_refused(shared, tmp_path):
    alone = write_chats(tmp_path / "alone.jsonl", ["one row"])
    with pytest.raises(DataError, match="one row"):
        train(shared.config("alone", test=str(alone)))


def test_a_parent_on_another_quantization_is_refused_before_the_base_is_loaded(shared, monkeypatch):
    monkeypatch.setattr("adapterkit.workflows.train.resident_base", lambda *_, **__: pytest.fail("the base was loaded"))
    config = shared.config("other", "unified")
    config.quantization = QuantizationConfig(kind="none", dtype="bfloat16")
    with pytest.raises(BaseMismatchError, match=r"bfloat16[\s\S]*data\.unified=unified_bf16"):
        train(config)


def test_a_finished_run_directory_is_not_written_again(shared):
    config = shared.config("once")
    train(config)
    config.force, config.seed = True, 1
    with pytest.raises(UsageError, match="holds a finished run"):
        train(config)
    assert shared.published("once") == ["1.0.0"]


def test_two_trainings_never_share_a_run_directory(shared):
    config = shared.config("alone")
    told = r"Another training writes to output_dir=.* at this moment"
    with RunDirectory(Path(config.output_dir), "a" * 64), pytest.raises(UsageError, match=told):
        train(config)
    train(config)
    assert shared.published("alone") == ["1.0.0"]


def test_a_folder_with_files_of_another_training_is_refused(shared, monkeypatch):
    config = shared.config("begun")
    with monkeypatch.context() as patch:
        patch.setattr("adapterkit.workflows.train.fit", lambda *_, **__: (_ for _ in ()).throw(TrainingError("gone")))
        with pytest.raises(TrainingError, match="gone"):
            train(config)
    config.seed = 1
    with pytest.raises(UsageError, match="holds files of another training, which did not end"):
        train(config)
    config.seed = 0
    train(config)
    assert shared.published("begun") == ["1.0.0"]


def test_a_registry_that_cannot_be_written_is_said_before_training(shared, tmp_path):
    (tmp_path / "file").write_text("")
    config = shared.config("nowhere")
    config.registry = str(tmp_path / "file" / "adapters")
    with pytest.raises(RegistryError, match="is a file"):
        train(config)
    assert not (shared.folder / "outputs" / "nowhere").exists()


def test_another_chat_template_is_another_training(tiny_base_dir, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(tiny_base_dir, base)
    shop = Workshop(base, tmp_path)
    assert train(shop.config("talk")).trained
    assert not train(shop.config("talk")).trained
    release_resident_base()
    template = base / "chat_template.jinja"
    template.write_text("Hello! " + template.read_text())
    assert train(shop.config("talk")).trained


def test_dora_on_an_8_bit_base_is_refused_on_the_processor_before_the_base_is_loaded(shared, monkeypatch):
    monkeypatch.setattr("adapterkit.workflows.train.resident_base", lambda *_, **__: pytest.fail("the base was loaded"))
    config = shared.config("eight_bit", use_dora=True)
    config.quantization = QuantizationConfig(kind="int8", dtype="float32")
    with pytest.raises(StackError, match=r"quantization=nf4.*use_dora=false.*device=cuda"):
        train(config)
    assert shared.published("eight_bit") == []


def test_a_child_of_a_dora_is_too(shared, monkeypatch):
    config = shared.config("on_dora", "dora_in_8_bit")
    config.quantization = QuantizationConfig(kind="int8", dtype="float32")
    identity, _ = identify(config.model, config.quantization)
    dora = train(shared.config("dora", use_dora=True)).artifact
    base = BaseRecord(identity, "b" * 64, "b" * 64, 20)
    shared.registry.publish(draft_of(dora.path, name="dora_in_8_bit", base=base))
    monkeypatch.setattr("adapterkit.workflows.train.resident_base", lambda *_, **__: pytest.fail("the base was loaded"))
    with pytest.raises(StackError, match="nor anything on top of it"):
        train(config)


@pytest.mark.parametrize(
    ("dora", "kind", "device"), [(False, "int8", "cpu"), (True, "nf4", "cpu"), (True, "int8", "cuda")]
)
def test_only_that_is_refused(dora: bool, kind: str, device: str):
    require_dora_trains(dora, {"kind": kind}, torch.device(device))
