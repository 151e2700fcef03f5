"""Weights & Biases without an account or a network: its files are read back."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapterkit.config.schema import TrackingConfig, TrainConfig
from adapterkit.errors import TrackingError, TrainingError
from adapterkit.training.interruption import TrainingInterrupted
from adapterkit.training.trainer import AdapterTrainer
from adapterkit.workflows.train import train
from tests.workflows.test_secrets import SECRETS, holding_secrets
from tests.workflows.tiny import Workshop


def offline(config: TrainConfig) -> TrainConfig:
    config.tracking = TrackingConfig(tensorboard=False, wandb=True, wandb_mode="offline", wandb_project="tiny")
    return config


def records_of(config: TrainConfig) -> list[Any]:
    """All records of a run's one file, which W&B's own process writes until it ends."""
    import wandb
    from wandb.proto import wandb_internal_pb2

    wandb.teardown()
    (path,) = (Path(config.output_dir) / "wandb").glob("offline-run-*/*.wandb")
    return [wandb_internal_pb2.Record.FromString(data) for data in logged_in(path.read_bytes())]


def logged_in(data: bytes) -> Iterator[bytes]:
    """The entries of a log of LevelDB's form: blocks of 32 KiB, and in them fragments, each after 7 bytes about it.

    The file's own 7 bytes belong to the first block. wandb 0.31 reads these files in Go alone.
    """
    at, block, whole = 7, 32768, b""
    while at < len(data):
        if block - at % block < 7:
            at += block - at % block
            continue
        _, size, kind = struct.unpack_from("<IHB", data, at)
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last of several
            yield whole
            whole = b""


def md5_of(path: Path) -> str:
    return base64.b64encode(hashlib.md5(path.read_bytes()).digest()).decode()


def exit_code(records: list[Any]) -> int:
    (code,) = [record.exit.exit_code for record in records if record.HasField("exit")]
    return int(code)


def history(records: list[Any]) -> list[dict[str, Any]]:
    return [
        {(item.key or "/".join(item.nested_key)): json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.HasField("history")
    ]


def test_a_training_is_read_back_as_it_was(shop: Workshop) -> None:
    parent = train(shop.config("unified")).artifact
    config = offline(shop.config("child", "unified", validation=str(shop.held_out), description="Mine.", tags=["tiny"]))
    outcome = train(config)
    records, manifest = records_of(config), outcome.artifact.manifest
    (run,) = [record.run for record in records if record.HasField("run")]
    assert (run.project, run.display_name, run.notes, list(run.tags)) == ("tiny", "child", "Mine.", ["tiny"])
    told = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert (told["trainer.learning_rate"], told["adapter.r"]) == ("0.01", "2")
    assert told["adapterkit.run_key"] == manifest.run_key
    assert told["adapterkit.parent_0_weights_digest"] == parent.manifest.weights_digest

    rows = history(records)
    file = Path(config.output_dir) / "metrics_history.jsonl"
    logged = [json.loads(line) for line in file.read_text().splitlines()]
    losses = {entry["step"]: entry["loss"] for entry in logged if "loss" in entry}
    assert {row["step"]: row["train/loss"] for row in rows if "train/loss" in row} == losses
    assert [row["eval/loss"] for row in rows if "eval/loss" in row] == [manifest.metrics["validation_loss"]]
    assert outcome.test is not None
    assert [row["test/after"] for row in rows if "test/after" in row] == [outcome.test.after]

    (artifact,) = [record.artifact for record in records if record.HasField("artifact")]
    assert (artifact.type, artifact.name, set(artifact.aliases)) == ("lora-adapter", "child", {"latest", "1.0.0"})
    contents = {entry.path: entry.digest for entry in artifact.manifest.contents}
    assert contents == {path.name: md5_of(path) for path in outcome.artifact.path.iterdir()}
    assert json.loads(artifact.metadata)["adapterkit.weights_digest"] == manifest.weights_digest
    assert exit_code(records) == 0
    assert json.loads((Path(config.output_dir) / "tracking.json").read_text())["wandb"]["run_id"] == run.run_id


def test_a_failed_training_is_a_failed_run(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise TrainingError("The loss became nan.", step=1)

    monkeypatch.setattr(AdapterTrainer, "compute_loss", fails)
    config = offline(shop.config("broken"))
    with pytest.raises(TrainingError):
        train(config)
    assert exit_code(records_of(config)) == 1


def test_an_interrupted_training_is_preempted_and_its_run_is_gone_on_with(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = AdapterTrainer.compute_loss

    def stopped(self: AdapterTrainer, *arguments: Any, **more: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return plain(self, *arguments, **more)

    first, second = (offline(shop.config("stopped", resume="auto")) for _ in range(2))
    with monkeypatch.context() as patch:
        patch.setattr(AdapterTrainer, "compute_loss", stopped)
        with pytest.raises(TrainingInterrupted):
            train(first)
    records = records_of(first)
    assert [record for record in records if record.HasField("preempting")]
    assert exit_code(records) == 1
    train(second)
    runs = [record.run.run_id for one in (records, records_of(second)) for record in one if record.HasField("run")]
    assert len(set(runs)) == 1
    assert [row["step"] for row in history(records_of(second)) if "train/loss" in row] == [2]


def test_nothing_secret_is_in_its_files(shop: Workshop) -> None:
    config = offline(shop.config("secret", description=f"token={SECRETS[4]}", tags=[SECRETS[0], SECRETS[2]]))
    train(config)
    assert holding_secrets(Path(config.output_dir)) == []


def test_without_a_key_it_is_said_before_the_base_is_loaded(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapterkit.workflows.train.resident_base", lambda *_, **__: pytest.fail("the base was loaded"))
    config = shop.config("online")
    config.tracking = TrackingConfig(tensorboard=False, wandb=True)
    with pytest.raises(TrackingError, match=r"wandb login.*wandb_mode=offline"):
        train(config)


@pytest.mark.long  # wandb tries for a while
def test_a_server_that_does_not_answer_is_said_before_the_base_is_loaded(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapterkit.workflows.train.resident_base", lambda *_, **__: pytest.fail("the base was loaded"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "a1" * 20)
    config = shop.config("online")
    config.tracking = TrackingConfig(tensorboard=False, wandb=True)
    with pytest.raises(TrackingError, match=r"cannot be used: [\s\S]*wandb_mode=offline") as found:
        train(config)
    assert "a1a1" not in str(found.value)
