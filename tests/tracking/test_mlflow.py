"""Trainings as a real MLflow server keeps them: read back through its REST client."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from adapterkit.config.schema import TrackingConfig, TrainConfig
from adapterkit.digest import sha256_file
from adapterkit.errors import TrackingError, TrainingError
from adapterkit.training.interruption import TrainingInterrupted
from adapterkit.training.trainer import AdapterTrainer
from adapterkit.workflows.train import train
from tests.tracking.conftest import Server
from tests.workflows.tiny import Workshop

pytestmark = pytest.mark.long


@pytest.fixture
def client(mlflow_server: Server) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(mlflow_server.uri, mlflow_server.uri)


def tracked(config: TrainConfig, server: Server, **changes: Any) -> TrainConfig:
    experiment = Path(config.registry).parent.name
    config.tracking = TrackingConfig(
        tensorboard=False, mlflow=True, mlflow_uri=server.uri, mlflow_experiment=experiment, **changes
    )
    return config


def runs_of(client: Any, config: TrainConfig) -> list[Any]:
    """The runs of a training's experiment, oldest first."""
    experiment = client.get_experiment_by_name(config.tracking.mlflow_experiment)
    return list(client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"]))


def history_of(config: TrainConfig) -> list[dict[str, Any]]:
    lines = (Path(config.output_dir) / "metrics_history.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def files_in(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in folder.rglob("*") if path.is_file()}


def test_a_training_is_read_back_as_it_was(shop: Workshop, mlflow_server: Server, client: Any, tmp_path: Path) -> None:
    parent = train(shop.config("unified")).artifact
    config = tracked(
        shop.config("child", "unified", validation=str(shop.held_out), description="Said <b>so</b>.", tags=["tiny"]),
        mlflow_server,
    )
    outcome = train(config)
    (run,) = runs_of(client, config)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "child")
    params, tags, manifest = run.data.params, run.data.tags, outcome.artifact.manifest
    assert (params["trainer.learning_rate"], params["adapter.r"], params["seed"]) == ("0.01", "2", "0")
    assert not [key for key in params if "registry" in key or "output_dir" in key]
    assert tags["adapterkit.run_key"] == manifest.run_key
    assert tags["adapterkit.base_source_digest"] == manifest.base.identity.source_digest
    assert tags["adapterkit.parent_0"] == "unified@1.0.0"
    assert tags["adapterkit.parent_0_weights_digest"] == parent.manifest.weights_digest
    assert tags["adapterkit.ref"] == "child@1.0.0"
    assert tags["mlflow.note.content"] == "Said <b>so</b>."

    history = {m.step: m.value for m in client.get_metric_history(run.info.run_id, "train/loss")}
    logged = {e["step"]: e["loss"] for e in history_of(config) if "loss" in e}
    assert history == logged
    assert set(logged) == {1, 2}
    for name in ("train/learning_rate", "train/grad_norm", "train/tokens_per_second"):
        assert len(client.get_metric_history(run.info.run_id, name)) == 2
    assert run.data.metrics["eval/loss"] == manifest.metrics["validation_loss"]
    assert outcome.test is not None
    assert run.data.metrics["test/after"] == outcome.test.after
    assert run.data.metrics["test/ci95_low"] == outcome.test.ci95_low

    (tmp_path / "fetched").mkdir()
    fetched = client.download_artifacts(run.info.run_id, "adapter", str(tmp_path / "fetched"))
    assert files_in(Path(fetched)) == files_in(outcome.artifact.path)
    (version,) = client.search_model_versions("name = 'child'")
    assert version.source == f"{run.info.artifact_uri}/adapter"
    assert (version.run_id, version.tags["adapterkit.ref"]) == (run.info.run_id, "child@1.0.0")
    assert version.tags["adapterkit.weights_digest"] == manifest.weights_digest
    assert version.tags["adapterkit.artifact_digest"] == outcome.artifact.digest


def test_the_same_weights_are_one_model_version_and_null_is_none(
    shop: Workshop, mlflow_server: Server, client: Any
) -> None:
    train(tracked(shop.config("twice"), mlflow_server, registered_model="Of the family"))
    again = tracked(shop.config("twice", force=True), mlflow_server, registered_model="Of the family")
    train(again)
    assert [run.info.status for run in runs_of(client, again)] == ["FINISHED", "FINISHED"]
    assert len(client.search_model_versions("name = 'Of the family'")) == 1
    train(tracked(shop.config("twice", seed=1), mlflow_server, registered_model="Of the family"))
    assert len(client.search_model_versions("name = 'Of the family'")) == 2
    train(tracked(shop.config("unnamed"), mlflow_server, registered_model=None))
    assert client.search_model_versions("name = 'unnamed'") == []


def test_a_tracked_training_has_the_key_and_the_bits_of_an_untracked_one(shop: Workshop, mlflow_server: Server) -> None:
    plain = train(shop.config("same"))
    assert not train(tracked(shop.config("same"), mlflow_server)).trained
    again = train(tracked(shop.config("same", force=True), mlflow_server))
    assert again.artifact.manifest.weights_digest == plain.artifact.manifest.weights_digest


def test_a_training_that_fails_is_a_failed_run(
    shop: Workshop, mlflow_server: Server, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise TrainingError("The loss became nan.", step=1)

    monkeypatch.setattr(AdapterTrainer, "compute_loss", fails)
    config = tracked(shop.config("broken"), mlflow_server)
    with pytest.raises(TrainingError):
        train(config)
    assert [run.info.status for run in runs_of(client, config)] == ["FAILED"]


def test_an_interrupted_training_is_killed_and_its_run_is_gone_on_with(
    shop: Workshop, mlflow_server: Server, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = AdapterTrainer.compute_loss

    def stopped(self: AdapterTrainer, *arguments: Any, **more: Any) -> Any:
        if self.state.global_step == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(self, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(AdapterTrainer, "compute_loss", stopped)
        first = tracked(shop.config("stopped", max_steps=3), mlflow_server)
        with pytest.raises(TrainingInterrupted):
            train(first)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    (run,) = runs_of(client, first)
    assert run.info.status == "KILLED"
    train(tracked(shop.config("stopped", max_steps=3, resume="auto"), mlflow_server))
    (again,) = runs_of(client, first)
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "train/loss")]
    assert steps == [1, 2, 3]
    (version,) = client.search_model_versions("name = 'stopped'")
    assert version.run_id == run.info.run_id


def test_a_run_that_was_deleted_meanwhile_is_begun_anew(shop: Workshop, mlflow_server: Server, client: Any) -> None:
    first = tracked(shop.config("deleted", max_steps=3, save_steps=1), mlflow_server)
    train(first)
    (run,) = runs_of(client, first)
    client.delete_run(run.info.run_id)
    train(tracked(shop.config("deleted", max_steps=3, save_steps=1, resume="auto", force=True), mlflow_server))
    (again,) = runs_of(client, first)
    assert again.info.run_id != run.info.run_id


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_server_that_dies_in_the_middle_costs_nothing_but_a_warning(
    shop: Workshop,
    mlflow_server: Server,
    client: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    comes_back: bool,
) -> None:
    alone = train(shop.config("alone", max_steps=6)).artifact.manifest.weights_digest
    plain = AdapterTrainer.compute_loss

    def pulled(self: AdapterTrainer, *arguments: Any, **more: Any) -> Any:
        if self.state.global_step == 2:
            mlflow_server.kill()
        if self.state.global_step == 4 and comes_back:
            mlflow_server.start()
        return plain(self, *arguments, **more)

    monkeypatch.setattr(AdapterTrainer, "compute_loss", pulled)
    config = tracked(shop.config("pulled", max_steps=6), mlflow_server)
    with caplog.at_level("INFO"):
        outcome = train(config)
    warned = [r.getMessage() for r in caplog.records if r.levelname == "WARNING" and "MLflow" in r.getMessage()]
    assert outcome.artifact.manifest.weights_digest == alone
    assert [entry["step"] for entry in history_of(config) if "loss" in entry] == [1, 2, 3, 4, 5, 6]
    if not comes_back:
        told = ["MLflow fails", "MLflow did not take 7 messages of this training"]
        assert [line.partition(" (")[0] for line in warned] == told
        assert "metrics_history.jsonl" in warned[1]
        return
    assert [line.partition(" (")[0] for line in warned] == ["MLflow fails"]
    (run,) = runs_of(client, config)
    assert run.info.status == "FINISHED"
    assert [metric.step for metric in client.get_metric_history(run.info.run_id, "train/loss")] == [1, 2, 3, 4, 5, 6]


def test_a_server_that_is_not_there_is_said_before_the_base_is_loaded(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("adapterkit.workflows.train.resident_base", lambda *_, **__: pytest.fail("the base was loaded"))
    nowhere = Server(tmp_path)
    config = tracked(shop.config("alone"), nowhere)
    config.tracking.mlflow_uri = nowhere.uri.replace("http://", "http://me:HUNTER1TWO@")
    with pytest.raises(TrackingError, match=r"tracking\.mlflow_uri=ADDRESS") as found:
        train(config)
    assert "HUNTER1TWO" not in str(found.value)
