from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.numpy import load

from adapterkit.artifacts import read_verified, verified_weights
from adapterkit.digest import sha256_file
from adapterkit.errors import ArtifactError
from adapterkit.manifest import CHECKSUMS_FILE, WEIGHTS_FILE
from artifacts.samples import edit, lora_tensors


def test_an_intact_artifact_is_read(artifact_dir: Path) -> None:
    artifact = read_verified(artifact_dir)
    assert str(artifact.ref) == "unified@1.0.0"
    assert artifact.digest == sha256_file(artifact_dir / CHECKSUMS_FILE)
    weights = load(verified_weights(artifact))
    assert all((weights[name] == tensor).all() for name, tensor in lora_tensors().items())


def test_every_problem_is_listed(artifact_dir: Path) -> None:
    (artifact_dir / WEIGHTS_FILE).write_bytes(b"x")
    (artifact_dir / "README.md").write_bytes(b"x")
    with pytest.raises(ArtifactError, match=r"not intact: 2 problems") as caught:
        read_verified(artifact_dir)
    assert [line.split(":")[0] for line in caught.value.problems] == ["README.md", WEIGHTS_FILE]


def test_weights_changed_after_the_verification_are_not_given(artifact_dir: Path) -> None:
    artifact = read_verified(artifact_dir)
    data = bytearray((artifact_dir / WEIGHTS_FILE).read_bytes())
    data[-1] ^= 1
    (artifact_dir / WEIGHTS_FILE).write_bytes(data)
    with pytest.raises(ArtifactError, match=r"adapter_model.safetensors: changed since unified@1.0.0 was verified"):
        verified_weights(artifact)


def test_weights_and_checksums_changed_together_are_not_given(artifact_dir: Path) -> None:
    artifact = read_verified(artifact_dir)
    edit(artifact_dir, WEIGHTS_FILE, b"other")
    with pytest.raises(ArtifactError, match=r"checksums.json: changed since"):
        verified_weights(artifact)


def test_weights_that_are_gone_are_named(artifact_dir: Path) -> None:
    artifact = read_verified(artifact_dir)
    (artifact_dir / WEIGHTS_FILE).unlink()
    with pytest.raises(ArtifactError, match=r"adapter_model.safetensors: cannot be read"):
        verified_weights(artifact)
