from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import adapterkit
from adapterkit.artifacts import (
    private_key,
    public_keys,
    read_verified,
    sign_artifact,
    verify_directory,
)
from adapterkit.artifacts.signature_files import ED25519_FILE, MAX_OPENSSF_BYTES, OPENSSF_FILE
from adapterkit.errors import ArtifactError, SigningError
from adapterkit.manifest import CARD_FILE
from adapterkit.registry import Registry
from artifacts.keyring import Pair, problems, sign
from artifacts.samples import draft_of, edit, lora_tensors, write_adapter

KINDS = {"ed25519": ED25519_FILE, "p256": OPENSSF_FILE}
both = pytest.mark.parametrize("kind", KINDS)


@both
def test_a_signature_is_demanded_found_and_named(artifact_dir: Path, keys: Callable[..., Pair], kind: str) -> None:
    pair = keys(kind)
    assert "is missing, and a signature by" in problems(artifact_dir, pair)[ED25519_FILE]
    signature = sign(artifact_dir, pair)
    assert signature.new
    assert signature.path == artifact_dir / KINDS[kind]
    (key,) = public_keys(pair.public)
    report = verify_directory(artifact_dir, keys=[key])
    assert report.ok, report.problems
    assert report.signatures == (KINDS[kind],)
    assert report.signers == (key.fingerprint,) == (signature.fingerprint,)
    assert report.files == 9


@both
def test_without_keys_a_signature_is_seen_and_not_checked(
    artifact_dir: Path, keys: Callable[..., Pair], kind: str
) -> None:
    sign(artifact_dir, keys(kind))
    report = verify_directory(artifact_dir)
    assert report.ok
    assert (report.signatures, report.signers) == ((KINDS[kind],), ())
    assert read_verified(artifact_dir).digest == report.digest


@both
def test_another_key_is_refused_and_one_of_several_is_enough(
    artifact_dir: Path, keys: Callable[..., Pair], kind: str
) -> None:
    mine, other = keys(kind), keys(kind, name="other")
    sign(artifact_dir, mine)
    assert "key" in problems(artifact_dir, other)[KINDS[kind]]
    assert problems(artifact_dir, other, mine) == {}


def test_both_formats_stand_side_by_side(artifact_dir: Path, keys: Callable[..., Pair]) -> None:
    edwards, curve = keys("ed25519"), keys("p256")
    sign(artifact_dir, curve)
    sign(artifact_dir, edwards)
    report = verify_directory(artifact_dir, keys=public_keys([edwards.public, curve.public]))
    assert report.ok, report.problems
    assert len(report.signers) == 2
    (artifact_dir / OPENSSF_FILE).write_bytes(b"{}")
    assert problems(artifact_dir, edwards) == {}
    assert set(problems(artifact_dir, edwards, curve)) == {OPENSSF_FILE}


def test_a_key_of_the_other_kind_checks_nothing(artifact_dir: Path, keys: Callable[..., Pair]) -> None:
    sign(artifact_dir, keys("p256"))
    assert "takes an elliptic-curve key" in problems(artifact_dir, keys("ed25519"))[OPENSSF_FILE]


@both
def test_other_files_under_fitting_checksums_are_found(
    artifact_dir: Path, keys: Callable[..., Pair], kind: str
) -> None:
    pair = keys(kind)
    sign(artifact_dir, pair)
    edit(artifact_dir, CARD_FILE, b"# Another card\n")
    assert verify_directory(artifact_dir).ok
    assert set(problems(artifact_dir, pair)) == {KINDS[kind]}


@both
def test_a_signature_is_bound_to_its_artifact(tmp_path: Path, keys: Callable[..., Pair], kind: str) -> None:
    pair, registry = keys(kind), Registry(tmp_path / "adapters")
    first, second = (
        registry.publish(draft_of(write_adapter(tmp_path / name, tensors=lora_tensors(seed=seed)), name=name)).path
        for seed, name in enumerate(("first", "second"))
    )
    sign(first, pair)
    shutil.copy(first / KINDS[kind], second / KINDS[kind])
    assert set(problems(second, pair)) == {KINDS[kind]}


@both
def test_a_signature_holds_in_a_copy_elsewhere(
    artifact_dir: Path, tmp_path: Path, keys: Callable[..., Pair], kind: str
) -> None:
    pair = keys(kind)
    sign(artifact_dir, pair)
    shutil.copytree(artifact_dir, tmp_path / "final_artifact")
    assert problems(tmp_path / "final_artifact", pair) == {}


@both
def test_the_same_key_signs_once_and_another_only_in_its_place_when_told(
    artifact_dir: Path, keys: Callable[..., Pair], kind: str
) -> None:
    mine, other = keys(kind), keys(kind, name="other")
    sign(artifact_dir, mine)
    before = (artifact_dir / KINDS[kind]).read_bytes()
    assert not sign(artifact_dir, mine).new
    with pytest.raises(SigningError, match=r"bears another signature.*--replace"):
        sign(artifact_dir, other)
    assert (artifact_dir / KINDS[kind]).read_bytes() == before
    assert sign(artifact_dir, other, replace=True).new
    assert problems(artifact_dir, other) == {}
    assert list(artifact_dir.parent.iterdir()) == [artifact_dir]


def test_of_racing_signers_one_wins(artifact_dir: Path, keys: Callable[..., Pair]) -> None:
    pairs = [keys(name=f"k{n}") for n in range(8)]
    artifact, pens = read_verified(artifact_dir), [private_key(pair.private) for pair in pairs]

    def attempt(pen: Any) -> bool:
        try:
            return sign_artifact(artifact, pen).new
        except SigningError:
            return False

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, pens))
    assert won.count(True) == 1
    assert problems(artifact_dir, pairs[won.index(True)]) == {}


def test_a_damaged_artifact_is_not_signed(artifact_dir: Path, keys: Callable[..., Pair]) -> None:
    pair, artifact = keys(), read_verified(artifact_dir)
    edit(artifact_dir, CARD_FILE, b"# Another card\n")
    with pytest.raises(ArtifactError, match=r"checksums\.json: changed since it was verified"):
        sign_artifact(artifact, private_key(pair.private))
    (artifact_dir / CARD_FILE).write_bytes(b"x")
    with pytest.raises(ArtifactError, match="is not intact"):
        sign(artifact_dir, pair)
    assert not (artifact_dir / ED25519_FILE).exists()


@pytest.mark.parametrize(
    ("file", "data"),
    [
        (ED25519_FILE, b""),
        (ED25519_FILE, bytes(63)),
        (ED25519_FILE, bytes(64)),
        (OPENSSF_FILE, b""),
        (OPENSSF_FILE, b"[]"),
        (OPENSSF_FILE, b"\xff"),
        (OPENSSF_FILE, b"[" * 100_000),
        (OPENSSF_FILE, b'{"mediaType": 1, "mediaType": 2}'),
    ],
)
def test_garbage_in_place_of_a_signature(artifact_dir: Path, keys: Callable[..., Pair], file: str, data: bytes) -> None:
    (artifact_dir / file).write_bytes(data)
    assert set(problems(artifact_dir, keys("ed25519"), keys("p256"))) == {file}
    assert verify_directory(artifact_dir).ok


@pytest.mark.parametrize(("file", "size"), [(ED25519_FILE, 65), (OPENSSF_FILE, MAX_OPENSSF_BYTES + 1)])
def test_a_signature_that_is_too_large_is_refused_unread(artifact_dir: Path, file: str, size: int) -> None:
    (artifact_dir / file).write_bytes(b" " * size)
    (problem,) = verify_directory(artifact_dir).problems
    assert (problem.file, problem.what) == (file, f"is larger than {size - 1} bytes")


def test_an_encrypted_key_signs_in_both_formats(
    artifact_dir: Path, keys: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADAPTERKIT_KEY_PASSWORD", "open sesame")
    for kind in KINDS:
        pair = keys(kind, password="open sesame")
        sign(artifact_dir, pair)
        assert problems(artifact_dir, pair) == {}


@both
def test_every_ancestor_must_be_signed(tmp_path: Path, keys: Callable[..., Pair], kind: str) -> None:
    registry, pair, other = Registry(tmp_path / "adapters"), keys(kind), keys(kind, name="other")
    parent = registry.publish(draft_of(write_adapter(tmp_path / "p")))
    weights = write_adapter(tmp_path / "c", tensors=lora_tensors(seed=1))
    child = registry.publish(draft_of(weights, name="child", parents=parent.manifest.lineage.members))
    sign(child.path, pair)

    def files(*given: Pair) -> list[str]:
        report = adapterkit.verify("child", registry=registry.path, keys=[each.public for each in given])
        return [problem.file for problem in report.problems]

    assert files(pair) == [f"unified@1.0.0/{ED25519_FILE}"]
    with pytest.raises(ArtifactError, match=f"{ED25519_FILE}: is missing"):
        registry.lineage_artifacts("child", keys=public_keys(pair.public))
    sign(parent.path, other)
    assert files(pair) == [f"unified@1.0.0/{KINDS[kind]}"]
    assert files(pair, other) == []
    trusted = public_keys([pair.public, other.public])
    assert registry.artifact("child", keys=trusted).ref == child.ref
    with pytest.raises(ArtifactError, match="bears a signature that does not match"):
        registry.artifact("child", keys=public_keys(other.public))
    assert [str(each.ref) for each in registry.lineage_artifacts("child", keys=trusted)] == [
        "unified@1.0.0",
        "child@1.0.0",
    ]
    shutil.copytree(child.path, tmp_path / "copy")
    report = adapterkit.verify(tmp_path / "copy", registry=registry.path, keys=pair.public)
    assert [problem.file for problem in report.problems] == [f"unified@1.0.0/{KINDS[kind]}"]
    report = adapterkit.verify(tmp_path / "copy", keys=pair.public)
    assert [problem.file for problem in report.problems] == ["unified@1.0.0"]
    assert "not at hand" in report.problems[0].what
