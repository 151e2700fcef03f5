"""Merging, flattening and training by a call: the same as by the command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import adapterkit
from adapterkit.errors import UsageError
from tests.driving import printed
from tests.stack.kin import Kin
from tests.workflows.project import Project

UNMEASURED = ["held_out.recorded=false", "test_decode_parity=false", "device=cpu"]


@pytest.fixture(scope="module")
def kin(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kin]:
    """Two children of one parent, in the folder `adapters` of the current one."""
    made = Kin(tiny_base_dir, tmp_path_factory.mktemp("kin"))
    parent = made.publish("unified", seed=1)
    made.publish("lincoln", parent, seed=2)
    made.publish("reagan", parent, seed=3)
    with contextlib.chdir(made.folder):
        yield made


def test_a_merge_is_what_its_words_come_to(kin: Kin) -> None:
    refs = [adapterkit.AdapterRef.parse("lincoln@1.0.0"), "reagan"]
    done = adapterkit.merge_adapters(
        refs, method="ties", weights=[0.7, 0.3], name="both", overrides=["density=0.25", *UNMEASURED]
    )
    manifest = done.artifact.manifest
    assert (done.merged, str(manifest.ref)) == (True, "both@1.0.0")
    assert [str(member.ref) for member in manifest.merged_from] == ["lincoln@1.0.0", "reagan@1.0.0"]
    assert manifest.merge is not None
    assert (manifest.merge.method, manifest.merge.weights) == ("ties", (0.7, 0.3))
    assert manifest.merge.options["density"] == 0.25
    again = adapterkit.merge_adapters(
        refs, method="ties", weights=[0.7, 0.3], name="both", registry=kin.registry.path,
        overrides=["density=0.25", *UNMEASURED],
    )  # fmt: skip
    assert (again.merged, again.artifact.digest) == (False, done.artifact.digest)
    (run,) = (kin.folder / "outputs" / "both").iterdir()
    assert [path.name for path in run.iterdir()] == ["final_artifact"]


def test_a_merge_recipe_of_ones_own(kin: Kin) -> None:
    recipe = kin.folder / "mine" / "merge" / "halves.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(
        "# @package _global_\ndefaults:\n  - override /method: slerp\nname: halves\nadapters: [lincoln, reagan]\n"
    )
    done = adapterkit.merge_adapters(recipe="halves", config_dir="mine", overrides=UNMEASURED)
    assert str(done.artifact.ref) == "halves@1.0.0"
    assert done.artifact.manifest.merge is not None
    assert done.artifact.manifest.merge.method == "slerp"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "tis"}, "Did you mean ties"),
        ({"overrides": ["densty=1"]}, "Did you mean density"),
        ({"recipe": "nothing"}, "nothing"),
        ({"weights": "perfomance"}, "Did you mean performance"),
        ({"weights": [1, 2, 3]}, "3"),
    ],
)
def test_a_merge_that_cannot_be_is_one_error_of_ours(kin: Kin, given: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        adapterkit.merge_adapters(["lincoln", "reagan"], **{"name": "never", **given})  # type: ignore[arg-type]
    assert "never" not in kin.registry.names()


def test_a_flattened_stack_is_what_the_verb_makes(kin: Kin) -> None:
    flat = adapterkit.flatten_stack("lincoln", registry=kin.registry.path, weights=[1, 0.5], dtype="bfloat16")
    assert (flat.new, str(flat.ref), flat.manifest.lineage.parents) == (True, "lincoln_flat@1.0.0", ())
    words = ["--weight", "1", "--weight", "0.5", "--dtype", "bfloat16"]
    assert "Already flattened to lincoln_flat@1.0.0" in printed("flatten", "lincoln", *words)
    with pytest.raises(UsageError, match="1 weight for a stack of 2 members"):
        adapterkit.flatten_stack("lincoln", weights=[1])


def test_a_session_without_its_last_member_speaks_as_its_parent(kin: Kin) -> None:
    child, parent = adapterkit.load("lincoln"), adapterkit.load("unified")
    answers = [each.generate("Say red fox.", max_new_tokens=12) for each in (child, parent)]
    assert answers[0] != answers[1]
    with child.without_last():
        assert child.generate("Say red fox.", max_new_tokens=12) == answers[1]
    assert child.generate("Say red fox.", max_new_tokens=12) == answers[0]


def test_a_registry_is_a_place_and_no_word_of_the_command(
    tmp_path: Path, tiny_base_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADAPTERKIT_CACHE", str(tmp_path / "cache"))
    Project.begun(tmp_path, tiny_base_dir)
    shelf = tmp_path / "a shelf, 100% elsewhere"
    done = adapterkit.train_recipe(
        "child", registry=shelf, overrides=["persona=ann", "trainer.max_steps=1"], config_dir="mine"
    )
    assert done.artifact.path.parent.parent == shelf
    assert adapterkit.Registry(shelf).names() == ["child_ann", "unified"]
    assert not (tmp_path / "adapters").exists()
    assert done.artifact.manifest.recipe is not None
    assert done.artifact.manifest.recipe.overrides == ("persona=ann", "trainer.max_steps=1")
