from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapterkit.artifacts import VerificationReport, verify_directory
from adapterkit.manifest import (
    ADAPTER_CONFIG_FILE,
    CARD_FILE,
    CHECKSUMS_FILE,
    MANDATORY_FILES,
    MANIFEST_FILE,
    OPTIONAL_FILES,
    SCHEMA_VERSION,
    TRAINING_CONFIG_FILE,
    TRAINING_METRICS_FILE,
    WEIGHTS_FILE,
)
from artifacts.samples import edit, edit_json, lora_tensors, write_adapter

ALL_FILES = (*MANDATORY_FILES, *OPTIONAL_FILES)


def only_problem(report: VerificationReport, file: str) -> str:
    assert [problem.file for problem in report.problems] == [file], report.problems
    return report.problems[0].what


def test_a_fresh_artifact_is_intact(artifact_dir: Path) -> None:
    report = verify_directory(artifact_dir)
    assert report.ok, report.problems
    assert (report.files, report.tensors, str(report.ref)) == (9, 8, "unified@1.0.0")


@pytest.mark.parametrize("file", ALL_FILES)
@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 1.0])
def test_one_flipped_byte_is_found_and_only_its_file_named(artifact_dir: Path, file: str, where: float) -> None:
    data = bytearray((artifact_dir / file).read_bytes())
    data[int(where * (len(data) - 1))] ^= 0x01
    (artifact_dir / file).write_bytes(data)
    only_problem(verify_directory(artifact_dir), file)


def test_every_byte_of_the_checksums_counts(artifact_dir: Path) -> None:
    path = artifact_dir / CHECKSUMS_FILE
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x20]) + whole[position + 1 :])
        only_problem(verify_directory(artifact_dir), CHECKSUMS_FILE)


@pytest.mark.parametrize("file", ALL_FILES)
def test_a_missing_file_is_named(artifact_dir: Path, file: str) -> None:
    (artifact_dir / file).unlink()
    assert "missing" in only_problem(verify_directory(artifact_dir), file)


@pytest.mark.parametrize("file", ALL_FILES)
def test_a_truncated_file_is_named(artifact_dir: Path, file: str) -> None:
    data = (artifact_dir / file).read_bytes()
    (artifact_dir / file).write_bytes(data[:-1])
    only_problem(verify_directory(artifact_dir), file)


@pytest.mark.parametrize(
    ("name", "match"),
    [("notes.txt", "does not belong"), ("adapter_model.bin", "pickle"), ("optimizer.pt", "pickle"), (".x", "belong")],
)
def test_an_extra_file_is_named(artifact_dir: Path, name: str, match: str) -> None:
    (artifact_dir / name).write_bytes(b"x")
    assert match in only_problem(verify_directory(artifact_dir), name)


def test_an_extra_file_is_named_even_when_it_is_listed(artifact_dir: Path) -> None:
    edit(artifact_dir, "adapter_model.bin", b"x")
    assert "pickle" in only_problem(verify_directory(artifact_dir), "adapter_model.bin")


def test_an_unlisted_optional_file_is_named(artifact_dir: Path) -> None:
    data = (artifact_dir / OPTIONAL_FILES[0]).read_bytes()
    (artifact_dir / OPTIONAL_FILES[0]).unlink()
    edit(artifact_dir, CARD_FILE, b"card")
    (artifact_dir / OPTIONAL_FILES[0]).write_bytes(data)
    assert "is not listed" in only_problem(verify_directory(artifact_dir), OPTIONAL_FILES[0])


def test_links_directories_and_pipes_are_named(artifact_dir: Path, tmp_path: Path) -> None:
    (artifact_dir / "folder").mkdir()
    os.mkfifo(artifact_dir / "pipe")
    (artifact_dir / WEIGHTS_FILE).rename(tmp_path / "w")
    (artifact_dir / WEIGHTS_FILE).symlink_to(tmp_path / "w")
    found = {problem.file: problem.what for problem in verify_directory(artifact_dir).problems}
    assert "symbolic link" in found.pop(WEIGHTS_FILE)
    assert "directory" in found.pop("folder")
    assert "special file" in found.pop("pipe")
    assert not found


def test_what_is_no_directory_is_a_problem(tmp_path: Path) -> None:
    assert "cannot be read as a directory" in str(verify_directory(tmp_path / "none").problems[0])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"schema_version": SCHEMA_VERSION + 1}, "update adapterkit"),
        ({"surprise": 1}, "unknown keys surprise"),
        ({"run_key": "x"}, "not a sha256"),
        ({"name": "../up"}, "cannot name an adapter"),
        ({"version": "1.0"}, "not a version"),
        ({"version": "2.0.0"}, "does not end in unified@2.0.0"),
        ({"lineage": []}, "does not end in unified@1.0.0"),
        ({"metrics": {"loss": "low"}}, "not a finite number"),
        ({"data": {"source": "x", "digest": "y", "rows": -1, "tokens": 1, "origins": {}}}, "not a count"),
        ({"tags": [1]}, "not a text"),
        ({"tags": "no list"}, "not a list"),
        ({"schema_version": True}, "update adapterkit"),
        ({"schema_version": 1}, "unknown keys intended_use, merge, recipe"),
        ({"recipe": {"recipe": "unified"}}, "overrides"),
        ({"merge": {"method": "ties"}}, "weights"),
        ({"merge": {"method": "ties", "weights": ["1"], "options": {}, "errors": {}}}, "not a finite number"),
        ({"merge": {"method": "ties", "weights": [1.0], "options": {}, "errors": {}}}, "1 weights for 0 adapters"),
    ],
)
def test_a_manifest_that_is_none_is_named(artifact_dir: Path, changes: dict[str, Any], match: str) -> None:
    edit_json(artifact_dir, MANIFEST_FILE, **changes)
    assert match in only_problem(verify_directory(artifact_dir), MANIFEST_FILE)


def test_a_moved_base_is_a_contradiction(artifact_dir: Path) -> None:
    base = json.loads((artifact_dir / MANIFEST_FILE).read_bytes())["base"]
    edit_json(artifact_dir, MANIFEST_FILE, base={**base, "fingerprint_after": "e" * 64})
    assert "fingerprint after" in only_problem(verify_directory(artifact_dir), MANIFEST_FILE)


@pytest.mark.parametrize(
    ("key", "value"),
    [("rank", 8), ("alpha", 9.0), ("targets", ["q_proj"]), ("variant", "dora"), ("parameters", 1), ("bytes", 1)],
)
def test_a_shape_that_is_not_the_weights_is_named(artifact_dir: Path, key: str, value: Any) -> None:
    shape = json.loads((artifact_dir / MANIFEST_FILE).read_bytes())["adapter"]
    edit_json(artifact_dir, MANIFEST_FILE, adapter={**shape, key: value})
    assert f"says adapter.{key} is" in only_problem(verify_directory(artifact_dir), MANIFEST_FILE)


@pytest.mark.parametrize("plain", [[], {}, {"files": []}, {"files": {"a": 1}}])
def test_a_table_of_checksums_that_is_none_is_told(artifact_dir: Path, plain: object) -> None:
    (artifact_dir / CHECKSUMS_FILE).write_text(json.dumps(plain))
    assert only_problem(verify_directory(artifact_dir), CHECKSUMS_FILE) == "holds no table of files"


@pytest.mark.parametrize(("named", "file"), [(True, MANIFEST_FILE), (False, None)])
def test_a_disk_that_fails_meanwhile_is_told_with_its_file(
    artifact_dir: Path, monkeypatch: pytest.MonkeyPatch, named: bool, file: str | None
) -> None:
    def failing(folder: Path) -> object:
        raise OSError(errno.EIO, "Input/output error", *([str(folder / MANIFEST_FILE)] if named else []))

    monkeypatch.setattr("adapterkit.artifacts.verify.read_checksums", failing)
    told = only_problem(verify_directory(artifact_dir), file or str(artifact_dir))
    assert told == "cannot be read: Input/output error"


def test_other_weights_under_fitting_checksums_are_named(artifact_dir: Path, tmp_path: Path) -> None:
    other = write_adapter(tmp_path / "other", tensors=lora_tensors(seed=9))
    edit(artifact_dir, WEIGHTS_FILE, (other / WEIGHTS_FILE).read_bytes())
    assert "weights_digest" in only_problem(verify_directory(artifact_dir), WEIGHTS_FILE)


def test_nan_weights_under_fitting_checksums_are_named(artifact_dir: Path, tmp_path: Path) -> None:
    tensors = lora_tensors()
    next(iter(tensors.values()))[1, 1] = np.inf
    other = write_adapter(tmp_path / "other", tensors=tensors)
    edit(artifact_dir, WEIGHTS_FILE, (other / WEIGHTS_FILE).read_bytes())
    assert any("holds NaN or an infinity" in problem.what for problem in verify_directory(artifact_dir).problems)


def test_a_huge_rank_is_named_before_anything_is_allocated(artifact_dir: Path) -> None:
    edit_json(artifact_dir, ADAPTER_CONFIG_FILE, r=1_000_000)
    assert "'r' is 1000000" in only_problem(verify_directory(artifact_dir), ADAPTER_CONFIG_FILE)


def test_another_base_in_the_config_is_named(artifact_dir: Path) -> None:
    edit_json(artifact_dir, ADAPTER_CONFIG_FILE, base_model_name_or_path="evil/base")
    assert "names the base evil/base" in only_problem(verify_directory(artifact_dir), ADAPTER_CONFIG_FILE)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a: &x 1\nb: *x\n", "anchors or aliases (line 1)"),
        ("a: *x\n", "aliases"),
        ("a: !!python/object/apply:os.system [ls]\n", "YAML tag"),
        ("a: " + "[" * 40 + "]" * 40 + "\n", "deeper than 32"),
        ("a: " + "[" * 100_000, "deeper than 32"),
        ("a: " + "x" * 200_001, "larger than 200000 bytes"),
        ("a: 1\n---\nb: 2\n", "2 documents"),
        ("- 1\n", "not a table"),
        ("5\n", "not a table"),
        ("", "0 documents"),
        ("a: [\n", "not YAML"),
    ],
)
def test_yaml_that_must_not_be_parsed_is_named(artifact_dir: Path, text: str, match: str) -> None:
    edit(artifact_dir, TRAINING_CONFIG_FILE, text.encode())
    assert match in only_problem(verify_directory(artifact_dir), TRAINING_CONFIG_FILE)


@pytest.mark.parametrize("file", [TRAINING_METRICS_FILE, OPTIONAL_FILES[0]])
@pytest.mark.parametrize("text", ['{"loss": NaN}', "[]", "{", '{"a": 1, "a": 2}'])
def test_metrics_are_strict_json(artifact_dir: Path, file: str, text: str) -> None:
    edit(artifact_dir, file, text.encode())
    only_problem(verify_directory(artifact_dir), file)


def test_a_card_must_be_text(artifact_dir: Path) -> None:
    edit(artifact_dir, CARD_FILE, b"\xff\xfe")
    assert "not UTF-8" in only_problem(verify_directory(artifact_dir), CARD_FILE)
