from __future__ import annotations

from typing import Any

import pytest
from artifacts.samples import IDENTITY, NF4

from adapterkit.lineage import BaseIdentity
from adapterkit.manifest import BaseRecord
from adapterkit.registry import Published, Registry
from registry.conftest import Publish


def on_base(**changes: Any) -> dict[str, Any]:
    facts = {"id": "tiny/base", "revision": None, "source_digest": "a" * 64, "quantization": IDENTITY.quantization}
    return {"base": BaseRecord(BaseIdentity(**{**facts, **changes}), "b" * 64, "b" * 64, 20)}


def version_of(published: Published) -> str:
    return str(published.manifest.version)


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({}, "1.1.0"),
        ({"config": {"lora_dropout": 0.3}}, "1.1.0"),
        ({"config": {"r": 8}}, "2.0.0"),
        ({"config": {"lora_alpha": 16}}, "2.0.0"),
        ({"config": {"use_rslora": True}}, "2.0.0"),
        (on_base(source_digest="e" * 64), "2.0.0"),
        (on_base(quantization=NF4), "2.0.0"),
        (on_base(id="other/place"), "1.1.0"),
    ],
)
def test_what_changed_decides(publish: Publish, changes: dict[str, Any], version: str) -> None:
    assert version_of(publish(seed=0)) == "1.0.0"
    assert version_of(publish(seed=1, **changes)) == version


def test_going_on_from_the_previous_weights_is_a_patch(publish: Publish) -> None:
    first = publish(seed=0)
    second = publish(seed=1, started_from=first.manifest.weights_digest)
    third = publish(seed=2, started_from=first.manifest.weights_digest)
    assert (version_of(second), version_of(third)) == ("1.0.1", "1.1.0")


def test_going_on_under_a_changed_base_is_major(publish: Publish) -> None:
    first = publish(seed=0)
    second = publish(seed=1, started_from=first.manifest.weights_digest, **on_base(source_digest="e" * 64))
    assert version_of(second) == "2.0.0"


def test_new_parent_weights_are_major_and_the_same_weights_under_a_new_version_are_not(publish: Publish) -> None:
    first_parent = publish(seed=0)
    assert version_of(publish("child", seed=5, on=first_parent)) == "1.0.0"
    same_weights = publish(seed=0, run_key="7" * 64)
    assert (same_weights.new, version_of(same_weights)) == (True, "1.1.0")
    assert version_of(publish("child", seed=6, on=same_weights)) == "1.1.0"
    assert version_of(publish("child", seed=7, on=publish(seed=1))) == "2.0.0"


def test_a_latest_version_that_cannot_be_read_is_never_reused(publish: Publish, registry: Registry) -> None:
    published = publish(seed=0)
    (published.path / "metadata.json").write_bytes(b"{}")
    (registry.path / "unified" / "1.4.0").mkdir()
    assert version_of(publish(seed=1)) == "2.0.0"
