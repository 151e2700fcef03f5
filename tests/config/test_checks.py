"""Every number is checked before anything is read."""

import dataclasses

import pytest

from adapterkit.config.checks import SCHEDULERS, check_values
from adapterkit.config.schema import AdapterConfig, TrainConfig, TrainerConfig
from adapterkit.errors import UsageError

GOOD = TrainConfig(adapter=AdapterConfig(r=8, lora_alpha=16), trainer=TrainerConfig(epochs=1, learning_rate=1e-4))


def with_value(key: str, value: object) -> TrainConfig:
    part, _, name = key.rpartition(".")
    if not part:
        return dataclasses.replace(GOOD, **{name: value})
    return dataclasses.replace(GOOD, **{part: dataclasses.replace(getattr(GOOD, part), **{name: value})})


def test_the_defaults_pass() -> None:
    check_values(GOOD)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", -1),
        ("seed", 2**32),
        ("adapter.r", 0),
        ("adapter.lora_alpha", float("nan")),
        ("adapter.lora_dropout", 1.0),
        ("data.max_train_rows", 0),
        ("trainer.epochs", 0),
        ("trainer.max_steps", 0),
        ("trainer.learning_rate", float("inf")),
        ("trainer.learning_rate", -1e-4),
        ("trainer.batch_size", 0),
        ("trainer.warmup_ratio", 1.5),
        ("trainer.lr_scheduler", "cosin"),
    ],
)
def test_a_number_out_of_range_names_its_key(key: str, value: object) -> None:
    with pytest.raises(UsageError, match=key):
        check_values(with_value(key, value))


def test_every_schedule_is_one_of_transformers() -> None:
    from transformers import SchedulerType

    assert {*SCHEDULERS} - {"exponential"} <= {kind.value for kind in SchedulerType}


@pytest.mark.parametrize("targets", [[], "", 5, {"q_proj": 1}, ["q_proj", 5], [""], None])
def test_targets_that_name_no_module_are_refused(targets: object) -> None:
    with pytest.raises(UsageError, match=r"adapter\.target_modules="):
        check_values(with_value("adapter.target_modules", targets))
