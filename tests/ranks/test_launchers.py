"""The launchers as a user starts them: one run directory, one voice, one published adapter."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from adapterkit.digest import sha256_file
from tests.ranks.conftest import ROOT, WORDS
from tests.workflows.tiny import write_chats

pytestmark = pytest.mark.long

TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-addr", "127.0.0.1")
ACCELERATE = ("-m", "accelerate.commands.launch")
CONFIGS = ROOT / "adapterkit" / "ranks" / "configs"
WEIGHTS = "final_artifact/adapter_model.safetensors"


@pytest.fixture
def folder(tmp_path: Path, tiny_base_dir: Path) -> Path:
    """A folder as a user keeps it."""
    (tmp_path / "base").symlink_to(tiny_base_dir)
    write_chats(tmp_path / "train.jsonl", WORDS)
    return tmp_path


def start(folder: Path, launcher: Sequence[str], *overrides: str, recipe: str = "unified") -> subprocess.Popen[str]:
    """Launch a training of the folder's rows."""
    words = [
        sys.executable, *launcher, "-m", "adapterkit.train", f"+recipe={recipe}", "data=chat", "data.train=train.jsonl",
        "model.id=base", "quantization=fp32", "trainer.batch_size=4", "trainer.max_steps=4", *overrides,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        words, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def free_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


@pytest.mark.parametrize("launcher", ["torchrun", "ddp_cpu", "fsdp_qlora"])
def test_a_launcher_makes_one_run_and_one_adapter(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, launcher: str
) -> None:
    if launcher == "torchrun":
        words = [*TORCHRUN, "--master-port", free_port()]
    else:
        config = tmp_path_factory.mktemp("configs") / f"{launcher}.yaml"
        config.write_text((CONFIGS / config.name).read_text().replace("use_cpu: false", "use_cpu: true"))
        words = [*ACCELERATE, "--config_file", str(config), "--main_process_port", free_port()]
    process = start(folder, words, "trainer.save_steps=2", "device=cpu")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.count("Published unified_chat@1.0.0") == 1
    assert out.count("Data: ") == 1
    (run,) = (folder / "outputs" / "unified_chat").iterdir()
    assert json.loads((run / "training_results.json").read_text())["environment"]["ranks"] == 2
    assert len(list((run / "tensorboard").iterdir())) == 1
    steps = [json.loads(line)["step"] for line in (run / "metrics_history.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert sorted(path.name for path in folder.iterdir()) == ["adapters", "base", "outputs", "train.jsonl"]


def test_sigterm_to_a_launcher_saves_and_the_same_command_goes_on(folder: Path) -> None:
    """torchrun hands the signal on and ends with a code of its own; what was saved is what counts."""
    settings = ("trainer.save_steps=1000", "trainer.max_steps=60", "trainer.epochs=99", "adapter.lora_dropout=0.2")
    whole = start(folder, (*TORCHRUN, "--master-port", free_port()), *settings, "output_dir=whole", "name=whole")
    _, err = whole.communicate(timeout=300)
    assert whole.returncode == 0, err
    stopped = start(folder, (*TORCHRUN, "--master-port", free_port()), *settings, "trainer.logging_steps=1")
    runs, deadline = folder / "outputs" / "unified_chat", time.monotonic() + 200
    while not list(runs.glob("*/metrics_history.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.01)
    stopped.send_signal(signal.SIGTERM)
    _, err = stopped.communicate(timeout=100)
    print(f"torchrun left with {stopped.returncode}")
    assert stopped.returncode != 0
    assert "saved in" in err
    assert len(list(runs.glob("*/checkpoint-*"))) == 1
    resumed = start(folder, (*TORCHRUN, "--master-port", free_port()), *settings, "resume=auto")
    out, err = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, err
    assert "Going on from" in out
    (after,) = runs.glob(f"*/{WEIGHTS}")
    assert sha256_file(after) == sha256_file(folder / "whole" / WEIGHTS)


def test_a_missing_parent_is_trained_by_all_ranks_first(folder: Path) -> None:
    words = (*TORCHRUN, "--master-port", free_port())
    process = start(folder, words, "persona=alice", "trainer.max_steps=2", recipe="persona_on_unified")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.count("Published unified_chat@1.0.0") == 1
    assert out.count("Published persona_alice@1.0.0") == 1
    assert len(list((folder / "outputs").glob("*/*/final_artifact"))) == 2


def test_an_error_of_the_user_is_told_once(folder: Path) -> None:
    process = start(folder, (*TORCHRUN, "--master-port", free_port()), "trainer.no_such_key=1")
    _, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert err.count("error: ") == 1
    assert "no_such_key" in err


def test_accelerate_with_cpu_starts_one_process_and_is_told_so(folder: Path) -> None:
    """`accelerate launch --cpu --num_processes 2` starts a single process, and says nothing of it."""
    process = start(folder, (*ACCELERATE, "--cpu", "--num_processes", "2"))
    _, err = process.communicate(timeout=100)
    assert process.returncode != 0
    assert "Several processes were asked for" in err
    assert not (folder / "adapters").exists()
