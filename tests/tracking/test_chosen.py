"""What is refused before anything is loaded, and what stays out of the run key."""

from __future__ import annotations

import builtins
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from adapterkit.config.asked import Asked
from adapterkit.config.compose import compose_asked, compose_recipe, composing
from adapterkit.config.flat import flat
from adapterkit.config.schema import TrackingConfig
from adapterkit.errors import MissingExtraError, TrackingError, UsageError
from adapterkit.training.run_key import data_settings_digest, settings_digest
from adapterkit.training.tracking import chosen
from adapterkit.training.tracking.chosen import trackers_of
from adapterkit.training.tracking.tracker import metrics_of
from adapterkit.workflows.train import train
from tests.driving import door
from tests.workflows.tiny import Workshop


@pytest.mark.parametrize(("module", "extra"), [("wandb", "adapterkit[wandb]"), ("mlflow", "adapterkit[mlflow]")])
def test_a_missing_package_is_said_with_its_command_before_anything_is_read(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, module: str, extra: str
) -> None:
    monkeypatch.setattr(chosen, "find_spec", lambda name: None if name == module else pytest.fail(name))
    config = shop.config("x", train="nowhere.jsonl")
    config.tracking = TrackingConfig(tensorboard=False, **{module: True})
    with pytest.raises(MissingExtraError, match="pip install") as found:
        train(config)
    assert extra in found.value.fix
    assert not Path(config.output_dir).exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"wandb": True, "wandb_mode": "on"}, "online or offline"),
        ({"mlflow": True}, "MLFLOW_TRACKING_URI"),
        ({"mlflow": True, "mlflow_uri": "http://x", "registered_model": "a/b"}, "registered_model=a/b"),
        ({"mlflow": True, "mlflow_uri": "http://x", "registered_model": "it's"}, "registered_model=it's"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        trackers_of(TrackingConfig(**changes), "x")


def test_both_at_once_and_none(monkeypatch: pytest.MonkeyPatch) -> None:
    both = TrackingConfig(wandb=True, mlflow=True, mlflow_uri="http://127.0.0.1:9")
    assert [tracker.key for tracker in trackers_of(both, "x")] == ["wandb", "mlflow"]
    monkeypatch.setattr(builtins, "__import__", lambda *_, **__: pytest.fail("something was imported"))
    assert trackers_of(TrackingConfig(), "x") == []


def test_tracking_is_no_part_of_the_run_key(shop: Workshop) -> None:
    one = shop.config("x")
    other = dataclasses.replace(
        one, tracking=TrackingConfig(wandb=True, mlflow=True, mlflow_uri="http://x", registered_model=None)
    )
    assert (settings_digest(one), data_settings_digest(one)) == (settings_digest(other), data_settings_digest(other))


@pytest.mark.parametrize(("group", "expected"), [("wandb", "wandb: true"), ("mlflow", "mlflow: true")])
def test_a_group_of_its_own_composes(tmp_path: Path, group: str, expected: str) -> None:
    done = door(tmp_path, "+recipe=unified", f"tracking={group}", "tracking.wandb_mode=offline", "--cfg", "job")
    assert done.returncode == 0, done.stderr
    assert f"  {expected}\n" in done.stdout
    assert "  tensorboard: false\n" in done.stdout


def test_names() -> None:
    assert metrics_of({"loss": 1, "eval_loss": 2.5, "epoch": 1.0, "told": "x"}) == {
        "train/loss": 1.0, "eval/loss": 2.5, "train/epoch": 1.0,
    }  # fmt: skip
    assert dict(flat({"a": {"b": None, "c": [1]}, "d": "x", "e": {}})) == {
        "a.b": "null",
        "a.c": "[1]",
        "d": "x",
        "e": "{}",
    }


@pytest.mark.parametrize(("given", "of_the_parent"), [("mine", "auto"), ("auto", "auto"), (None, None)])
def test_a_parent_that_is_trained_on_the_way_is_no_version_of_its_childs_model(
    given: str | None, of_the_parent: str | None
) -> None:
    with composing():
        child = compose_asked(Asked("persona_on_unified", ("persona=lincoln", "tracking=mlflow"))).config
        child.tracking.registered_model = given
        parent = compose_recipe("unified", child, Asked())
    assert parent is not None
    assert (parent[0].tracking.mlflow, parent[0].tracking.registered_model) == (True, of_the_parent)


@pytest.mark.parametrize("address", ["foo", "ftp://somebody:s3cretpw@localhost/x"])
def test_an_address_that_mlflow_does_not_know_is_an_error_without_its_password(shop: Workshop, address: str) -> None:
    config = shop.config("odd_address")
    config.tracking = TrackingConfig(tensorboard=False, mlflow=True, mlflow_uri=address)
    with pytest.raises(TrackingError, match="cannot be used") as found:
        train(config)
    assert "s3cretpw" not in str(found.value)
    assert shop.published("odd_address") == []
