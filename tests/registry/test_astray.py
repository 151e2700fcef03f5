"""Aliases whose history is damaged or whose version is gone: what is shown, what is refused, and the way out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from adapterkit.errors import ArtifactError, RefNotFoundError, RegistryError, UsageError
from adapterkit.names import Version
from adapterkit.registry import Registry, history_of
from adapterkit.workflows.status import status
from tests.registry.conftest import Publish
from tests.registry.tables import listed_aliases, plain, rows, run

GARBAGE = [
    "", "{", "{}", "[]", "[1]", "null", '{"version": 1}', '{"version": "9"}', '{"a": NaN}', "\ud800", "x" * 20_000,
]  # fmt: skip


def move_file(registry: Registry, alias: str, number: int) -> Path:
    return registry.path / "unified" / "aliases" / alias / f"{number}.json"


@pytest.fixture
def moved(publish: Publish, registry: Registry) -> Registry:
    """Four versions; production went 1.0.0, 1.1.0, 1.2.0, and a child was built on the last."""
    for seed in range(4):
        last = publish(seed=seed)
    publish("child", seed=9, on=last)
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        registry.promote(f"unified@{version}")
    return registry


def versions_of(registry: Registry) -> list[str]:
    return [f"{name}@{version}" for name in registry.names() for version in registry.versions(name)]


def test_the_list_shows_each_alias_where_a_ref_leads(moved: Registry, publish: Publish) -> None:
    def same() -> dict[str, str]:
        shown = listed_aliases(moved, "unified")
        assert shown == {alias: str(version) for alias, version in moved.aliases("unified").items()}
        assert all(str(moved.resolve(f"unified@{alias}").version) == version for alias, version in shown.items())
        return shown

    assert same() == {"latest": "1.3.0", "production": "1.2.0"}
    moved.rollback("unified")
    assert same()["latest"] == "1.2.0"
    publish(seed=5)
    assert same()["latest"] == "1.4.0"
    moved.promote("unified@1.0.0", "latest")
    assert same()["latest"] == "1.0.0"
    assert listed_aliases(moved, "child") == {"latest": "1.0.0"}


@pytest.mark.parametrize("text", GARBAGE)
def test_a_damaged_newest_move_is_shown_refused_and_healed(moved: Registry, text: str) -> None:
    move_file(moved, "production", 3).write_text(text, errors="surrogatepass")
    before = versions_of(moved)
    with pytest.raises(RegistryError, match=r"damaged.*adapterkit promote unified@VERSION --to production"):
        moved.resolve("unified@production")
    with pytest.raises(RegistryError, match="damaged"):
        moved.rollback("unified", "production")
    with pytest.raises(RegistryError, match=r"(?s)adapterkit promote .*Nothing is collected"):
        moved.plan_collection(keep=1)

    shown = rows(moved)
    assert "3.json" in shown.pop("unified@production")["problem"]
    assert sorted(shown) == sorted(before)
    assert all(row["ok"] for row in shown.values())
    facts = plain(moved, "history", "unified")
    assert [problem["alias"] for problem in facts["problems"]] == ["production"]
    assert facts["aliases"] == {"latest": "1.3.0"}
    assert [(event["what"], event["version"]) for event in facts["events"] if event["alias"]] == [
        ("promote", "1.0.0"), ("promote", "1.1.0"), ("damaged", None),
    ]  # fmt: skip
    assert "3.json is damaged" in run(moved, "history", "unified")
    assert "unified@production is damaged" in run(moved, "status")
    assert [each["state"] for each in plain(moved, "status")] == ["fresh", "fresh"]

    assert "production is 1.1.0 now" in run(moved, "promote", "unified@1.1.0")
    assert str(moved.exact("unified@production")) == "unified@1.1.0"
    assert "unified@production" not in rows(moved)
    assert [str(ref) for ref in moved.plan_collection(keep=1).versions] == ["unified@1.0.0"]


def test_a_damaged_older_move_stops_nobody_and_nothing_beyond_it_comes_back(moved: Registry) -> None:
    move_file(moved, "production", 2).write_text("{")
    assert str(moved.exact("unified@production")) == "unified@1.2.0"
    assert moved.pointers("unified")[1].problem is None
    with pytest.raises(UsageError, match=r"what it was before cannot be read.*--to VERSION"):
        moved.rollback("unified", "production")
    assert [str(ref) for ref in moved.plan_collection(keep=1).versions] == ["unified@1.0.0", "unified@1.1.0"]
    assert moved.rollback("unified", "production", to=Version(1, 1, 0)).now == Version(1, 1, 0)
    assert moved.rollback("unified", "production", to=Version(1, 0, 0)).now == Version(1, 0, 0)
    kinds = [event.what for event in history_of(moved, "unified") if event.alias]
    assert kinds == ["promote", "damaged", "promote", "rollback", "rollback"]


def test_a_missing_move_is_told(moved: Registry) -> None:
    move_file(moved, "production", 2).unlink()
    (lost,) = [event for event in history_of(moved, "unified") if event.what == "damaged"]
    assert lost.note.endswith("2.json is missing")
    with pytest.raises(UsageError, match="cannot be read"):
        moved.rollback("unified", "production")


def test_a_damaged_latest_is_refused_and_healed(moved: Registry) -> None:
    moved.rollback("unified")
    move_file(moved, "latest", 1).write_text("{")
    with pytest.raises(RegistryError, match="--to latest"):
        moved.resolve("unified")
    assert {each.entry.name: each.state for each in status(moved)} == {"child": "fresh", "unified": "broken"}
    assert "unified@latest" in rows(moved)
    run(moved, "history", "unified")
    assert "unified@latest is 1.2.0 now" in run(moved, "promote", "unified@1.2.0", "--to", "latest")
    # 1.3.0 was rolled back by the move that was lost: it is not what a rollback leads to.
    with pytest.raises(UsageError, match="cannot be read"):
        moved.rollback("unified")
    assert {each.entry.name: each.state for each in status(moved)} == {"child": "fresh", "unified": "fresh"}


def test_a_history_that_has_no_number_left_is_refused(moved: Registry) -> None:
    move_file(moved, "production", 999_999_999).write_text("{")
    with pytest.raises(RegistryError, match=r"999999999\.json.*Move that file away"):
        moved.promote("unified@1.0.0")
    assert "is missing" in run(moved, "history", "unified")


def test_an_alias_whose_version_is_gone_is_shown_with_the_way_out(moved: Registry) -> None:
    shutil.rmtree(moved.resolve("unified@1.2.0").path)
    problem = rows(moved)["unified@production"]["problem"]
    with pytest.raises(RefNotFoundError) as gone:
        moved.resolve("unified@production")
    assert str(gone.value) == problem
    assert "1.2.0, which is gone" in problem
    assert "adapterkit promote unified@VERSION --to production" in problem
    assert problem in run(moved, "history", "unified")
    assert plain(moved, "history", "unified")["problems"] == [{"alias": "production", "what": problem}]
    assert problem in run(moved, "status", code=None)
    # A rollback leads to what it was before, so that stays.
    assert [str(ref) for ref in moved.plan_collection(keep=1).versions] == ["unified@1.0.0"]
    assert moved.rollback("unified", "production").now == Version(1, 1, 0)
    assert "unified@production" not in rows(moved)


def test_a_latest_that_was_held_at_a_version_that_is_gone(moved: Registry) -> None:
    moved.rollback("unified")
    shutil.rmtree(moved.resolve("unified@1.2.0").path)
    assert str(moved.exact("unified")) == "unified@1.3.0"
    (pointer,) = [each for each in moved.pointers("unified") if each.alias == "latest"]
    assert pointer.version == Version(1, 3, 0)
    assert "1.2.0, which is gone, and 1.3.0 is meant" in str(pointer.problem)
    assert listed_aliases(moved, "unified")["latest"] == "1.3.0"


def test_broken_versions_stand_in_the_order_of_versions(publish: Publish, registry: Registry) -> None:
    for seed in range(4):
        publish(seed=seed)
    for version in ("1.0.0", "1.2.0"):
        (registry.path / "unified" / version / "metadata.json").write_text("{")
    events = history_of(registry, "unified")
    assert [str(event.version) for event in events] == ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]
    assert [event.note.startswith("BROKEN") for event in events] == [True, False, True, False]


def test_a_child_that_asks_for_an_alias_that_leads_astray_is_not_compared(moved: Registry) -> None:
    from adapterkit.registry import judge

    move_file(moved, "production", 3).write_text("{")

    def ask(entry: object, look: object) -> None:
        look.asked = "unified@production"  # type: ignore[attr-defined]

    found = judge(moved.survey(), moved.path, [ask])
    (child,) = [each for each in found if each.entry.name == "child"]
    assert (child.state, len(child.unknown)) == ("fresh", 1)
    assert "damaged" in child.unknown[0].what


def test_a_version_is_called_the_first_only_where_none_can_have_been_before(
    publish: Publish, registry: Registry
) -> None:
    for seed in range(3):
        publish(seed=seed)
    assert history_of(registry, "unified")[0].note == "first"
    (registry.path / "unified" / "1.0.0" / "metadata.json").write_text("{")
    assert history_of(registry, "unified")[1].note == "the earliest that can be read"
    for version in ("1.0.0", "1.1.0"):
        shutil.rmtree(registry.path / "unified" / version)
    assert history_of(registry, "unified")[0].note == "the earliest that is left"


def test_an_alias_whose_only_version_is_gone_is_told_by_every_verb(
    moved: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    moved.promote("child@1.0.0")
    shutil.rmtree(moved.resolve("child@1.0.0").path)
    for words in (["verify"], ["rollback"], ["show"], ["lineage"]):
        run(moved, *words, "child@production", code=1)
        told = capsys.readouterr().err
        assert "child@production was moved to 1.0.0, which is gone" in told
        assert "No adapter" not in told


def test_a_move_that_is_neither_forward_nor_back_is_quoted(moved: Registry) -> None:
    file = move_file(moved, "production", 3)
    file.write_text(json.dumps({**json.loads(file.read_text()), "action": "sideways"}))
    with pytest.raises(RegistryError, match="'sideways' is no action"):
        moved.resolve("unified@production")


def test_a_child_on_a_parent_of_other_weights_says_that_its_parents_changed(
    publish: Publish, registry: Registry
) -> None:
    publish("child", seed=5, on=publish(seed=0))
    publish("child", seed=6, on=publish(seed=1))
    notes = [event.note for event in history_of(registry, "child")]
    assert notes == ["first", "changed: parents"]


def test_what_else_stands_in_the_place_of_a_version_is_named(publish: Publish, registry: Registry) -> None:
    publish()
    (place := registry.path / "unified" / "4.0.0").mkdir()
    (place / "notes.txt").write_text("")
    with pytest.raises(ArtifactError, match=r"holds 'notes\.txt' and no file of an artifact"):
        registry.artifact("unified")
