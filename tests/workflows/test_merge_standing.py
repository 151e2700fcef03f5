"""How a merge stands in its family: stale once a source moved on, unless that was pinned; made again by a rebuild."""

from __future__ import annotations

import json

import pytest
from artifacts.samples import edit_json

from adapterkit.manifest import MANIFEST_FILE
from adapterkit.workflows.merge import merge
from tests.driving import printed
from tests.stack.kin import Kin
from tests.workflows.test_merge import asked, changes_of


@pytest.fixture
def kin(tiny_base_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("ADAPTERKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    made = Kin(tiny_base_dir, tmp_path)
    made.publish("coder", seed=1)
    made.publish("security", seed=2)
    merge(asked(made, "coder", "security", method="average", rank="sum", name="moving", dtype="float64"))
    merge(asked(made, "coder@1.0.0", "security@1.0.0", method="average", name="pinned"))
    merge(asked(made, "moving", "coder", method="average", name="grandchild"))
    return made


def states(kin):
    rows = json.loads(printed("status", "--registry", kin.registry.path, "--json", code=None))
    return {row["ref"].partition("@")[0]: (row["state"], str(row["reasons"])) for row in rows}


def test_it_is_stale_once_a_source_moved_on_and_a_rebuild_makes_it_again(kin):
    assert {state for state, _ in states(kin).values()} == {"fresh"}
    kin.publish("coder", seed=9)
    found = states(kin)
    assert found["moving"][0] == found["grandchild"][0] == "stale"
    assert "coder moved on: coder@1.0.0 -> coder@1.1.0" in found["moving"][1]
    assert "moving is stale itself" in found["grandchild"][1]
    assert found["pinned"] == ("fresh", "[]")

    where = ("--registry", kin.registry.path)
    foreseen = json.loads(printed("rebuild", "--dry-run", *where, "--json"))
    assert [each["name"] for each in foreseen] == ["moving", "grandchild"]
    done = json.loads(printed("rebuild", *where, "--device", "cpu", "--json"))
    assert [(each["ref"], each["problem"]) for each in done] == [("moving@1.1.0", None), ("grandchild@1.1.0", None)]
    assert {state for state, _ in states(kin).values()} == {"fresh"}
    sources = [changes_of(kin.registry.artifact(ref).path) for ref in ("coder@1.1.0", "security")]
    merged = changes_of(kin.registry.artifact("moving").path)
    for module, change in merged.items():
        exact = (sources[0][module] + sources[1][module]) / 2
        assert (change - exact).norm() < 1e-12 * exact.norm()
    assert json.loads(printed("rebuild", *where, "--json")) == []


def test_what_only_looks_at_adapters_looks_at_merges_too(kin):
    where = ("--registry", kin.registry.path)
    shown = printed("show", "moving", *where)
    assert "merged by" in shown
    assert "coder@1.0.0, weight 0.5" in shown
    assert "└─ moving@1.0.0" in printed("lineage", "moving", *where)
    assert "moving" in printed("list", *where)
    assert "records a merge and no training: make it again" in failure(kin, "reproduce", "moving")


def failure(kin, *words):
    return json.loads(printed(*words, "--registry", kin.registry.path, "--json", code=1))["error"]


def test_one_that_is_broken_says_how_it_came_about(kin):
    folder = kin.registry.artifact("pinned").path
    (folder / "adapter_model.safetensors").unlink()
    done = json.loads(printed("rebuild", "--registry", kin.registry.path, "--json", code=1))
    told = next(each for each in done if each["name"] == "pinned")
    assert "it was made by average: bring its files back" in told["problem"]


@pytest.mark.parametrize("odd", [None, "coder", [1, 2], ["coder@1.0.0"], {"coder": 1}])
def test_where_nothing_sound_says_under_which_refs_it_was_asked_for_bare_names_are_meant(kin, odd):
    pinned = kin.registry.artifact("pinned")
    merge_record = json.loads((pinned.path / MANIFEST_FILE).read_bytes())["merge"]
    merge_record["options"]["asked"] = odd
    edit_json(pinned.path, MANIFEST_FILE, merge=merge_record)
    assert states(kin)["pinned"] == ("fresh", "[]")
    kin.publish("coder", seed=9)
    state, reasons = states(kin)["pinned"]
    assert (state, "coder moved on: coder@1.0.0 -> coder@1.1.0" in reasons) == ("stale", True)
