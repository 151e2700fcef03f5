"""Every number is checked before anything is read."""

import dataclasses

import pytest

from adapterkit.config.checks import check_values
from adapterkit.config.schedules import SCHEDULERS, schedule_settings
from adapterkit.config.schema import AdapterConfig, ScheduleConfig, TrainConfig, TrainerConfig
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


def scheduled(schedule: str, **settings: float) -> TrainConfig:
    told = dataclasses.replace(
        GOOD.trainer,
        lr_scheduler=schedule,
        lr_scheduler_kwargs=ScheduleConfig(**settings),  # type: ignore[arg-type]
    )
    return dataclasses.replace(GOOD, trainer=told)


@pytest.mark.parametrize(
    ("schedule", "settings"),
    [
        ("linear", {}),
        ("cosine", {"num_cycles": 1.5}),
        ("cosine_with_restarts", {"num_cycles": 3.0}),
        ("polynomial", {"power": 2.0, "lr_end": 1e-6}),
        ("inverse_sqrt", {"timescale": 10}),
    ],
)
def test_what_a_schedule_takes_is_what_transformers_builds_it_with(schedule: str, settings: dict[str, float]) -> None:
    from torch import nn, optim
    from transformers import get_scheduler

    config = scheduled(schedule, **settings)
    check_values(config)
    optimizer = optim.SGD([nn.Parameter(nn.init.zeros_(nn.Linear(1, 1).weight))], lr=GOOD.trainer.learning_rate)
    get_scheduler(schedule, optimizer, 1, 10, scheduler_specific_kwargs=schedule_settings(config.trainer))


@pytest.mark.parametrize(
    ("schedule", "settings", "told"),
    [
        ("linear", {"power": 2.0}, "linear takes nothing"),
        ("exponential", {"num_cycles": 2}, "exponential takes nothing"),
        ("polynomial", {"num_cycles": 2}, "takes power, lr_end"),
        ("polynomial", {"lr_end": 1.0}, "not below trainer.learning_rate"),
        ("cosine_with_restarts", {"num_cycles": 1.5}, "whole number"),
        ("cosine", {"num_cycles": float("nan")}, "above 0"),
        ("inverse_sqrt", {"timescale": 0}, "from 1 on"),
    ],
)
def test_a_setting_that_a_schedule_does_not_take_is_refused(
    schedule: str, settings: dict[str, float], told: str
) -> None:
    with pytest.raises(UsageError, match=rf"trainer\.lr_scheduler_kwargs\.\w+=.*{told}"):
        check_values(scheduled(schedule, **settings))


@pytest.mark.parametrize("targets", [[], "", 5, {"q_proj": 1}, ["q_proj", 5], [""], None])
def test_targets_that_name_no_module_are_refused(targets: object) -> None:
    with pytest.raises(UsageError, match=r"adapter\.target_modules="):
        check_values(with_value("adapter.target_modules", targets))
