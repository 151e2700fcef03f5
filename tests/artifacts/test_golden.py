"""An artifact of every schema version that was ever published: later code must still verify each, and load it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapterkit.manifest import SCHEMA_VERSION, Manifest
from adapterkit.registry import Registry

GOLDEN = Path(__file__).parents[1] / "golden"
REFS = ("unified@1.0.0", "persona_ada@1.0.0")


def test_every_schema_version_has_a_golden_artifact():
    assert sorted(folder.name for folder in GOLDEN.iterdir()) == [
        f"schema_{version}" for version in range(1, SCHEMA_VERSION + 1)
    ]


@pytest.mark.parametrize("schema", sorted(folder.name for folder in GOLDEN.iterdir()))
@pytest.mark.parametrize("ref", REFS)
def test_a_golden_artifact_still_verifies(schema: str, ref: str):
    report = Registry(GOLDEN / schema).verify(ref)
    assert report.problems == ()
    assert (report.tensors, report.ancestors) == (28, REFS.index(ref))


def test_what_an_older_schema_does_not_say_is_empty():
    told = [Registry(GOLDEN / f"schema_{version}").manifest("unified").intended_use for version in (1, 2, 3, 4)]
    assert told == ["", "", "To be read by later code.", "To be read by later code."]
    assert [Registry(GOLDEN / f"schema_{version}").manifest("unified").merge for version in (1, 2, 3)] == [None] * 3


def test_a_golden_merge_still_says_how_it_was_made():
    registry = Registry(GOLDEN / "schema_4")
    assert registry.verify("ada_flat").problems == ()
    manifest = registry.manifest("ada_flat")
    assert [str(member.ref) for member in manifest.merged_from] == list(REFS)
    assert manifest.merge is not None
    assert (manifest.merge.method, manifest.merge.weights, manifest.merge.options["rank"]) == ("flatten", (1.0, 0.5), 3)
    assert len(manifest.merge.errors) == 14
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.mark.parametrize("schema", sorted(folder.name for folder in GOLDEN.iterdir()))
def test_a_golden_lineage_still_reads(schema: str):
    members = Registry(GOLDEN / schema).lineage_artifacts("persona_ada")
    assert [str(member.ref) for member in members] == list(REFS)
    assert members[0].manifest.description == "Golden parent."
