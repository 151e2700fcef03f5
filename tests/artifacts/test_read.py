from __future__ import annotations

import os
from pathlib import Path

import pytest
from safetensors.numpy import load

from adapterkit.artifacts import read_checksums, read_verified, verified_settings, verified_weights
from adapterkit.artifacts.checksums import read_listed
from adapterkit.digest import sha256_file
from adapterkit.errors import ArtifactError
from adapterkit.manifest import ADAPTER_CONFIG_FILE, CHECKSUMS_FILE, MANIFEST_FILE, WEIGHTS_FILE
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
    assert [problem.file for problem in caught.value.problems] == ["README.md", WEIGHTS_FILE]


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


@pytest.mark.parametrize("file", [MANIFEST_FILE, ADAPTER_CONFIG_FILE])
def test_bytes_that_changed_after_they_were_hashed_are_not_read(artifact_dir: Path, file: str) -> None:
    checksums = read_checksums(artifact_dir)
    whole = (artifact_dir / file).read_bytes()
    assert read_listed(artifact_dir, checksums, file, limit=10_000) == whole
    (artifact_dir / file).write_bytes(whole.replace(b"0", b"1", 1))
    with pytest.raises(ArtifactError, match=f"{file}: its bytes are not those that {CHECKSUMS_FILE} lists"):
        read_listed(artifact_dir, checksums, file, limit=10_000)


def test_settings_changed_after_the_verification_are_not_given(artifact_dir: Path) -> None:
    artifact = read_verified(artifact_dir)
    assert verified_settings(artifact).rank == 4
    path = artifact_dir / ADAPTER_CONFIG_FILE
    path.write_bytes(path.read_bytes().replace(b'"lora_alpha": 8', b'"lora_alpha": 9'))
    with pytest.raises(ArtifactError, match=r"adapter_config.json: changed since unified@1.0.0 was verified"):
        verified_settings(artifact)


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_weights_that_became_something_else_are_not_waited_for(artifact_dir: Path, kind: str, tmp_path: Path) -> None:
    artifact = read_verified(artifact_dir)
    path = (artifact_dir / WEIGHTS_FILE).rename(tmp_path / "weights")
    place = artifact_dir / WEIGHTS_FILE
    {"pipe": lambda: os.mkfifo(place), "link": lambda: place.symlink_to(path), "folder": place.mkdir}[kind]()
    with pytest.raises(ArtifactError, match=r"adapter_model.safetensors: cannot be read"):
        verified_weights(artifact)


def test_weights_that_are_gone_are_named(artifact_dir: Path) -> None:
    artifact = read_verified(artifact_dir)
    (artifact_dir / WEIGHTS_FILE).unlink()
    with pytest.raises(ArtifactError, match=r"adapter_model.safetensors: cannot be read"):
        verified_weights(artifact)
