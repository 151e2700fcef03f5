"""Named choices: what there is, and what is refused because it would change the base that others share."""

from __future__ import annotations

import pytest

from adapterkit.config.choices import OPTIMIZERS, STARTS, check_choices
from adapterkit.config.schema import AdapterConfig, TrainConfig, TrainerConfig
from adapterkit.errors import UnknownNameError, UsageError


def config(start: str = "default", optimizer: str = "adamw") -> TrainConfig:
    return TrainConfig(
        adapter=AdapterConfig(r=8, lora_alpha=16, init_lora_weights=start),
        trainer=TrainerConfig(epochs=1, learning_rate=1e-4, optimizer=optimizer),
    )


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_there_is_passes(start: str, optimizer: str) -> None:
    check_choices(config(start, optimizer))


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_4", "olora", "corda", "loftq", "lora_ga"])
def test_a_start_that_rewrites_the_base_is_refused_with_the_reason_and_what_to_use(start: str) -> None:
    told = rf"init_lora_weights={start} would rewrite the base.*(Siblings and parents).*Use .*\w+=\w+"
    with pytest.raises(UsageError, match=told):
        check_choices(config(start))


@pytest.mark.parametrize("start", ["eva", "gaussian"])
def test_one_start_or_the_other(start: str) -> None:
    asked = config(start)
    asked.incremental = True
    told = rf"incremental=true.*{start} from other ones.*init_lora_weights=default.*incremental=false"
    with pytest.raises(UsageError, match=told):
        check_choices(asked)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (config(start="gausian"), "Did you mean gaussian"),
        (config(start="orthogonal"), "Any of default, gaussian, eva will do"),
        (config(optimizer="adam"), "Did you mean adamw"),
        (config(optimizer="paged_adamw_8bits"), "Did you mean paged_adamw_8bit"),
    ],
)
def test_what_is_misspelt_is_told(asked: TrainConfig, meant: str) -> None:
    with pytest.raises(UnknownNameError, match=meant):
        check_choices(asked)
