from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from artifacts.samples import draft_of, lora_tensors, write_adapter

from adapterkit.errors import ArtifactError, RegistryError
from adapterkit.lineage import LineageMember
from adapterkit.manifest import MANDATORY_FILES, Manifest
from adapterkit.names import AdapterRef, Version
from adapterkit.registry import Registry
from registry.conftest import Publish


def test_an_artifact_holds_exactly_its_files_and_verifies(publish: Publish, registry: Registry) -> None:
    published = publish()
    assert published.new
    assert published.path == registry.path / "unified" / "1.0.0"
    assert sorted(entry.name for entry in published.path.iterdir()) == sorted(MANDATORY_FILES)
    assert registry.verify("unified").ok
    assert registry.artifact("unified").manifest == published.manifest
    assert registry.artifact("unified").digest == published.digest
    assert Manifest.from_json(json.loads((published.path / "metadata.json").read_bytes())) == published.manifest


def test_the_same_facts_give_the_same_bytes(tmp_path: Path) -> None:
    folders = []
    for place, targets in (("a", ["q_proj", "v_proj"]), ("b", ["v_proj", "q_proj"])):
        folder = write_adapter(tmp_path / place / "raw", target_modules=targets)
        folders.append(Registry(tmp_path / place / "adapters").publish(draft_of(folder)).path)
    for name in set(MANDATORY_FILES) - {"metadata.json", "README.md", "checksums.json"}:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_the_config_names_the_base_and_sorted_targets(publish: Publish) -> None:
    plain = json.loads((publish().path / "adapter_config.json").read_bytes())
    assert plain["base_model_name_or_path"] == "tiny/base"
    assert plain["target_modules"] == ["q_proj", "v_proj"]
    assert plain["inference_mode"] is True


def test_the_same_run_and_weights_are_published_once(publish: Publish, registry: Registry) -> None:
    first, again = publish(), publish()
    assert (again.new, again.path, again.digest) == (False, first.path, first.digest)
    assert publish(seed=0, run_key="7" * 64).new
    assert publish(seed=1, run_key="7" * 64).new
    assert len(registry.versions("unified")) == 3


def test_a_damaged_artifact_is_not_taken_for_the_same(publish: Publish) -> None:
    first = publish()
    (first.path / "README.md").write_bytes(b"x")
    assert publish().new


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"training_metrics": {"loss": float("nan")}}, "training_metrics.json: cannot be written"),
        ({"metrics": {"loss": float("inf")}}, "metadata.json: cannot be written"),
        ({"custom": {"path": Path("x")}}, "metadata.json: cannot be written"),
        ({"run_key": "short"}, "not a sha256"),
        ({"training_config": "a: &x 1\nb: *x\n"}, "anchors or aliases"),
    ],
)
def test_what_is_unfit_is_not_published(publish: Publish, registry: Registry, changes: dict, match: str) -> None:
    with pytest.raises(ArtifactError, match=match):
        publish(**changes)
    assert registry.versions("unified") == []
    assert not (registry.path / "unified").exists() or list((registry.path / "unified").iterdir()) == []


def test_nan_weights_are_not_published(tmp_path: Path, registry: Registry) -> None:
    tensors = lora_tensors()
    next(iter(tensors.values()))[0, 0] = np.nan
    with pytest.raises(ArtifactError, match="learning_rate"):
        registry.publish(draft_of(write_adapter(tmp_path / "raw", tensors=tensors)))


def test_a_base_that_moved_is_not_published(publish: Publish, tmp_path: Path) -> None:
    base = draft_of(tmp_path).base
    moved = type(base)(base.identity, "b" * 64, "c" * 64, 20)
    with pytest.raises(ArtifactError, match="fingerprint after training differs"):
        publish(base=moved)


def test_parents_must_be_published_and_the_same(publish: Publish, tmp_path: Path) -> None:
    absent = LineageMember(AdapterRef("unified", Version(1, 0, 0)), "9" * 64)
    with pytest.raises(RegistryError, match=r"unified@1.0.0: is missing"):
        publish("child", parents=(absent,))
    publish()
    with pytest.raises(RegistryError, match=r"unified@1.0.0: was changed"):
        publish("child", parents=(absent,))


def test_an_extra_file_must_have_a_known_name(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no place for notes.txt.*test_metrics.json"):
        draft_of(tmp_path, extra_files={"notes.txt": tmp_path})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_explained(publish: Publish, registry: Registry) -> None:
    registry.path.mkdir()
    registry.path.chmod(0o500)
    with pytest.raises(RegistryError, match="Permission is missing"):
        publish()


def test_a_registry_that_is_a_file_is_explained(publish: Publish, registry: Registry) -> None:
    registry.path.write_bytes(b"")
    with pytest.raises(RegistryError, match="A part of this path is a file"):
        publish()
