"""The doors as processes of their own, on the real model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapterkit.digest import sha256_file
from adapterkit.registry import Registry

SMALL = [
    "data.max_train_rows=8", "data.validation=null", "data.test=null", "trainer.batch_size=4", "trainer.max_steps=2",
    "device=cpu",
]  # fmt: skip


def run(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"ADAPTERKIT_REGISTRY": str(folder / "adapters")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_one_seed_gives_the_same_bytes_in_two_processes_and_the_command_asks_them(tmp_path: Path) -> None:
    digests = set()
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        run(folder, "-m", "adapterkit.train", "+recipe=unified", *SMALL)
        said = run(folder, "-m", "adapterkit.train", "+recipe=persona_on_unified", *SMALL)
        assert "base unchanged 1325 tensors" in said
        published = Registry(folder / "adapters").resolve("persona_lincoln").path
        digests.add(sha256_file(published / "adapter_model.safetensors"))
    assert len(digests) == 1
    assert run(tmp_path / "first", "-m", "adapterkit", "chat", "persona_lincoln", "--message", "Who are you?").strip()


@pytest.mark.long
def test_a_published_adapter_is_reproduced_bit_for_bit_in_a_fresh_process(tmp_path: Path) -> None:
    run(tmp_path, "-m", "adapterkit.train", "+recipe=unified", *SMALL)
    assert "unified@1.0.0  fresh" in run(tmp_path, "-m", "adapterkit", "status")
    assert "is up to date" in run(tmp_path, "-m", "adapterkit.train", "+recipe=unified", *SMALL)
    said = run(tmp_path, "-m", "adapterkit", "reproduce", "unified")
    assert "unified@1.0.0 is reproduced: all 420 tensors are bit-identical" in said
