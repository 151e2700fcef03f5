"""Secrets that somebody writes where they do not belong: none of them is in a byte of what a training leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from artifacts.samples import draft_of, write_adapter

from adapterkit.config.redaction import REDACTED
from adapterkit.errors import UsageError
from adapterkit.manifest import DataRecord, RecipeRecord
from adapterkit.registry import Registry
from adapterkit.workflows.reproduce import reproduce
from tests.driving import door
from tests.workflows.project import FAMILY, Project
from tests.workflows.tiny import TRAIN, write_chats

HF, GHP, AWS, SK = "hf_" + "Ab1" * 11, "ghp_" + "a1" * 18, "AKIA" + "ABCD1234" * 2, "sk-proj-" + "aB3_" * 10
# Each stands behind a key, in an address or in a shape that tells what it is.
WORDS = [f"HUNTER{number}TWO" for number in range(12)]
SECRETS = [HF, GHP, AWS, SK, *WORDS]
ADDRESS = f"https://me:{WORDS[0]}@host/x?token={WORDS[1]}&page=2"


def holding_secrets(folder: Path) -> list[str]:
    """The files below a folder that hold a secret in their bytes or, below that folder, in their names."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [
        f"{file.relative_to(folder)}: {secret}"
        for file in files
        for secret in SECRETS
        if secret.encode() in file.read_bytes() or secret in str(file.relative_to(folder))
    ]


@pytest.fixture
def trained_with_secrets(tmp_path: Path, tiny_base_dir: Path) -> Path:
    project = Project.begun(tmp_path, tiny_base_dir)
    data = tmp_path / f"chats?token={WORDS[2]}"
    data.mkdir()
    write_chats(data / "train.jsonl", TRAIN)
    project.recipe.write_text(FAMILY + f"description: See {ADDRESS}, or ask with {HF}. The api_key={WORDS[3]}\n")
    words = [
        "--config-dir", "mine", "+recipe=family",
        f"data.train='{data.name}/train.jsonl'", f"data.system='Use {SK} and {AWS}'",
        f"tags=['{GHP}','password={WORDS[4]}','{ADDRESS}']", "tracking=tensorboard",
        f"registry='adapters?token={WORDS[5]}'", "trainer.save_steps=1", "trainer.keep_best=false",
    ]  # fmt: skip
    done = door(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_no_byte_of_a_training_holds_a_secret(trained_with_secrets: Path) -> None:
    registry = Registry(trained_with_secrets / f"adapters?token={WORDS[5]}")
    assert registry.verify("unified").ok
    assert holding_secrets(registry.path) == []
    assert holding_secrets(trained_with_secrets / "outputs") == []
    manifest = registry.manifest("unified")
    assert manifest.description == (
        f"See https://{REDACTED}@host/x?token={REDACTED}&page=2, or ask with {REDACTED}. The api_key={REDACTED}"
    )
    assert list((trained_with_secrets / "outputs").glob("*/*/train.log"))
    with pytest.raises(UsageError, match="secret"):
        reproduce(registry, "unified")


def kept(folder: Path) -> Path:
    """A folder that stays though its job fails, because something of the user's lies in it."""
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    return folder


def test_a_failed_command_leaves_none_either(tmp_path: Path) -> None:
    run = kept(tmp_path / "run")
    words = [f"data.train=https://me:{WORDS[0]}@host/x", "data=chat", f"+hub.token={WORDS[1]}", "seed=1"]
    assert door(tmp_path, *words, f"+trainer.auth_token={WORDS[2]}", "hydra.run.dir=run").returncode in (1, 2)
    assert {path.name for path in run.rglob("*.yaml")} >= {"config.yaml", "overrides.yaml"}
    assert holding_secrets(tmp_path) == []


def test_nothing_that_is_saved_for_a_sweep_holds_one(tmp_path: Path) -> None:
    train, validation = f"data.train=https://me:{WORDS[0]}@host/x", f"data.validation='https://me:{WORDS[2]}@host/x'"
    for job in "01":
        kept(tmp_path / "outputs" / job)
    words = [train, validation, "data=chat", "adapter.r=1,2", "hydra.sweep.subdir=${hydra.job.num}"]
    assert door(tmp_path, *words, "-m", f"data.system='api_key={WORDS[1]}'").returncode == 1
    saved = {file.name for file in (tmp_path / "outputs").rglob("*.yaml")}
    assert saved >= {"multirun.yaml", "config.yaml", "overrides.yaml"}
    assert holding_secrets(tmp_path) == []


def test_whatever_publishes_an_artifact_writes_none(tmp_path: Path) -> None:
    recipe = RecipeRecord(
        "unified", (f"hub.token={WORDS[0]}",), f"mine?token={WORDS[1]}", {"train": "a" * 64}, None, "b" * 64, "c" * 64,
        None, 4,
    )  # fmt: skip
    registry = Registry(tmp_path / "adapters")
    registry.publish(
        draft_of(
            write_adapter(tmp_path / "adapter"),
            description=f"From {ADDRESS}",
            tags=(GHP,),
            data=DataRecord(ADDRESS, "c" * 64, 5, 40, {f"file:{ADDRESS}": "d" * 64}),
            custom={
                "api_key": WORDS[2],
                "nested": [{"password": WORDS[3]}, f"{AWS}"],
                f"note {HF}": "token=" + WORDS[4],
            },
            environment={"HF_TOKEN": WORDS[5], "seed": 0},
            training_config=f"name: unified\nhub:\n  token: {WORDS[6]}\nnote: {ADDRESS}\n",
            training_metrics={"secret": WORDS[7], "loss": [2.5]},
            recipe=recipe,
        )
    )
    assert registry.verify("unified").ok
    assert holding_secrets(registry.path) == []
