"""The ways in which upstream lets frozen things drift: each is stopped before a checkpoint or an artifact is written.

Mischief comes as a user's callback would: through `transformers.TrainerCallback`, at every event that there is.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel
from transformers import Trainer, TrainerCallback, TrainingArguments

from adapterkit.artifacts import read_verified
from adapterkit.errors import AdapterKitError, FrozenChangedError, StackError, TrainableSetError
from adapterkit.training import fit as fit_module
from adapterkit.workflows import train as story
from adapterkit.workflows.train import train

EVENTS = (
    "on_train_begin", "on_epoch_begin", "on_step_begin", "on_substep_end", "on_pre_optimizer_step", "on_optimizer_step",
    "on_step_end", "on_evaluate", "on_log", "on_epoch_end",
)  # fmt: skip
PARENT = "0_unified"


def layer(model) -> Any:
    return model.get_base_model().model.layers[0].mlp.up_proj


def rogue(event: str, mischief) -> TrainerCallback:
    """A callback that does it once, the first time that an event comes."""
    done: list[bool] = []

    def act(self, args, state, control, model=None, **_):
        if not done:
            done.append(True)
            mischief(model)

    return type("Rogue", (TrainerCallback,), {event: act})()


def with_rogue(monkeypatch, event: str, mischief) -> None:
    """Have the next training run with one more callback, the last in line."""
    plain = fit_module.AdapterTrainer

    def trainer(*arguments, callbacks, **more):
        return plain(*arguments, callbacks=[*callbacks, rogue(event, mischief)], **more)

    monkeypatch.setattr(fit_module, "AdapterTrainer", trainer)


# What it does, and what stops it.


def set_adapter(model):
    model.set_adapter(PARENT)


def set_adapter_of_the_tuner(model):
    model.base_model.set_adapter([PARENT, model.active_adapters[-1]])


def use_adapter_and_put_it_back(model):
    """What TRL's context manager of that name does: the previous adapter comes back alone."""
    previous = model.active_adapter
    model.set_adapter(PARENT)
    model.set_adapter(previous)


def disable_adapters(model):
    model.base_model.disable_adapter_layers()


def delete_the_trainee(model):
    model.delete_adapter(model.active_adapters[-1])


def delete_the_parent(model):
    model.delete_adapter(PARENT)


def add_another(model):
    model.add_adapter("stranger", LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))


def merge(model):
    layer(model).lora_B[PARENT].weight.data += 0.0
    model.base_model.merge_adapter([PARENT])


def merge_and_unmerge(model):
    model.base_model.merge_adapter([PARENT])
    model.base_model.unmerge_adapter()
    layer(model).get_base_layer().weight.data.view(torch.int32)[0, 0] ^= 1  # as rounding would, on a bf16 base


def rescale(model):
    layer(model).scaling[PARENT] *= 2


def write_through_data(model):
    layer(model).get_base_layer().weight.data[0, 0] += 1e-6


def write_through_numpy(model):
    layer(model).lora_A[PARENT].weight.detach().numpy().view("int32")[0, 0] ^= 1


def replace_a_module(model):
    inner = model.get_base_model().model
    inner.norm = copy.deepcopy(inner.norm)


def replace_an_activation(model):
    model.get_base_model().model.layers[1].mlp.act_fn = torch.nn.GELU()


def untie(model):
    head = model.get_base_model().lm_head
    head.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=False)


def thaw(model):
    model.get_base_model().model.norm.weight.requires_grad_(True)


def leave_a_gradient(model):
    weight = model.get_base_model().model.norm.weight
    weight.grad = torch.zeros_like(weight)


ROUTES = {
    set_adapter: TrainableSetError,
    set_adapter_of_the_tuner: TrainableSetError,
    use_adapter_and_put_it_back: (TrainableSetError, StackError),
    disable_adapters: (StackError, TrainableSetError),
    delete_the_trainee: TrainableSetError,
    delete_the_parent: AdapterKitError,
    add_another: AdapterKitError,
    merge: FrozenChangedError,
    merge_and_unmerge: FrozenChangedError,
    rescale: FrozenChangedError,
    write_through_data: FrozenChangedError,
    write_through_numpy: FrozenChangedError,
    replace_a_module: FrozenChangedError,
    replace_an_activation: FrozenChangedError,
    untie: FrozenChangedError,
    thaw: TrainableSetError,
    leave_a_gradient: TrainableSetError,
}


def config_for(shared, name):
    """Two epochs of two steps of two batches, evaluated after each, saved after three: every event comes before."""
    return shared.config(
        name, "unified", max_steps=4, batch_size=1, gradient_accumulation_steps=2, validation=str(shared.held_out),
        save_steps=3, eval_steps=1, test=None,
    )  # fmt: skip


def stopped_before_anything_is_written(shared, name, error) -> None:
    config = config_for(shared, name)
    with pytest.raises(error):
        train(config)
    run = Path(config.output_dir)
    assert sorted(path.name for path in run.glob("**/*.safetensors")) == []
    assert not (run / "final_artifact").exists()
    assert shared.published(name) == []
    read_verified(shared.registry.resolve("unified").path)


@pytest.mark.parametrize("mischief", ROUTES, ids=lambda mischief: mischief.__name__)
@pytest.mark.parametrize("event", ["on_pre_optimizer_step", pytest.param("on_evaluate", marks=pytest.mark.long)])
def test_a_rogue_callback_is_stopped_before_anything_is_written(shared, monkeypatch, mischief, event):
    with_rogue(monkeypatch, event, mischief)
    stopped_before_anything_is_written(shared, f"{mischief.__name__}_{event}", ROUTES[mischief])


@pytest.mark.long
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("mischief", [set_adapter, write_through_data, untie], ids=lambda mischief: mischief.__name__)
def test_it_is_stopped_at_every_event_there_is(shared, monkeypatch, mischief, event):
    with_rogue(monkeypatch, event, mischief)
    stopped_before_anything_is_written(shared, f"{mischief.__name__}_{event}", AdapterKitError)


def test_the_same_training_without_a_rogue_is_published(shared, monkeypatch):
    with_rogue(monkeypatch, "on_evaluate", lambda model: None)
    config = config_for(shared, "honest")
    train(config)
    assert shared.published("honest") == ["1.0.0"]
    assert list(Path(config.output_dir).glob("checkpoint-*"))


def test_what_happens_in_the_last_evaluation_is_stopped_before_the_artifact(shared, monkeypatch):
    plain = story.compare_on_test

    def compare(stack, *arguments, **settings):
        write_through_numpy(stack.model)
        return plain(stack, *arguments, **settings)

    monkeypatch.setattr(story, "compare_on_test", compare)
    config = config_for(shared, "late")
    config.data.test = str(shared.held_out)
    with pytest.raises(FrozenChangedError, match="frozen adapter unified"):
        train(config)
    assert not (Path(config.output_dir) / "adapter").exists()
    assert shared.published("late") == []


# The scheduler notices that the optimizer it knows is not stepped.
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_an_optimizer_that_nobody_watches_writes_nothing(shared, monkeypatch):
    trainers: list[Any] = []
    plain = fit_module.AdapterTrainer
    monkeypatch.setattr(fit_module, "AdapterTrainer", lambda *a, **k: trainers.append(plain(*a, **k)) or trainers[-1])

    class Swap(TrainerCallback):
        def on_step_begin(self, args, state, control, **_):
            trainers[0].optimizer = torch.optim.SGD(trainers[0].stack.trainee_parameters(), lr=1e-3)

    monkeypatch.setattr(fit_module, "ProgressCallback", Swap)
    stopped_before_anything_is_written(shared, "unwatched", TrainableSetError)


def test_frozen_parameters_smuggled_into_the_optimizer_are_never_stepped(shared, monkeypatch):
    class Smuggler(TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, model=None, optimizer=None, **_):
            optimizer.param_groups[0]["params"].append(layer(model).lora_A[PARENT].weight)

    monkeypatch.setattr(fit_module, "ProgressCallback", Smuggler)
    stopped_before_anything_is_written(shared, "smuggled", TrainableSetError)


def test_upstream_resumes_by_training_the_frozen_parent(shared, tiny_model, tmp_path):
    """Why `_load_from_checkpoint` is ours: the Trainer's own activates, loads and trains the first adapter."""
    parent = shared.registry.resolve("unified").path
    model = PeftModel.from_pretrained(tiny_model, parent, adapter_name="parent")
    model.add_adapter("child", LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.base_model.set_adapter(["parent", "child"], inference_mode=True)
    model.set_requires_grad("child", True)
    model.save_pretrained(tmp_path / "checkpoint-1")
    trainer = Trainer(model, TrainingArguments(str(tmp_path), report_to=[], use_cpu=True))
    trainer._load_from_checkpoint(str(tmp_path / "checkpoint-1"))
    trainable = {name.split(".")[-2] for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trainable == {"parent"}


def test_a_gradient_left_on_the_base_does_not_stop_the_next_training(shared, monkeypatch):
    with monkeypatch.context() as patch:
        with_rogue(patch, "on_pre_optimizer_step", leave_a_gradient)
        with pytest.raises(TrainableSetError, match=r"first `base_model\.model\.model\.norm\.weight`"):
            train(config_for(shared, "after"))
    train(config_for(shared, "after"))
    assert shared.published("after") == ["1.0.0"]
