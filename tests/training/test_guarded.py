"""The whole story with something going wrong in the middle: nothing may be published then."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from adapterkit.artifacts import read_verified
from adapterkit.digest import sha256_file
from adapterkit.errors import FrozenChangedError, TrainableSetError, TrainingError, UsageError
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.training import fit as fit_module
from adapterkit.training.best import BestWeights
from adapterkit.training.checkpoint import CHECKPOINT_FILE, read_checkpoint
from adapterkit.training.trainer import AdapterTrainer
from adapterkit.workflows.run_directory import RunDirectory
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def shared(tiny_base_dir, tmp_path_factory):
    made = Workshop(tiny_base_dir, tmp_path_factory.mktemp("guarded"))
    train(made.config("unified"))
    return made


def at_first_step(monkeypatch, mischief):
    """Do something to the model in the middle of training."""
    plain = AdapterTrainer.compute_loss

    def compute_loss(self, model, *arguments, **more):
        loss = plain(self, model, *arguments, **more)
        mischief(self.stack.model)
        return loss

    monkeypatch.setattr(AdapterTrainer, "compute_loss", compute_loss)


def test_a_base_weight_changed_in_training_stops_the_publication(shared, monkeypatch):
    def change(model):
        model.get_base_model().model.norm.weight.data[3] += 1e-6

    config = shared.config("hurt", "unified")
    with monkeypatch.context() as patch:
        at_first_step(patch, change)
        with pytest.raises(FrozenChangedError, match="Base weights changed during training") as caught:
            train(config)
    assert caught.value.changed == ("model.norm.weight",)
    record = json.loads((Path(config.output_dir) / "baseline_checksums.json").read_text())
    assert record["unchanged"] is False
    assert record["after"]["digest"] != record["before"]["digest"]
    assert shared.published("hurt") == []
    assert not (Path(config.output_dir) / "final_artifact").exists()

    # The next job of the process must not train on the damaged base.
    outcome = train(shared.config("hurt", "unified"))
    assert outcome.artifact.manifest.base.fingerprint_before == record["before"]["digest"]


def test_a_frozen_member_changed_in_training_stops_the_publication(shared, monkeypatch):
    def change(model):
        for name, parameter in model.named_parameters():
            if "layers.0.mlp.up_proj.lora_A.0_unified" in name:
                parameter.data[0, 0] += 1e-6

    at_first_step(monkeypatch, change)
    with pytest.raises(FrozenChangedError, match=r"frozen adapter unified@1\.0\.0 changed"):
        train(shared.config("hurt_parent", "unified"))
    assert shared.published("hurt_parent") == []


def test_adapters_switched_behind_the_stack_stop_the_next_step(shared, monkeypatch):
    def switch(model):
        model.base_model.set_adapter(["0_unified", "1_switched"])

    at_first_step(monkeypatch, switch)
    with pytest.raises(TrainableSetError, match="frozen parameters would be trained"):
        train(shared.config("switched", "unified"))
    assert shared.published("switched") == []


@pytest.mark.parametrize(("when", "what"), [("before", "The loss"), ("after", "The gradient")])
def test_what_is_not_a_number_stops_the_training_and_names_step_and_rows(shared, monkeypatch, when, what):
    plain = AdapterTrainer.compute_loss

    def compute_loss(self, *arguments, **more):
        def spoil(now):
            for parameter in self.stack.trainee_parameters() if now == when and self.state.global_step == 1 else ():
                parameter.data.fill_(float("nan"))

        spoil("before")
        loss = plain(self, *arguments, **more)
        spoil("after")
        return loss

    monkeypatch.setattr(AdapterTrainer, "compute_loss", compute_loss)
    with pytest.raises(
        TrainingError, match=f"{what} became nan at step 2, in its batch 1: rows [0-3], [0-3] of"
    ) as caught:
        train(shared.config("nan", "unified"))
    assert caught.value.step == 2
    assert shared.published("nan") == []


def test_a_rate_that_blows_up_stops_the_training(shared):
    with pytest.raises(TrainingError, match=r"The (loss|gradient) became"):
        train(shared.config("wild", learning_rate=1e25, max_steps=8))
    assert shared.published("wild") == []


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


def test_a_checkpoint_of_another_training_is_refused(shared, uninterrupted):
    with pytest.raises(TrainingError, match="belongs to another training"):
        train(long_config(shared, "resumed", seed=7, resume=str(uninterrupted / "checkpoint-4")))
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


def test_the_optimizer_holds_the_trainee_and_nothing_else(shared, monkeypatch):
    held: list[int] = []
    plain = AdapterTrainer.create_optimizer

    def create(self, *arguments, **more):
        optimizer = plain(self, *arguments, **more)
        held.extend(id(p) for group in optimizer.param_groups for p in group["params"])
        assert sorted(held) == sorted(id(p) for p in self.stack.trainee_parameters())
        return optimizer

    monkeypatch.setattr(AdapterTrainer, "create_optimizer", create)
    train(shared.config("held", "unified", max_steps=1))
    assert len(held) == 28


def test_accumulated_batches_weigh_tokens_as_one_batch_does(shared):
    """Four rows as one batch, and as four accumulated ones, are the same step."""
    found = []
    for batch_size, accumulated in ((4, 1), (1, 4)):
        config = shared.config(
            "accumulated", "unified", max_steps=1, batch_size=batch_size, gradient_accumulation_steps=accumulated,
            lora_dropout=0.0, learning_rate=1e-3, warmup_ratio=0.0, lr_scheduler="constant",
        )  # fmt: skip
        train(config)
        lines = (Path(config.output_dir) / "metrics_history.jsonl").read_text().splitlines()
        found.append(next(json.loads(line) for line in lines if "grad_norm" in line))
    assert found[0]["loss"] == pytest.approx(found[1]["loss"], abs=1e-5)
    assert found[0]["grad_norm"] == pytest.approx(found[1]["grad_norm"], rel=1e-4)


def test_the_stack_is_taken_off_the_base_whatever_happens(shared, monkeypatch):
    stacks: list[AdapterStack] = []
    monkeypatch.setattr(
        fit_module, "use_packed_dropout", lambda model, name: (_ for _ in ()).throw(RuntimeError("boom"))
    )
    plain = AdapterStack.detach
    monkeypatch.setattr(AdapterStack, "detach", lambda self: (plain(self), stacks.append(self))[0])
    with pytest.raises(RuntimeError, match="boom"):
        train(shared.config("boom", "unified"))
    assert len(stacks) == 1
    assert not any(parameter.requires_grad for parameter in stacks[0].base.model.parameters())
    assert not any("lora" in name for name, _ in stacks[0].base.model.named_modules())
    assert torch.is_tensor(stacks[0].base.model.model.norm.weight)
