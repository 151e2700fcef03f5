"""What would fail at the end of long work is said at its beginning, in one message."""

from __future__ import annotations

from pathlib import Path

import pytest
from artifacts.samples import draft_of, write_adapter

from adapterkit.errors import BaseLoadError, RegistryError
from adapterkit.lineage import BaseIdentity
from adapterkit.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with unified@1.0.0, in which a file stands in the place of `taken`."""
    registry = Registry(tmp_path / "adapters")
    registry.publish(draft_of(write_adapter(tmp_path / "p")))
    (registry.path / "taken").write_text("no folder")
    return registry


def test_a_folder_of_an_adapter_that_cannot_be_written_is_noticed(registry: Registry) -> None:
    before = sorted(registry.path.rglob("*"))
    registry.require_writable("unified")
    registry.require_writable("new")
    with pytest.raises(RegistryError, match="taken"):
        registry.require_writable("taken")
    assert sorted(registry.path.rglob("*")) == before


def test_a_flattening_is_refused_before_it_is_worked_out(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    from adapterkit.workflows import flatten as story

    monkeypatch.setattr(story, "flattened", lambda *given: pytest.fail("was worked out"))
    with pytest.raises(RegistryError, match="taken"):
        story.flatten(registry, story.FlattenRequest("unified", name="taken"))


def test_an_import_is_refused_before_its_base_is_read(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapterkit.workflows import adopt as story

    monkeypatch.setattr(story, "identify", lambda *given: pytest.fail("was read"))
    with pytest.raises(RegistryError, match="taken"):
        story.adopt(registry, story.ImportRequest(tmp_path / "p", "taken", "tiny/base", "nf4"))


def test_a_base_that_is_not_here_is_told_once(tmp_path: Path) -> None:
    from adapterkit.config.schema import QuantizationConfig
    from adapterkit.workflows.merge_trial import _found

    gone = str(tmp_path / "gone")
    with pytest.raises(BaseLoadError) as failed:
        _found(BaseIdentity(gone, None, "a" * 64, {"kind": "nf4"}), QuantizationConfig("nf4"))
    assert str(failed.value).count("Cannot load the base") == 1
    assert "held_out.recorded=false test_decode_parity=false" in str(failed.value)


def test_a_run_directory_in_the_place_of_a_file_is_explained(tmp_path: Path) -> None:
    from adapterkit.workflows.run_directory import RunDirectory

    (tmp_path / "outputs").write_text("no folder")
    with pytest.raises(RegistryError, match=r"Creating the folder of this run, .*outputs.*Choose another folder"):
        RunDirectory(tmp_path / "outputs" / "x", "a" * 64)
