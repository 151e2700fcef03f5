"""A manifest that is JSON and no manifest: one broken row, and everything else as before."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from adapterkit.cli.output import print_json
from adapterkit.cli.views.listing import listing, print_listing
from adapterkit.cli.views.moves import history, print_history
from adapterkit.cli.views.status import print_tree, standings
from adapterkit.errors import RegistryError
from adapterkit.lineage import LineageMember
from adapterkit.manifest import MANIFEST_FILE, WEIGHTS_FILE, DataRecord, RecipeRecord
from adapterkit.registry import Registry, Standing
from adapterkit.workflows.present import Present
from adapterkit.workflows.status import status
from tests.registry.conftest import Publish

ODD: tuple[Any, ...] = (
    None, True, -1, 1.5, 10**400, "", "x" * 100_000, "\x1b]0;\x07", "\ud800", "a\0b", [], ["x"], [None], [[]], [{}], {},
    {"x": "y"}, {"x": []}, {"\ud800": {"deep": [{}]}}, float("nan"), float("-inf"),
)  # fmt: skip
_GONE = object()
# Where in the file a decoder stopped.
PLACE = re.compile(r" - at .*| \(byte \d+\)")


@pytest.fixture
def odd(publish: Publish, registry: Registry, tmp_path: Path) -> Path:
    """The manifest of child@1.0.0, which has something of everything; child@1.1.0 and unified@1.0.0 are sound."""
    parent = publish()
    rows = tmp_path / "rows.jsonl"
    rows.write_text("{}\n")
    facts: dict[str, Any] = {
        "merged_from": (LineageMember(parent.ref, parent.manifest.weights_digest),),
        "description": "Odd.",
        "tags": ("one", "two"),
        "custom": {"a": {"b": 1}},
        "data": DataRecord("rows.jsonl", "c" * 64, 1, 1, {f"file:{rows}": "0" * 64}),
        "recipe": RecipeRecord(
            "persona_on_unified", ("persona=lincoln",), str(tmp_path), {"train": "0" * 64}, "unified", "f" * 64,
            "f" * 64, "lincoln", 1,
        ),
    }  # fmt: skip
    path = publish("child", seed=1, on=parent, **facts).path / MANIFEST_FILE
    publish("child", seed=2, on=parent)
    registry.rollback("child")
    return path


@pytest.mark.parametrize("left", [0, 8, 100])
def test_weights_that_were_cut_are_seen_at_a_glance(publish: Publish, registry: Registry, left: int) -> None:
    weights = publish().path / WEIGHTS_FILE
    publish("child", seed=1, on=publish())
    weights.write_bytes(weights.read_bytes()[:left])
    rows = {row["ref"]: row["problem"] for row in listing(registry)}
    assert rows["child@1.0.0"] == "parent unified@1.0.0 is broken"
    assert rows["unified@1.0.0"] == f"{WEIGHTS_FILE} was cut: {left} bytes are left of more than 7,168"
    assert not registry.verify("unified").ok


def places(plain: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in it."""
    for key in plain if isinstance(plain, dict) else range(len(plain)) if isinstance(plain, list) else ():
        yield (*way, key)
        yield from places(plain[key], (*way, key))


def changed(plain: Any, way: tuple[Any, ...], value: Any) -> Any:
    found = copy.deepcopy(plain)
    inner = found
    for key in way[:-1]:
        inner = inner[key]
    if value is _GONE:
        del inner[way[-1]]
    else:
        inner[way[-1]] = value
    return found


def seen(registry: Registry, present: Present) -> tuple[dict[str, dict[str, Any]], list[Standing]]:
    """The rows of the list by version, and how each adapter stands: all are there, whatever one manifest says."""
    rows, stand = {row["ref"]: row for row in listing(registry)}, status(registry, present)
    assert set(rows) == {"child@1.0.0", "child@1.1.0", "unified@1.0.0"}
    assert {each.entry.name for each in stand} == {"child", "unified"}
    return rows, stand


def show(
    registry: Registry, capsys: pytest.CaptureFixture[str], rows: dict[str, dict[str, Any]], stand: list[Standing]
) -> None:
    """The three tables, printed and as JSON."""
    listed, facts = list(rows.values()), history(registry, "child")
    print_listing(registry.path, listed)
    print_tree(stand)
    print_history(facts)
    capsys.readouterr().out.encode()
    for found in (listed, standings(stand), facts):
        print_json(found)
        json.loads(capsys.readouterr().out.encode())
    with suppress(RegistryError):
        registry.plan_collection()


def look(registry: Registry, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Everything that the three tables show; version -> its row in the list."""
    rows, stand = seen(registry, Present())
    show(registry, capsys, rows, stand)
    return rows


@pytest.mark.long
def test_no_odd_value_breaks_a_table(odd: Path, registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    # Nearly every manifest has the rows of its data compared, and they are the same each time.
    plain, present, problems = json.loads(odd.read_text("utf-8")), Present(most_read=1), set()
    rows, stand = seen(registry, present)
    show(registry, capsys, rows, stand)
    assert all(row["ok"] for row in rows.values())
    for way in places(plain):
        for value in (_GONE, *ODD):
            odd.write_text(json.dumps(changed(plain, way, value)))
            rows, stand = seen(registry, present)
            assert rows["child@1.1.0"]["ok"], (way, value)
            assert rows["unified@1.0.0"]["ok"], (way, value)
            # What cannot be read is shown by its problem alone, so each kind of problem is printed once.
            problem = PLACE.sub("", rows["child@1.0.0"]["problem"] or "")
            if not problem or problem not in problems:
                show(registry, capsys, rows, stand)
                problems.add(problem)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lineage", "unified@1.0.0"), ("lineage", ["unified@1.0.0"]), ("lineage", [{}]), ("lineage", []),
        ("name", 1), ("version", None), ("description", None), ("description", []), ("tags", {}), ("tags", [1]),
        ("metrics", {"loss": "low"}), ("metrics", {"loss": float("nan")}), ("metrics", []), ("created", 5),
        ("data", {}), ("base", {"identity": {}}), ("base", {"identity": {"id": []}}), ("adapter", {"rank": "4"}),
        ("merged_from", [{"ref": "unified"}]), ("recipe", {}), ("recipe", []), ("weights_digest", None),
        ("data", {"source": "a", "digest": "b", "rows": 1, "tokens": 1, "origins": {"file:a": 1}}),
        ("schema_version", "2"), ("description", "\ud800"), ("custom", None), ("environment", 3),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_a_broken_row(
    odd: Path, registry: Registry, capsys: pytest.CaptureFixture[str], key: str, value: Any
) -> None:
    odd.write_text(json.dumps({**json.loads(odd.read_text("utf-8")), key: value}))
    row = look(registry, capsys)["child@1.0.0"]
    assert row["problem"].startswith("metadata.json is not a manifest: ")
    assert len(row["problem"]) < 300
    assert (row["name"], row["version"]) == ("child", "1.0.0")


@pytest.mark.parametrize("key", ["lineage", "base", "tags", "created", "recipe", "intended_use", "merge"])
def test_a_key_that_is_missing_is_named(
    odd: Path, registry: Registry, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    plain = json.loads(odd.read_text("utf-8"))
    del plain[key]
    odd.write_text(json.dumps(plain))
    assert look(registry, capsys)["child@1.0.0"]["problem"].endswith(f"Object missing required field `{key}`")


@pytest.mark.parametrize("yaml", ["", "[1]", "7", "a: [", "imported: true", "trainer: 3", "name: {}", "\x00"])
def test_an_odd_config_is_its_adapters_fault_alone(
    publish: Publish, registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str], yaml: str
) -> None:
    """Where a data file changed the recorded config is read."""
    (tmp_path / "rows.jsonl").write_text("{}\n")
    data = DataRecord("rows.jsonl", "c" * 64, 1, 1, {f"file:{tmp_path / 'rows.jsonl'}": "0" * 64})
    publish("child", seed=1, data=data)
    publish("child", seed=2, data=data)
    publish()
    (registry.resolve("child").path / "training_config.yaml").write_text(yaml)
    assert {each.entry.ref: each.state for each in status(registry)} == {
        "child@1.1.0": "stale",
        "unified@1.0.0": "fresh",
    }
    look(registry, capsys)
