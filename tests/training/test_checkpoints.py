"""Checkpoints: whole or refused, exact on resume, with the best weights in them."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import resource
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from adapterkit.artifacts import read_verified
from adapterkit.digest import sha256_file
from adapterkit.errors import TrainingError, UsageError
from adapterkit.stores import told_by_the_disk
from adapterkit.training.best import BestWeights
from adapterkit.training.checkpoint import CHECKPOINT_FILE, read_checkpoint
from adapterkit.training.trainer import AdapterTrainer
from adapterkit.workflows.run_directory import RunDirectory
from adapterkit.workflows.train import train
from tests.training.conftest import WEIGHTS, at_first_step


def long_config(shared, name, **changes):
    """Four epochs of two steps, a checkpoint each, and dropout."""
    return shared.config(name, "unified", max_steps=-1, epochs=4, keep_checkpoints=4, force=True, **changes)


@pytest.fixture(scope="module")
def uninterrupted(shared):
    config = long_config(shared, "resumed")
    train(config)
    return Path(config.output_dir)


def test_a_checkpoint_holds_the_trainee_alone(uninterrupted):
    assert sorted(p.name for p in uninterrupted.glob("checkpoint-*")) == [f"checkpoint-{n}" for n in (2, 4, 6, 8)]
    checkpoint = uninterrupted / "checkpoint-4"
    assert [p.name for p in checkpoint.iterdir() if p.is_dir()] == []
    assert {p.name for p in checkpoint.glob("*.safetensors")} == {WEIGHTS}
    assert sha256_file(checkpoint / WEIGHTS) != sha256_file(uninterrupted / "adapter" / WEIGHTS)


def test_resuming_gives_the_weights_of_an_uninterrupted_run_and_trains_no_parent(shared, uninterrupted, monkeypatch):
    trained: set[str] = set()
    at_first_step(monkeypatch, lambda model: trained.update(n for n, p in model.named_parameters() if p.requires_grad))
    config = long_config(shared, "resumed", resume=str(uninterrupted / "checkpoint-4"))
    train(config)
    resumed = Path(config.output_dir)
    assert sha256_file(resumed / "adapter" / WEIGHTS) == sha256_file(uninterrupted / "adapter" / WEIGHTS)
    assert len(trained) == 28
    assert all(".1_resumed." in name for name in trained)  # trap 2: upstream would train 0_unified
    steps = [json.loads(line)["step"] for line in (resumed / "metrics_history.jsonl").read_text().splitlines()]
    assert min(steps) == 5
    read_verified(shared.registry.resolve("unified").path)


def test_resume_auto_takes_the_newest_of_the_same_key(shared, uninterrupted):
    config = long_config(shared, "resumed", resume="auto")
    train(config)
    assert sha256_file(Path(config.output_dir) / "adapter" / WEIGHTS) == sha256_file(
        uninterrupted / "adapter" / WEIGHTS
    )


@pytest.fixture
def damaged(uninterrupted, tmp_path):
    """Another copy of the run, whose newest checkpoint is damaged by whatever is called with its folder."""
    run = shutil.copytree(uninterrupted, uninterrupted.parent / f"copy{tmp_path.name}")
    yield run / "checkpoint-8"
    shutil.rmtree(run)


@pytest.mark.parametrize("file", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", WEIGHTS])
@pytest.mark.parametrize("harm", ["gone", "cut", "flipped"])
def test_a_damaged_checkpoint_is_refused(damaged, file, harm):  # trap 17
    path = damaged / file
    data = path.read_bytes()
    path.unlink()
    if harm != "gone":
        path.write_bytes(data[:-1] if harm == "cut" else data[:99] + bytes([data[99] ^ 1]) + data[100:])
    with pytest.raises(TrainingError, match=f"{file}: (is missing|was changed, or cut)"):
        read_checkpoint(damaged)


@pytest.mark.parametrize("harm", ["no_list", "half_list", "another_step", "more", "empty"])
def test_a_folder_that_only_looks_like_a_checkpoint_is_refused(damaged, harm):
    held = damaged / CHECKPOINT_FILE
    if harm in ("no_list", "empty"):
        held.unlink()
    if harm == "empty":
        shutil.rmtree(damaged)
        damaged.mkdir()
    if harm == "half_list":
        held.write_bytes(held.read_bytes()[:100])
    if harm == "another_step":
        damaged = damaged.rename(damaged.with_name("checkpoint-9"))
    if harm == "more":
        (damaged / "pytorch_model.bin").touch()
    with pytest.raises(TrainingError, match="incomplete or damaged"):
        read_checkpoint(damaged)


def test_resume_auto_passes_damaged_checkpoints_over_and_says_so(uninterrupted, tmp_path, caplog):
    run = shutil.copytree(uninterrupted, tmp_path / "run")
    newest = run / "checkpoint-8" / "optimizer.pt"
    newest.write_bytes(newest.read_bytes()[:-1])
    os.utime(run / "checkpoint-2")  # by the clock the newest
    key = read_checkpoint(run / "checkpoint-6").run_key
    with caplog.at_level("WARNING"):
        found = RunDirectory(tmp_path / "another", key).checkpoint("auto")
    assert found == run / "checkpoint-6"
    assert "checkpoint-8 is incomplete or damaged" in caplog.text
    assert RunDirectory(tmp_path / "other_key", "0" * 64).checkpoint("auto") is None


@pytest.mark.parametrize("ended", [False, True])
def test_what_was_cut_short_is_told_to_who_does_not_resume_it_and_to_who_would_with_other_words(
    uninterrupted, tmp_path, caplog, ended
):
    run = shutil.copytree(uninterrupted, tmp_path / "run")
    if not ended:
        shutil.rmtree(run / "final_artifact")
    key = read_checkpoint(run / "checkpoint-6").run_key
    with caplog.at_level("INFO"):
        assert RunDirectory(tmp_path / "another", key).checkpoint("never") is None
        assert RunDirectory(tmp_path / "another", "0" * 64).checkpoint("never") is None
        assert RunDirectory(tmp_path / "another", "0" * 64).checkpoint("auto") is None
    nothing, *left = [
        "No checkpoint of this training to resume",
        f"{run} holds a checkpoint of this very training: resume=auto goes on from it",
        f"What {run} holds is of another: config, data, base or parents differ. To go on there, give the words that it "
        "was begun with",
    ]
    assert caplog.messages == ([nothing] if ended else [left[0], nothing, left[1]])


def test_a_checkpoint_of_another_training_is_refused(shared, uninterrupted):
    config = long_config(shared, "resumed", seed=7, resume=str(uninterrupted / "checkpoint-4"))
    with pytest.raises(TrainingError, match="belongs to another training"):
        train(config)
    assert not Path(config.output_dir).exists()
    with pytest.raises(UsageError, match="is not a folder"):
        train(long_config(shared, "resumed", resume="no/such/folder"))


def test_the_best_checkpoint_is_published_not_the_last(shared, monkeypatch):
    scripted = iter([3.0, 1.0, 2.0, 4.0])
    monkeypatch.setattr("adapterkit.training.trainer.mean_loss", lambda losses: next(scripted))
    config = shared.config("best", "unified", max_steps=-1, epochs=4, validation=str(shared.held_out), test=None)
    outcome = train(config)
    run = Path(config.output_dir)
    published = sha256_file(outcome.artifact.path / WEIGHTS)
    assert {p.name for p in run.glob("checkpoint-*")} == {"checkpoint-6", "checkpoint-8"}  # the newest two
    best = BestWeights.read(run / "checkpoint-8")
    assert (best.loss, best.step) == (1.0, 4)
    assert load_file(outcome.artifact.path / WEIGHTS).keys() == best.tensors.keys()
    assert all(torch.equal(best.tensors[n], t) for n, t in load_file(outcome.artifact.path / WEIGHTS).items())  # trap 3
    assert published != sha256_file(run / "checkpoint-8" / WEIGHTS)
    assert outcome.artifact.manifest.metrics["validation_loss"] == 1.0


@pytest.mark.parametrize("stopped", [False, True])
def test_a_finished_training_takes_no_step_more_when_it_is_resumed(shared, monkeypatch, stopped):
    """Upstream takes one more where the last step was not the last of its epoch."""
    losses = [3.0, 1.0, 2.0, 4.0] if stopped else [4.0, 3.0, 2.0, 1.0, 0.5]
    scripted = iter(losses)
    monkeypatch.setattr("adapterkit.training.trainer.mean_loss", lambda _: next(scripted))
    name = "stopped" if stopped else "finished"
    changes = {"max_steps": 5, "eval_steps": 1, "save_steps": 1, "keep_best": False, "force": True, "test": None}
    if stopped:
        changes["early_stopping_patience"] = 2
    config = shared.config(name, "unified", epochs=9, validation=str(shared.held_out), **changes)
    train(config)
    run = Path(config.output_dir)
    last = 4 if stopped else 5
    assert {p.name for p in run.glob("checkpoint-*")} == {f"checkpoint-{last - 1}", f"checkpoint-{last}"}
    again = dataclasses.replace(config, resume=str(run / f"checkpoint-{last}"), output_dir=str(run.parent / "again"))
    train(again)
    assert sha256_file(Path(again.output_dir) / "adapter" / WEIGHTS) == sha256_file(run / "adapter" / WEIGHTS)
    assert next(scripted, None) is None


def test_a_disk_that_takes_no_more_stops_the_training_and_leaves_earlier_checkpoints(shared, monkeypatch):
    plain, (before, most) = AdapterTrainer._save_optimizer_and_scheduler, resource.getrlimit(resource.RLIMIT_FSIZE)

    def save(self, folder):
        if self.state.global_step == 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most))
        try:
            plain(self, folder)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))

    monkeypatch.setattr(AdapterTrainer, "_save_optimizer_and_scheduler", save)
    config = long_config(shared, "full")
    with pytest.raises(TrainingError, match=r"(?s)The checkpoint of step 4 cannot be written: .*resume=auto") as caught:
        train(config)
    assert caught.value.step == 4
    run = Path(config.output_dir)
    assert [path.name for path in run.glob("checkpoint-*")] == ["checkpoint-2"]
    assert read_checkpoint(run / "checkpoint-2").step == 2
    assert not list(run.glob(".staging-*"))
    assert shared.published("full") == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), r"No space left on device\. The disk is full"),
        (RuntimeError("inline_container.cc:672: unexpected pos 64"), r"^the disk took only a part"),
        (RuntimeError("another"), "^another$"),
    ],
)  # fmt: skip
def test_what_the_disk_says_is_told_in_words(error, told):
    assert re.search(told, told_by_the_disk(error))
