"""The four parsers on anything at all: a value, or an error of the family; what they accept comes back unchanged."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapterkit.artifacts import parse_adapter_config, parse_json, pretty_json, read_checksums, yaml_problem
from adapterkit.digest import canonical_json, json_digest
from adapterkit.errors import ArtifactError, UsageError
from adapterkit.manifest import (
    ADAPTER_CONFIG_FILE,
    CHECKSUMS_FILE,
    MANIFEST_FILE,
    TRAINING_CONFIG_FILE,
    Manifest,
)
from adapterkit.names import AdapterRef, as_name, check_name
from untrusted.mutations import damaged_bytes, damaged_json

GOLDEN = Path(__file__).parents[1] / "golden" / "schema_1" / "persona_ada" / "1.0.0"
FEW, MANY = 200, 5_000
steady = settings(
    max_examples=FEW, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
HEX = st.from_regex("[0-9a-f]{64}", fullmatch=True)


def read_manifest(data: bytes, folder: Path) -> None:
    manifest = Manifest.from_json(parse_json(data, MANIFEST_FILE))
    again = pretty_json(manifest.to_json(), MANIFEST_FILE)
    assert Manifest.from_json(parse_json(again, MANIFEST_FILE)) == manifest


def read_config(data: bytes, folder: Path) -> None:
    found = parse_adapter_config(data)
    assert parse_adapter_config(pretty_json(dict(found.plain), ADAPTER_CONFIG_FILE)) == found


def read_table(data: bytes, folder: Path) -> None:
    (folder / CHECKSUMS_FILE).write_bytes(data)
    assert read_checksums(folder).data == data


def read_yaml(data: bytes, folder: Path) -> None:
    """What may be parsed can be parsed, means the same to both readers, and evaluates nothing."""
    if yaml_problem(data) is None:
        plain = loaded(data, yaml.SafeLoader)
        assert isinstance(plain, dict)
        assert repr(plain) == repr(loaded(data, yaml.CSafeLoader))
        return
    raise ArtifactError.of(TRAINING_CONFIG_FILE, "refused")


def loaded(data: bytes, loader: Any) -> Any:
    """The values; the readers' own refusals of single values, such as the 30th of February, are the same in both."""
    try:
        return yaml.load(data.decode("utf-8"), Loader=loader)
    except (yaml.constructor.ConstructorError, ValueError) as error:
        return {"refused": type(error).__name__}


PARSERS: dict[str, Callable[[bytes, Path], None]] = {
    MANIFEST_FILE: read_manifest,
    ADAPTER_CONFIG_FILE: read_config,
    CHECKSUMS_FILE: read_table,
    TRAINING_CONFIG_FILE: read_yaml,
}
every = pytest.mark.parametrize("file", PARSERS)


def feed(file: str, data: bytes, folder: Path) -> bool:
    """Give bytes to a parser; whether it took them. Any error outside the family comes through."""
    try:
        PARSERS[file](data, folder)
    except ArtifactError as error:
        listed = error.problems
    else:
        return True
    assert listed
    assert {problem.file for problem in listed} == {file}
    return False


def mutate(file: str, folder: Path, count: int) -> int:
    """Feed mutations of the golden file; how many were taken."""
    whole, taken = (GOLDEN / file).read_bytes(), 0
    for number in range(count):
        draw = random.Random(f"{file}/{number}")
        structured = number % 2 and file != TRAINING_CONFIG_FILE
        data = damaged_json(whole, draw) if structured else damaged_bytes(whole, draw)
        try:
            taken += feed(file, data, folder)
        except Exception as error:
            raise AssertionError(f"{file}, mutation {number}: {data[:300]!r}") from error
    return taken


@every
def test_the_golden_file_is_taken(file: str, tmp_path: Path) -> None:
    assert feed(file, (GOLDEN / file).read_bytes(), tmp_path)


@every
def test_some_mutations(file: str, tmp_path: Path) -> None:
    assert mutate(file, tmp_path, 1000) < 500


@pytest.mark.long
@every
def test_many_mutations(file: str, tmp_path: Path) -> None:
    mutate(file, tmp_path, 20_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
CONFIG_KEYS = st.sampled_from(
    ["r", "lora_alpha", "target_modules", "peft_type", "rank_pattern", "alpha_pattern", "auto_mapping", "use_dora", "x"]
)


def with_golden(file: str, keys: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """The golden file with anything under some of its keys."""
    plain = json.loads((GOLDEN / file).read_bytes())
    return st.dictionaries(keys, JSON, max_size=3).map(lambda changes: json.dumps({**plain, **changes}).encode())


def texts(file: str) -> st.SearchStrategy[bytes]:
    """Bytes for a parser: anything, any JSON, the golden file with anything in it."""
    anything = st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
    documents = JSON.map(lambda value: json.dumps(value).encode())
    if file == MANIFEST_FILE:
        keys = st.sampled_from(sorted(json.loads((GOLDEN / file).read_bytes()))) | st.text(max_size=4)
        return anything | documents | with_golden(file, keys)
    if file == ADAPTER_CONFIG_FILE:
        return anything | documents | with_golden(file, CONFIG_KEYS)
    if file == CHECKSUMS_FILE:
        tables = st.dictionaries(st.text(st.characters(), max_size=8), JSON, max_size=4)
        return anything | documents | tables.map(lambda table: json.dumps({"files": table}).encode())
    plain = JSON.map(lambda value: yaml.safe_dump({"a": value}, allow_unicode=True).encode("utf-8", "surrogatepass"))
    return anything | plain | st.text(alphabet="a:-?&*!|>%@`{}[],'\"#\n \t$<~=.0", max_size=60).map(str.encode)


def fuzz(file: str, folder: Path, count: int) -> None:
    @settings(steady, max_examples=count)
    @given(texts(file))
    def run(data: bytes) -> None:
        feed(file, data, folder)

    run()


@every
def test_anything_a_little(file: str, tmp_path: Path) -> None:
    fuzz(file, tmp_path, FEW)


@pytest.mark.long
@every
def test_anything_at_length(file: str, tmp_path: Path) -> None:
    fuzz(file, tmp_path, MANY)


@steady
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), HEX))
def test_a_table_of_checksums_comes_back(files: dict[str, str]) -> None:
    data = canonical_json({"algorithm": "sha256", "files": files, "digest": json_digest(files)})
    assert parse_json(data, CHECKSUMS_FILE)["files"] == files


@steady
@given(JSON)
def test_json_comes_back(value: Any) -> None:
    try:
        data = pretty_json(value, "x.json")
    except ArtifactError:
        return
    assert parse_json(data, "x.json") == value


@steady
@given(st.text(max_size=200) | st.from_regex(r"[a-z0-9_.-]{0,130}(@[a-z0-9.]{0,12})?", fullmatch=True))
@example("con")
@example("a" * 200)
def test_a_ref_is_refused_or_comes_back(text: str) -> None:
    try:
        ref = AdapterRef.parse(text)
    except UsageError:
        return
    assert AdapterRef.parse(str(ref)) == ref
    assert str(ref) == text


@steady
@given(st.text(max_size=200))
@example("con")
@example("NUL.txt")
def test_any_text_gives_a_legal_name_or_none(text: str) -> None:
    name = as_name(text)
    assert not name or check_name(name) == name
