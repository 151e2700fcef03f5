from __future__ import annotations

import pytest
from hydra._internal.utils import get_args_parser

from adapterkit.config.sweep_names import with_sweep_names


@pytest.mark.parametrize(
    ("arguments", "suffix"),
    [
        (["-m", "adapter.r=2,4"], ".${as_name:r${adapter.r}}"),
        (["--multirun", "seed=1,2", "adapter.r=2,4"], ".${as_name:seed${seed}}.${as_name:r${adapter.r}}"),
        (["-m", "trainer=default,persona"], ".${hydra:runtime.choices.trainer}"),
        (["-m", "seed=range(0,3)", "persona=lincoln,obama"], ".${as_name:seed${seed}}"),
        (
            ["-m", "trainer.learning_rate=choice(0.1,0.2)", "name=x"],
            ".${as_name:learning_rate${trainer.learning_rate}}",
        ),
    ],
)
def test_a_sweep_over_values_is_told_apart_by_them(arguments, suffix):
    assert with_sweep_names(arguments) == [*arguments, f"suffix='{suffix}'"]


def test_the_option_may_stand_between_overrides() -> None:
    suffix = "suffix='.${as_name:r${adapter.r}}'"
    assert with_sweep_names(["adapter.r=2,4", "-m", "seed=1"]) == ["-m", "adapter.r=2,4", "seed=1", suffix]


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["a=1", "--config-dir", "mine", "+recipe=x"], ["--config-dir", "mine"]),
        (["a=1", "-cd", "mine", "+recipe=x", "--cfg", "job"], ["-cd", "mine", "--cfg", "job"]),
        (["a=1", "--config-dir=mine", "+recipe=x"], ["--config-dir=mine"]),
    ],
)
def test_overrides_may_stand_on_both_sides_of_an_option(arguments: list[str], options: list[str]) -> None:
    given = with_sweep_names(arguments)
    assert given == [*options, "a=1", "+recipe=x"]
    assert get_args_parser().parse_args(given).overrides == ["a=1", "+recipe=x"]


def test_an_option_that_does_not_exist_is_left_to_hydra_to_refuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert with_sweep_names(["a=1", "--no-such-option"]) == ["a=1", "--no-such-option"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["adapter.r=2"],
        ["adapter.r=2,4"],  # no multirun: Hydra refuses it, in its own words
        ["-m", "persona=lincoln,obama"],
        ["-m", "name=a,b"],
        ["-m", "adapter.r=2", "data.train='a,b.jsonl'"],
        ["-m", "adapter.r=2,4", "suffix=.mine"],
        ["-m", "adapter.r=[2"],
    ],
)
def test_other_command_lines_stay_as_they_are(arguments):
    assert with_sweep_names(arguments) == arguments
