from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from adapterkit.artifacts import manifest_of, measure_sound, pretty_json
from adapterkit.errors import ArtifactError
from adapterkit.lineage import LineageMember
from adapterkit.manifest import Manifest
from adapterkit.names import AdapterRef, Version
from artifacts.samples import draft_of, write_adapter


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    folder = write_adapter(tmp_path / "raw")
    draft = draft_of(
        folder,
        tags=("a", "b"),
        custom={"nested": {"list": [1, 2.5, None, "é"]}},
        parents=(LineageMember(AdapterRef("root", Version(2, 0, 1)), "9" * 64),),
        merged_from=(LineageMember(AdapterRef("other", Version(1, 0, 0)), "8" * 64),),
    )
    return manifest_of(draft, measure_sound(folder), Version(1, 2, 3), "2026-01-01T00:00:00+00:00")


def test_the_round_trip_is_exact(manifest: Manifest) -> None:
    plain = json.loads(json.dumps(manifest.to_json()))
    assert Manifest.from_json(plain) == manifest
    assert Manifest.from_json(plain).to_json() == manifest.to_json()
    assert str(manifest.lineage) == "tiny/base <- root@2.0.1 <- unified@1.2.3"


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("base.identity.id", 5),
        ("base.identity.quantization", [1]),
        ("base.identity.surprise", 1),
        ("base.tensors", 1.5),
        ("data.tokens", True),
        ("data.source", None),
        ("adapter.rank", "4"),
        ("adapter.alpha", "8"),
        ("adapter.targets", [1]),
        ("metrics.loss", 10**400),
        ("lineage", [{"ref": "root", "weights_digest": "9" * 64}]),
        ("environment", 5),
        # What Python would quietly turn into a table or a list.
        ("environment", [["a", 1]]),
        ("custom", []),
        ("metrics", []),
        ("base.identity.quantization", [["kind", "nf4"]]),
        ("tags", "abc"),
        ("intended_use", None),
        ("intended_use", ["all"]),
        ("adapter.targets", "qv"),
        ("merged_from", {}),
        ("lineage", {}),
        ("schema_version", True),
        ("schema_version", 1.0),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(manifest: Manifest, where: str, value: Any) -> None:
    plain = manifest.to_json()
    *path, last = where.split(".")
    inner = plain
    for key in path:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(ArtifactError):
        Manifest.from_json(plain)


@pytest.mark.parametrize("key", [field.name for field in dataclasses.fields(Manifest)])
def test_a_missing_key_is_refused(manifest: Manifest, key: str) -> None:
    plain = manifest.to_json()
    del plain[key]
    with pytest.raises(ArtifactError, match=key):
        Manifest.from_json(plain)


def test_a_member_named_twice_is_refused(manifest: Manifest) -> None:
    plain = manifest.to_json()
    plain["lineage"] = [plain["lineage"][0], *plain["lineage"]]
    with pytest.raises(ArtifactError, match="names a member twice"):
        Manifest.from_json(plain)


def test_json_for_people_has_one_form() -> None:
    assert pretty_json({"b": 1, "a": {"é": [None, 0.5]}}, "x.json") == (
        '{\n  "a": {\n    "é": [\n      null,\n      0.5\n    ]\n  },\n  "b": 1\n}\n'.encode()
    )
