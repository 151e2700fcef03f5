"""Every row of the tables is refused with an error of the family, wherever it can come in; nothing in it is run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from artifacts.samples import edit

import adapterkit
from adapterkit.artifacts import parse_adapter_config, read_verified, yaml_problem
from adapterkit.cli.views.listing import listing
from adapterkit.digest import canonical_json, json_digest
from adapterkit.errors import AdapterKitError, ArtifactError, RefNotFoundError, RegistryError, UsageError
from adapterkit.lineage import LineageMember
from adapterkit.manifest import ADAPTER_CONFIG_FILE, CHECKSUMS_FILE, MANIFEST_FILE, TRAINING_CONFIG_FILE
from adapterkit.names import AdapterRef, Version, as_name, check_name
from adapterkit.registry import Registry
from untrusted.bad_configs import BAD_CONFIGS
from untrusted.bad_names import (
    BAD_NAMES,
    BAD_PATHS,
    BAD_REFS,
    BAD_TABLE_NAMES,
    INTRUDERS,
    folder_in_place,
    link_in_place,
    pipe_in_place,
)
from untrusted.bad_yaml import BAD_YAML

Planting = Callable[[str], Callable[[Path], None]]


def filled(payload: bytes, canary: Path) -> bytes:
    return payload.replace(b"{canary}", str(canary).encode())


def shown(text: str) -> str:
    # Without a backslash: what a function makes is escaped once more each time that pytest collects in one process.
    return quote(text[:40], safe=" /", errors="surrogatepass")


def expect_refused(artifact: Path, file: str) -> None:
    """Both ways into an artifact name the file, and neither lets it pass."""
    report = adapterkit.verify(artifact, registry=artifact.parents[1])
    assert {problem.file for problem in report.problems} == {file}
    assert not report.ok
    with pytest.raises(ArtifactError, match="is not intact"):
        read_verified(artifact)


def test_the_tables_are_as_long_as_promised() -> None:
    assert len(BAD_CONFIGS) >= 60
    assert len(BAD_YAML) >= 40
    names = (*BAD_NAMES, *BAD_REFS, *BAD_PATHS, *BAD_TABLE_NAMES)
    assert len(set(names)) + len(INTRUDERS) >= 200


@pytest.mark.parametrize("row", BAD_CONFIGS)
def test_adapter_configs(row: str, artifact: Path, canary: Path) -> None:
    payload = filled(BAD_CONFIGS[row], canary)
    with pytest.raises(ArtifactError) as caught:
        parse_adapter_config(payload)
    assert {problem.file for problem in caught.value.problems} == {ADAPTER_CONFIG_FILE}
    assert len(str(caught.value)) < 1000
    edit(artifact, ADAPTER_CONFIG_FILE, payload)
    expect_refused(artifact, ADAPTER_CONFIG_FILE)


@pytest.mark.parametrize("row", BAD_YAML)
def test_yaml(row: str, artifact: Path, canary: Path) -> None:
    payload = filled(BAD_YAML[row], canary)
    what = yaml_problem(payload)
    assert what is not None
    assert len(what) < 1000
    edit(artifact, TRAINING_CONFIG_FILE, payload)
    expect_refused(artifact, TRAINING_CONFIG_FILE)


@pytest.mark.parametrize("name", BAD_NAMES, ids=shown)
def test_names(name: str, registry: Registry, canary: Path) -> None:
    for attempt in (check_name, AdapterRef, AdapterRef.parse, registry.versions, registry.resolve):
        with pytest.raises(UsageError) as caught:
            attempt(name)
        assert len(str(caught.value)) < 1000
    assert not registry.path.exists()
    assert as_name(name) == "" or check_name(as_name(name))


@pytest.mark.parametrize("ref", BAD_REFS, ids=shown)
def test_refs(ref: str, registry: Registry, canary: Path) -> None:
    for attempt in (AdapterRef.parse, registry.resolve, registry.verify, registry.manifest):
        with pytest.raises(UsageError) as caught:
            attempt(ref)
        assert len(str(caught.value)) < 1000
    assert not registry.path.exists()


@pytest.mark.parametrize("target", [*BAD_PATHS, *BAD_NAMES, *BAD_REFS], ids=shown)
def test_whatever_is_verified(target: str, registry: Registry, canary: Path) -> None:
    try:
        report = adapterkit.verify(target.replace("{canary}", str(canary)), registry=registry.path)
    except AdapterKitError:
        return
    assert report.problems
    assert not report.ok


@pytest.mark.parametrize("name", [*BAD_NAMES, *BAD_REFS], ids=shown)
def test_names_and_refs_in_a_manifest(name: str, artifact: Path) -> None:
    plain = json.loads((artifact / MANIFEST_FILE).read_bytes())
    (member,) = plain["lineage"]
    for forged in (
        {**plain, "name": name},
        {**plain, "lineage": [{**member, "ref": name}, member]},
        {**plain, "merged_from": [{**member, "ref": name}]},
    ):
        edit(artifact, MANIFEST_FILE, json.dumps(forged).encode())
        expect_refused(artifact, MANIFEST_FILE)


@pytest.mark.parametrize("ref", ["unified", "unified@production"])
def test_a_lineage_that_leaves_the_version_open(ref: str, artifact: Path) -> None:
    with pytest.raises(ArtifactError, match="exact versions"):
        LineageMember(AdapterRef.parse(ref), "9" * 64)
    plain = json.loads((artifact / MANIFEST_FILE).read_bytes())
    plain["lineage"].insert(0, {"ref": ref, "weights_digest": "9" * 64})
    edit(artifact, MANIFEST_FILE, json.dumps(plain).encode())
    expect_refused(artifact, MANIFEST_FILE)


@pytest.mark.parametrize("row", INTRUDERS)
def test_what_is_planted_in_a_folder(row: str, artifact: Path, registry: Registry, canary: Path) -> None:
    INTRUDERS[row](artifact)
    report = adapterkit.verify("unified@1.0.0", registry=registry.path)
    assert len(report.problems) == 1
    with pytest.raises(ArtifactError, match="is not intact: 1 problem"):
        read_verified(artifact)


@pytest.mark.parametrize("name", BAD_TABLE_NAMES, ids=shown)
def test_names_in_a_table_of_checksums(name: str, artifact: Path) -> None:
    table = json.loads((artifact / CHECKSUMS_FILE).read_bytes())
    files = {**table["files"], name: "0" * 64}
    # What no UTF-8 can hold comes as an escape.
    encode = canonical_json if name.isprintable() else lambda value: json.dumps(value).encode()
    digest = json_digest(files) if name.isprintable() else "0" * 64
    (artifact / CHECKSUMS_FILE).write_bytes(encode({**table, "files": files, "digest": digest}))
    report = adapterkit.verify(artifact, registry=artifact.parents[1])
    assert len(report.problems) == 1
    assert not report.ok


@pytest.mark.parametrize("name", ["1.0.1\u0663", "1.0.1\u0663 ", "1.0.0\n", "01.0.0", "..", "1.0.0~"])
def test_folders_that_look_like_versions(name: str, artifact: Path, registry: Registry) -> None:
    artifact.rename(artifact.parent / name) if name != ".." else artifact.rename(artifact.parents[1] / "elsewhere")
    assert registry.versions("unified") == []
    with pytest.raises(RefNotFoundError):
        registry.resolve("unified")


def test_a_name_that_is_a_link_is_not_followed(artifact: Path, registry: Registry) -> None:
    (registry.path / "linked").symlink_to(artifact.parent)
    assert registry.names() == ["unified"]
    assert registry.versions("linked") == []
    with pytest.raises(RegistryError, match="linked is a symbolic link, and is not followed"):
        registry.resolve("linked")


@pytest.mark.parametrize("file", [MANIFEST_FILE, CHECKSUMS_FILE])
@pytest.mark.parametrize("planted", [lambda file: link_in_place(file, "/dev/zero"), pipe_in_place, folder_in_place])
def test_looking_waits_for_nothing(file: str, planted: Planting, artifact: Path, registry: Registry) -> None:
    planted(file)(artifact)
    assert not registry.verify("unified").ok
    (row,) = listing(registry)
    assert not row["ok"]


def test_a_version_has_one_spelling() -> None:
    with pytest.raises(UsageError):
        Version.parse("1.0.1\u0663")
