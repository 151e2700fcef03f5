"""Freshness, with recipes of the user's own: what is fresh, what is stale and why, what is broken."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from adapterkit.config.asked import Asked, asked_for
from adapterkit.config.compose import compose_recipe, composing
from adapterkit.errors import UsageError
from adapterkit.registry import Registry
from adapterkit.workflows.doctor import BAD, examine
from adapterkit.workflows.own_command import asked_now
from adapterkit.workflows.present import Present
from adapterkit.workflows.status import status
from tests.workflows.project import ALL_FRESH, CHILD, FAMILY, PARENT_STALE, Project
from tests.workflows.tiny import TRAIN, write_chats


def test_what_nothing_moved_is_fresh(project: Project) -> None:
    assert project.standings() == ALL_FRESH


def test_a_comment_in_a_recipe_makes_nothing_stale(project: Project) -> None:
    project.recipe.write_text(FAMILY.replace("model:", "# a remark\nmodel:"))
    assert project.standings() == ALL_FRESH


def test_a_setting_that_only_watches_makes_nothing_stale(project: Project) -> None:
    project.recipe.write_text(FAMILY.replace("max_steps: 2", "max_steps: 2\n  logging_steps: 1"))
    assert project.standings() == ALL_FRESH


def test_a_recipe_that_moved_on_is_told_by_its_settings(project: Project) -> None:
    project.set_steps(3)
    told = "recipe: trainer.max_steps 2 -> 3"
    assert project.standings() == {
        "child_ann@1.0.0": [PARENT_STALE, told], "child_bob@1.0.0": [PARENT_STALE, told], "unified@1.0.0": [told],
    }  # fmt: skip


def test_an_override_that_was_given_outlasts_its_recipe(project: Project) -> None:
    (project.folder / "mine/recipe/child.yaml").write_text(CHILD + "adapter:\n  r: 8\n")
    assert project.standings() == ALL_FRESH
    (project.folder / "mine/recipe/child.yaml").write_text(CHILD + "adapter:\n  lora_alpha: 8\n")
    stale = project.standings()
    assert stale["unified@1.0.0"] == ["fresh"]
    assert stale["child_ann@1.0.0"] == stale["child_bob@1.0.0"] == ["recipe: adapter.lora_alpha 16 -> 8"]


def test_a_recipe_that_is_gone(project: Project) -> None:
    (project.folder / "mine/recipe/child.yaml").unlink()
    assert "cannot be asked for any more" in project.standings()["child_ann@1.0.0"][0]


def test_data_that_moved_on(project: Project) -> None:
    write_chats(project.data, (*TRAIN, "one more"))
    told = "data: train.jsonl has other rows now"
    assert project.standings()["unified@1.0.0"] == [told]
    assert project.standings()["child_ann@1.0.0"] == [PARENT_STALE, told]


def test_data_that_was_written_otherwise_and_says_the_same_is_fresh(project: Project) -> None:
    rows = [json.loads(line) for line in project.data.read_text().splitlines()]
    project.data.write_text("\n\n".join(json.dumps(row, indent=None, separators=(",", ":")) for row in rows) + "\n")
    assert project.standings() == ALL_FRESH


def test_data_that_lies_elsewhere_is_not_compared(project: Project) -> None:
    project.data.unlink()
    assert project.standings() == ALL_FRESH
    assert {str(reason) for each in status(project.registry) for reason in each.unknown} == {
        "data: train.jsonl is not here"
    }


def test_a_base_that_moved_on(project: Project) -> None:
    weights = project.own_base() / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    assert all("base has other weights now" in reasons[-1] for reasons in project.standings().values())


def test_another_chat_template_is_another_base(project: Project) -> None:
    template = project.own_base() / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    assert all("another tokenizer or chat template" in reasons[-1] for reasons in project.standings().values())


def test_a_rolled_back_parent_is_the_one_that_counts(project: Project) -> None:
    project.train("family", "seed=1", "name=unified")
    assert project.standings()["child_ann@1.0.0"] == ["parent: unified moved on: unified@1.0.0 -> unified@1.1.0"]
    project.registry.rollback("unified")
    assert project.standings() == ALL_FRESH


def test_broken_members(project: Project) -> None:
    (project.registry.resolve("unified").path / "README.md").unlink()
    (project.registry.resolve("child_bob").path / "metadata.json").write_text("{")
    found = project.standings()
    assert found["unified@1.0.0"] == ["files: README.md missing"]
    assert found["child_ann@1.0.0"] == ["parent: unified@1.0.0 is broken"]
    assert found["child_bob@1.0.0"][0].startswith("files: metadata.json is not a manifest")
    assert "0 fresh, 0 stale, 3 broken" in project.run("status", code=1)


def test_a_base_under_another_address_is_the_same_base(project: Project) -> None:
    project.recipe.write_text(FAMILY.replace("id: base", f"id: {project.folder / 'base'}"))
    assert project.standings() == ALL_FRESH


def test_a_parent_asked_for_by_another_ref_to_the_same_weights_is_the_same(project: Project) -> None:
    child = project.folder / "mine/recipe/child.yaml"
    child.write_text(CHILD.replace("parent: unified\n", "parent: unified@1.0.0\n"))
    assert project.standings() == ALL_FRESH
    child.write_text(CHILD.replace("parent: unified\n", "parent: null\n"))
    assert project.standings()["child_ann@1.0.0"] == ["parent: none is asked for now, and it stands on unified@1.0.0"]


def test_settings_that_the_quantization_does_not_use_change_nothing(project: Project) -> None:
    project.recipe.write_text(FAMILY + "quantization:\n  double_quant: false\n")
    assert project.standings() == ALL_FRESH


def test_a_recipe_that_names_other_data_is_not_excused_by_the_loss_of_the_old(project: Project) -> None:
    write_chats(project.folder / "other.jsonl", ("quite", "other", "words"))
    project.recipe.write_text(FAMILY.replace("train: train.jsonl", "train: other.jsonl"))
    project.data.unlink()
    assert project.standings()["unified@1.0.0"] == ["data: train.jsonl has other rows now"]


def test_each_persona_is_compared_with_its_own_record(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    rate = "  learning_rate: ${oc.decode:${oc.env:LR}}\n"
    recipe = project.folder / "mine/recipe/child.yaml"
    recipe.write_text(CHILD + "trainer:\n" + rate)
    for persona, value in (("cyd", "0.001"), ("dan", "0.002")):
        monkeypatch.setenv("LR", value)
        project.train("child", f"persona={persona}", "adapter.r=2")
    recipe.write_text(CHILD + "trainer:\n" + rate + "  weight_decay: 0.0\n")
    found = project.standings()
    assert found["child_cyd@1.0.0"] == ["recipe: trainer.learning_rate 0.001 -> 0.002"]
    assert found["child_dan@1.0.0"] == ["fresh"]


def test_data_that_is_named_after_the_adapter_is_each_ones_own(project: Project) -> None:
    recipe = project.folder / "mine/recipe/child.yaml"
    by_name = CHILD + "data:\n  train: ${name}.jsonl\n"
    for persona, words in (("cyd", TRAIN), ("dan", TRAIN[::-1])):
        write_chats(project.folder / f"child_{persona}.jsonl", words)
        recipe.write_text(by_name)
        project.train("child", f"persona={persona}", "adapter.r=2")
    recipe.write_text(by_name.replace("${name}", "./${name}"))
    found = project.standings()
    assert found["child_cyd@1.0.0"] == found["child_dan@1.0.0"] == ["fresh"]


def test_an_adapter_cannot_stand_on_itself(project: Project) -> None:
    with pytest.raises(UsageError, match="an earlier version of itself"):
        project.train("family", "parent=unified")
    with pytest.raises(UsageError, match=r"unified@1\.0\.0, an earlier version of itself"):
        project.train("family", "parent=child_ann")


def test_seen_from_another_folder_a_recipe_is_not_here(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.folder / "sub").mkdir()
    monkeypatch.chdir(project.folder / "sub")
    found = status(Registry("../adapters"))
    assert {each.state for each in found} == {"fresh"}
    assert {"recipe: mine is not here", "data: train.jsonl is not here", "base: base is not here"} == {
        str(reason) for each in found for reason in each.unknown
    }


@pytest.mark.parametrize("slip", [b"\tbad: [", b"# caf\xe9\n"])
def test_a_slip_in_a_recipe_is_one_reason_and_no_traceback(project: Project, slip: bytes) -> None:
    project.recipe.write_bytes(FAMILY.encode() + slip)
    assert "cannot be asked for any more" in project.standings()["unified@1.0.0"][0]


def test_a_file_of_the_users_that_hydra_would_pass_over_is_refused(project: Project) -> None:
    (project.folder / "mine/recipe/unified.yaml").write_text(FAMILY)
    told = r"unified\.yaml bears the name.*my_unified\.yaml"
    with pytest.raises(UsageError, match=told):
        asked_for([], ["train", "recipe/unified"], config_dir="mine")
    asked_for([], ["train", "recipe/family"], config_dir="mine")
    with composing(), pytest.raises(UsageError, match=told):
        compose_recipe("unified", asked_now(project.registry.survey()["child_ann"][-1])[0], Asked(config_dir="mine"))
    (found,) = [each for each in examine(project.registry, Path("mine")) if each.what == "recipe unified"]
    assert found.state == BAD
    assert "bears the name" in found.told


@pytest.mark.parametrize(
    "origin",
    [
        "file:pipe",
        "file:/dev/zero",
        "file:a\0b",
        "folder:/",
        "folder:a\0b",
        "package:",
        "junk",
        "package:no/such",
        "sdist:../no",
        "python:x",
    ],
)
def test_what_a_manifest_names_as_its_data_is_not_waited_for(project: Project, origin: str) -> None:
    os.mkfifo("pipe")
    with project.edited("unified@1.0.0") as plain:
        plain["data"]["origins"] = {origin: "0" * 64}
    assert project.standings()["unified@1.0.0"] == ["fresh"]


def test_what_cannot_be_looked_at_is_the_fault_of_one_and_says_why(project: Project) -> None:
    with project.edited("child_ann@1.0.0") as plain:
        plain["recipe"]["config_dir"] = "x" * 5000
        plain["recipe"]["sources"] = dict.fromkeys(plain["recipe"]["sources"], "0" * 64)
    told = project.standings()
    assert "cannot be compared: " in told["child_ann@1.0.0"][0]
    assert "too long" in told["child_ann@1.0.0"][0]
    assert told["child_bob@1.0.0"] == ["fresh"]


def test_every_adapter_is_in_the_tree_once(project: Project) -> None:
    printed = project.run("status")
    assert [line for line in printed.splitlines() if "─" in line] == [
        "└─ unified@1.0.0  fresh", "   ├─ child_ann@1.0.0  fresh", "   └─ child_bob@1.0.0  fresh",
    ]  # fmt: skip
    path = project.registry.resolve("unified").path / "metadata.json"
    path.write_text("{")
    printed = project.run("status", code=1)
    assert [printed.count(ref) for ref in ("unified@1.0.0  BROKEN", "child_ann@1.0.0", "child_bob@1.0.0")] == [1, 1, 1]


def test_with_all_the_rows_of_every_adapter_are_compared(project: Project) -> None:
    write_chats(project.data, (*TRAIN, "one more"))
    few = status(project.registry, Present(most_read=1))
    assert sorted(each.state for each in few) == ["fresh", "fresh", "stale"]
    assert sum("whether in their own rows" in str(reason) for each in few for reason in each.unknown) == 2
    assert project.run("status", "--all").count("has other rows now") == 3
