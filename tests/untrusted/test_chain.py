"""Lineages that were forged across several artifacts: verification ends, and says what is wrong with the chain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from artifacts.samples import IDENTITY, draft_of, edit, lora_tensors, write_adapter

from adapterkit.artifacts import ArtifactDraft, manifest_of, measure_sound
from adapterkit.errors import ArtifactError, UsageError
from adapterkit.lineage import MAX_LINEAGE, Lineage, LineageMember
from adapterkit.manifest import MANIFEST_FILE, Manifest
from adapterkit.names import AdapterRef, Version
from adapterkit.registry import Registry
from adapterkit.workflows.parents import require_room


def forge_lineage(registry: Registry, name: str, *names: str) -> None:
    """Let an artifact claim a lineage, by refs that exist and their true digests; every checksum fits."""
    path = registry.path / name / "1.0.0"
    plain = json.loads((path / MANIFEST_FILE).read_bytes())
    plain["lineage"] = [
        {"ref": f"{each}@1.0.0", "weights_digest": registry.manifest(f"{each}@1.0.0").weights_digest} for each in names
    ]
    edit(path, MANIFEST_FILE, json.dumps(plain).encode())


@pytest.fixture
def three(registry: Registry, tmp_path: Path) -> Registry:
    for seed, name in enumerate("abc"):
        folder = write_adapter(tmp_path / name, tensors=lora_tensors(seed=seed))
        registry.publish(draft_of(folder, name=name, run_key=f"{seed:064x}"))
    return registry


def test_two_that_name_each_other(three: Registry) -> None:
    forge_lineage(three, "a", "b", "a")
    forge_lineage(three, "b", "a", "b")
    for name in "ab":
        (problem,) = three.verify(name).problems
        assert "goes round in a circle" in problem.what
        with pytest.raises(ArtifactError, match="goes round in a circle"):
            three.lineage_artifacts(name)


def test_three_in_a_circle(three: Registry) -> None:
    forge_lineage(three, "a", "c", "b", "a")
    forge_lineage(three, "b", "a", "c", "b")
    forge_lineage(three, "c", "b", "a", "c")
    for name in "abc":
        found = {problem.file: problem.what for problem in three.verify(name).problems}
        assert len(found) == 2
        assert all("goes round in a circle" in what for what in found.values())


def test_one_that_names_itself(three: Registry) -> None:
    forge_lineage(three, "a", "a", "a")
    (problem,) = three.verify("a").problems
    assert problem.file == MANIFEST_FILE
    assert "names a member twice" in problem.what


def test_a_grandparent_left_out(three: Registry) -> None:
    forge_lineage(three, "b", "a", "b")
    forge_lineage(three, "c", "b", "c")
    (problem,) = three.verify("c").problems
    assert problem.file == "b@1.0.0"
    assert "tells its own lineage as" in problem.what


def test_no_circle_can_be_published(three: Registry, tmp_path: Path) -> None:
    forge_lineage(three, "a", "b", "a")
    forge_lineage(three, "b", "a", "b")
    folder = write_adapter(tmp_path / "d", tensors=lora_tensors(seed=9))
    with pytest.raises(Exception, match="goes round in a circle"):
        three.publish(draft_of(folder, name="d", parents=three.lineage("a").members))


def members(count: int) -> tuple[LineageMember, ...]:
    return tuple(LineageMember(AdapterRef(f"m{n}", Version(1, 0, 0)), f"{n:064x}") for n in range(count))


def test_a_lineage_has_an_end() -> None:
    assert len(Lineage(IDENTITY, members(MAX_LINEAGE)).members) == MAX_LINEAGE
    with pytest.raises(ArtifactError, match=f"has {MAX_LINEAGE + 1} members, and {MAX_LINEAGE} is the most"):
        Lineage(IDENTITY, members(MAX_LINEAGE + 1))


@pytest.mark.parametrize("parents", [MAX_LINEAGE, 100_000])
def test_a_manifest_of_a_longer_lineage_is_refused(artifact: Path, registry: Registry, parents: int) -> None:
    plain = json.loads((artifact / MANIFEST_FILE).read_bytes())
    more = [{"ref": f"m{n}@1.0.0", "weights_digest": f"{n:064x}"} for n in range(parents)]
    plain["lineage"] = more + plain["lineage"]
    edit(artifact, MANIFEST_FILE, json.dumps(plain).encode())
    (problem,) = registry.verify("unified").problems
    assert problem.file == MANIFEST_FILE
    assert f"{MAX_LINEAGE} is the most" in problem.what


def manifest_on(tmp_path: Path, parents: int) -> Manifest:
    folder = write_adapter(tmp_path / "raw")
    draft: ArtifactDraft = draft_of(folder, parents=members(parents))
    return manifest_of(draft, measure_sound(folder), Version(1, 0, 0), "2026-01-01T00:00:00+00:00")


def test_the_longest_lineage_has_a_manifest(tmp_path: Path) -> None:
    manifest = manifest_on(tmp_path, MAX_LINEAGE - 1)
    assert len(manifest.lineage.members) == MAX_LINEAGE
    with pytest.raises(ArtifactError, match="is the most"):
        manifest_on(tmp_path, MAX_LINEAGE)


def test_no_training_begins_on_a_lineage_that_is_full(three: Registry) -> None:
    artifact = three.artifact("a")
    require_room([artifact] * (MAX_LINEAGE - 1), "b")
    with pytest.raises(UsageError, match=r"Train on an earlier one: parent=a@1\.0\.0"):
        require_room([artifact] * MAX_LINEAGE, "b")
