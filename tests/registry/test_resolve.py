from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from artifacts.samples import edit_json

import adapterkit
from adapterkit.artifacts import VerificationReport, verify_directory
from adapterkit.errors import ArtifactError, RefNotFoundError, RegistryError, UsageError
from adapterkit.names import AdapterRef, Version
from adapterkit.registry import Registry, verify
from adapterkit.texts import in_registry, trained_in
from registry.conftest import Publish


def test_versions_are_numbers_and_junk_does_not_count(publish: Publish, registry: Registry) -> None:
    published = publish()
    for version in ("1.9.0", "1.10.0"):
        (registry.path / "unified" / version).mkdir()
    for junk in (".staging-1-ab", "1.0", "01.0.0", "latest", "2.0.0-rc1"):
        (registry.path / "unified" / junk).mkdir()
    (registry.path / "unified" / "3.0.0").write_bytes(b"")
    (registry.path / "unified" / "4.0.0").symlink_to(published.path)
    (registry.path / "UPPER").mkdir()
    (registry.path / "nothing_yet").mkdir()
    assert registry.names() == ["unified"]
    assert [str(version) for version in registry.versions("unified")] == ["1.0.0", "1.9.0", "1.10.0"]
    assert str(registry.resolve("unified").ref) == "unified@1.10.0"


def test_a_ref_is_pinned(publish: Publish, registry: Registry) -> None:
    publish(seed=0)
    second = publish(seed=1)
    assert registry.resolve("unified").version == Version(1, 1, 0)
    assert registry.resolve(AdapterRef("unified")).path == second.path
    assert registry.resolve("unified@1.0.0").ref == AdapterRef("unified", Version(1, 0, 0))
    assert registry.lineage("unified") == second.manifest.lineage


@pytest.mark.parametrize(
    ("ref", "nearest"),
    [
        ("unifid", ("unified",)),
        ("unified@2.0.0", ("unified@1.0.0",)),
        ("unified@production", ("unified@1.0.0",)),
        ("unifid@latest", ("unified@latest",)),
        ("unifid@1.0.0", ("unified@1.0.0",)),
        ("unifid@2.0.0", ("unified",)),
        ("zzz", ()),
    ],
)
def test_a_ref_that_leads_nowhere_names_the_nearest(
    publish: Publish, registry: Registry, ref: str, nearest: tuple[str, ...]
) -> None:
    publish()
    with pytest.raises(RefNotFoundError, match=f"No adapter '{ref}'") as caught:
        registry.resolve(ref)
    assert caught.value.nearest == nearest


def test_a_registry_that_is_not_there_is_empty(registry: Registry) -> None:
    assert registry.names() == []
    assert registry.versions("unified") == []
    with pytest.raises(RefNotFoundError, match="there is no such folder"):
        registry.resolve("unified")


def test_a_proposed_command_names_the_registry_unless_it_is_meant_anyway(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for same in ("adapters", Path("adapters"), tmp_path / "adapters", "./adapters/"):
        assert in_registry("adapterkit list", same) == "adapterkit list"
    assert in_registry("adapterkit list", "other one") == "adapterkit list --registry 'other one'"
    assert trained_in("adapters", "adapterkit train seed=1") == "adapterkit train seed=1"
    assert trained_in("other one", "adapterkit train seed=1") == "adapterkit train seed=1 'registry=other one'"
    assert trained_in("other one", None) is None
    monkeypatch.setenv("ADAPTERKIT_REGISTRY", str(tmp_path / "mine"))
    assert in_registry("adapterkit list", tmp_path / "mine") == "adapterkit list"
    assert in_registry("adapterkit list", "adapters") == "adapterkit list --registry adapters"


def test_the_default_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADAPTERKIT_REGISTRY", raising=False)
    assert Registry().path == Path("adapters")
    monkeypatch.setenv("ADAPTERKIT_REGISTRY", "/elsewhere")
    assert Registry().path == Path("/elsewhere")


def test_a_run_key_finds_the_newest_intact_artifact(publish: Publish, registry: Registry) -> None:
    key = "7" * 64
    first, second = publish(seed=0, run_key=key), publish(seed=1, run_key=key)
    publish(seed=2)
    found = registry.find_run_key("unified", key)
    assert found is not None
    assert found.path == second.path
    (second.path / "README.md").write_bytes(b"x")
    found = registry.find_run_key("unified", key)
    assert found is not None
    assert found.path == first.path
    assert registry.find_run_key("unified", "8" * 64) is None
    assert registry.find_run_key("nobody", key) is None


def test_what_stands_on_a_damaged_parent_is_made_anew(publish: Publish, registry: Registry) -> None:
    key, parent = "7" * 64, publish()
    child = publish("child", seed=1, on=parent, run_key=key)
    (parent.path / "README.md").write_bytes(b"x")
    assert registry.find_run_key("child", key) is None
    again = publish()
    assert (str(again.ref), again.manifest.weights_digest) == ("unified@1.1.0", parent.manifest.weights_digest)
    healed = publish("child", seed=1, on=again, run_key=key)
    assert healed.new
    assert healed.ref != child.ref
    assert registry.verify(healed.ref).ok
    found = registry.find_run_key("child", key)
    assert found is not None
    assert found.path == healed.path


def test_a_renamed_directory_is_found_out(publish: Publish, registry: Registry) -> None:
    publish().path.rename(registry.path / "unified" / "2.0.0")
    report = registry.verify("unified@2.0.0")
    assert [problem.file for problem in report.problems] == ["metadata.json"]
    assert "is the manifest of unified@1.0.0" in report.problems[0].what
    with pytest.raises(RegistryError, match="is the manifest of"):
        registry.manifest("unified")
    with pytest.raises(ArtifactError, match="is the manifest of"):
        registry.artifact("unified")


@pytest.mark.parametrize("read", ["lineage_artifacts", "verify", "find_run_key"])
def test_every_member_of_a_lineage_is_hashed_once(
    registry: Registry, publish: Publish, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    child = publish("child", seed=1, on=publish())
    grandchild = publish("grandchild", seed=2, on=child)
    hashed = []

    def counted(path: Path, **more: Any) -> VerificationReport:
        hashed.append(path.parent.name)
        return verify_directory(path, **more)

    monkeypatch.setattr("adapterkit.registry.verifying.verify_directory", counted)
    words = ("grandchild", grandchild.manifest.run_key) if read == "find_run_key" else ("grandchild",)
    assert getattr(registry, read)(*words)
    assert sorted(hashed) == ["child", "grandchild", "unified"]


def test_ancestors_are_verified_too(publish: Publish, registry: Registry) -> None:
    parent = publish()
    child = publish("child", seed=1, on=parent)
    publish("grandchild", seed=2, on=child)
    report = registry.verify("grandchild")
    assert report.ok
    assert report.ancestors == 2
    assert [str(each.ref) for each in registry.lineage_artifacts("grandchild")] == [
        "unified@1.0.0",
        "child@1.0.0",
        "grandchild@1.0.0",
    ]

    (parent.path / "README.md").write_bytes(b"x")
    assert [problem.file for problem in registry.verify("grandchild").problems] == ["unified@1.0.0/README.md"]
    with pytest.raises(ArtifactError, match=r"README.md"):
        registry.lineage_artifacts("grandchild")


def test_a_missing_parent_is_named(publish: Publish, registry: Registry) -> None:
    parent = publish()
    publish("child", seed=1, on=parent)
    parent.path.rename(registry.path / "gone")
    (problem,) = registry.verify("child").problems
    assert (problem.file, "missing from the registry" in problem.what) == ("unified@1.0.0", True)
    with pytest.raises(RefNotFoundError, match=r"child@1.0.0 stands on unified@1.0.0, which the registry .* not hold"):
        registry.lineage_artifacts("child")


def test_a_changed_parent_is_named(publish: Publish, registry: Registry, tmp_path: Path) -> None:
    parent = publish()
    publish("child", seed=1, on=parent)
    parent.path.rename(registry.path / "gone")
    publish(seed=5, version=Version(1, 0, 0))
    (problem,) = registry.verify("child").problems
    assert problem.file == "unified@1.0.0"
    assert "was changed" in problem.what
    with pytest.raises(ArtifactError, match="was changed"):
        registry.lineage_artifacts("child")


def test_a_parent_of_another_base_is_named(publish: Publish, registry: Registry) -> None:
    child = publish("child", seed=1, on=publish())
    base = child.manifest.to_json()["base"]
    base["identity"]["source_digest"] = "f" * 64
    edit_json(child.path, "metadata.json", base=base)
    (problem,) = registry.verify("child").problems
    assert problem.file == "unified@1.0.0"
    assert "another base" in problem.what


def test_a_folder_named_as_an_alias_is_verified_itself(publish: Publish, registry: Registry) -> None:
    made = publish()
    for name in ("latest", "backup"):
        copy = registry.path / "unified" / name
        shutil.copytree(made.path, copy)
        assert verify(copy, registry=registry.path).ok
        (copy / "README.md").write_text("other")
        assert [problem.file for problem in verify(copy, registry=registry.path).problems] == ["README.md"]
    assert verify("unified@latest", registry=registry.path).ok


@pytest.mark.parametrize("look", ["versions", "aliases", "pointers"])
def test_a_name_that_leads_out_of_the_registry_is_refused(registry: Registry, look: str) -> None:
    with pytest.raises(UsageError, match="cannot name an adapter"):
        getattr(registry, look)("../other/unified")


def test_verify_takes_refs_and_paths(
    publish: Publish, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = publish("child", seed=1, on=publish())
    assert verify("child", registry=registry.path).ancestors == 1
    assert verify(child.path, registry=registry.path).ancestors == 1
    assert verify(str(child.path), registry=registry.path).ancestors == 1
    elsewhere = verify(child.path, registry=tmp_path / "other")
    assert (elsewhere.ok, elsewhere.ancestors, elsewhere.ancestors_in) == (True, 1, registry.path)
    alone = verify(shutil.copytree(child.path, tmp_path / "copy"))
    assert (alone.ok, alone.ancestors, alone.ancestors_in) == (True, 0, None)
    monkeypatch.chdir(child.path.parent)
    assert verify("1.0.0", registry=tmp_path / "other").ok
    monkeypatch.chdir(child.path)
    assert verify(".", registry=registry.path).ok
    with pytest.raises(RefNotFoundError):
        verify("nobody", registry=registry.path)
    with pytest.raises(UsageError):
        verify("No Body", registry=registry.path)


@pytest.mark.parametrize("target", [None, 5, "", b"unified", ["unified"]])
def test_what_is_neither_a_ref_nor_a_path_is_wrong_usage(registry: Registry, target: Any) -> None:
    with pytest.raises(UsageError, match=r"give a ref \(name, name@1\.2\.0, name@alias\), or the path"):
        adapterkit.verify(target, registry=registry.path)


@pytest.mark.parametrize("keys", [[b"x"], b"x", None, 5, [None]])
def test_what_is_no_path_of_a_key_is_wrong_usage(registry: Registry, keys: Any) -> None:
    with pytest.raises(UsageError, match="is not the path of a public key: give the paths of PEM files"):
        adapterkit.verify("unified", registry=registry.path, keys=keys)


def test_a_ref_object_is_verified_as_its_text_is(publish: Publish, registry: Registry) -> None:
    ref = publish().ref
    assert adapterkit.verify(ref, registry=registry.path) == adapterkit.verify(str(ref), registry=registry.path)
