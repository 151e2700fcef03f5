"""One flipped bit, anywhere in any file, is found and named; so is every file that is cut short."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from artifacts.keyring import Pair, key_pair, sign

import adapterkit
from adapterkit.artifacts.signature_files import ED25519_FILE, OPENSSF_FILE
from adapterkit.manifest import MANDATORY_FILES, OPTIONAL_FILES
from untrusted.damage import cut, cuts, flipped, flips

GOLDEN = Path(__file__).parents[1] / "golden" / "schema_1"
ALL_FILES = (*MANDATORY_FILES, *OPTIONAL_FILES)


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the golden child, whose parent stays as it is."""
    registry = tmp_path_factory.mktemp("damage") / "adapters"
    shutil.copytree(GOLDEN, registry)
    return registry / "persona_ada" / "1.0.0"


@pytest.fixture(scope="module")
def signed(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Pair]]]:
    """Another copy, signed in both formats with its parent, and the keys."""
    registry = tmp_path_factory.mktemp("signed") / "adapters"
    shutil.copytree(GOLDEN, registry)
    pairs = [key_pair(registry.parent / "keys", kind) for kind in ("ed25519", "p256")]
    for name in ("unified", "persona_ada"):
        for pair in pairs:
            sign(registry / name / "1.0.0", pair)
    return registry / "persona_ada" / "1.0.0", pairs


def files_at_fault(artifact: Path, *pairs: Pair) -> set[str]:
    report = adapterkit.verify(artifact, registry=artifact.parents[1], keys=[pair.public for pair in pairs])
    assert report.ok == (not report.problems)
    return {problem.file for problem in report.problems}


def missed(artifact: Path, file: str, damages: list[AbstractContextManager[None]], *pairs: Pair) -> list[int]:
    """The damages, by their place in the list, for which not exactly this file was blamed."""
    found = []
    for number, damage in enumerate(damages):
        with damage:
            if files_at_fault(artifact, *pairs) != {file}:
                found.append(number)
    assert files_at_fault(artifact, *pairs) == set()
    return found


def all_flips(path: Path, count: int) -> list[AbstractContextManager[None]]:
    return [flipped(path, byte, bit) for byte, bit in flips(path.name, path.stat().st_size, count)]


@pytest.mark.parametrize("file", MANDATORY_FILES)
def test_a_thousand_flipped_bits_of_each_file_are_found(golden: Path, file: str) -> None:
    damages = all_flips(golden / file, 1000)
    assert len(damages) == 1000
    assert missed(golden, file, damages) == []


@pytest.mark.parametrize("file", OPTIONAL_FILES)
def test_flipped_bits_of_a_file_that_need_not_be_there_are_found(golden: Path, file: str) -> None:
    assert missed(golden, file, all_flips(golden / file, 100)) == []


@pytest.mark.parametrize("file", ALL_FILES)
def test_a_file_cut_at_every_64th_byte_is_found(golden: Path, file: str) -> None:
    path = golden / file
    assert missed(golden, file, [cut(path, size) for size in cuts(path.stat().st_size)]) == []


@pytest.mark.parametrize("count", [100, pytest.param(512, marks=pytest.mark.long)])
def test_flipped_bits_of_a_plain_signature_are_found(signed: tuple[Path, list[Pair]], count: int) -> None:
    """Of 64 bytes, so that 512 are all of them."""
    artifact, (plain, openssf) = signed
    damages = all_flips(artifact / ED25519_FILE, count)
    assert len(damages) == count
    assert missed(artifact, ED25519_FILE, damages, plain) == []
    assert missed(artifact, ED25519_FILE, all_flips(artifact / ED25519_FILE, 50), plain, openssf) == []


def test_flipped_bits_of_an_openssf_signature_are_found(signed: tuple[Path, list[Pair]]) -> None:
    artifact, (plain, openssf) = signed
    assert missed(artifact, OPENSSF_FILE, all_flips(artifact / OPENSSF_FILE, 200), openssf) == []
    assert missed(artifact, OPENSSF_FILE, all_flips(artifact / OPENSSF_FILE, 20), plain, openssf) == []


@pytest.mark.long
def test_two_thousand_flipped_bits_of_an_openssf_signature_are_found(signed: tuple[Path, list[Pair]]) -> None:
    artifact, pairs = signed
    assert missed(artifact, OPENSSF_FILE, all_flips(artifact / OPENSSF_FILE, 2000), *pairs) == []


@pytest.mark.parametrize("file", [ED25519_FILE, OPENSSF_FILE])
def test_a_signature_cut_at_every_64th_byte_is_found(signed: tuple[Path, list[Pair]], file: str) -> None:
    artifact, pairs = signed
    assert (
        missed(artifact, file, [cut(artifact / file, n) for n in cuts((artifact / file).stat().st_size)], *pairs) == []
    )


@pytest.mark.parametrize("file", MANDATORY_FILES)
def test_flipped_bits_under_a_signature_are_found(signed: tuple[Path, list[Pair]], file: str) -> None:
    artifact, pairs = signed
    assert missed(artifact, file, all_flips(artifact / file, 5), *pairs) == []
