from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from artifacts.samples import draft_of, edit_json, lora_tensors, write_adapter

from adapterkit.cli import main
from adapterkit.manifest import DataRecord, Manifest, RecipeRecord
from adapterkit.registry import Registry
from tests.driving import ROOT, Command, printed


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with unified@1.0.0 and persona_lincoln@1.0.0 on it."""
    registry = Registry(tmp_path / "adapters")
    parent = registry.publish(draft_of(write_adapter(tmp_path / "p")))
    child = write_adapter(tmp_path / "c", tensors=lora_tensors(seed=1))
    registry.publish(
        draft_of(child, name="persona_lincoln", parents=parent.manifest.lineage.members, description="Lincoln.")
    )
    return registry


def test_list_shows_every_version_in_whole(command: Command) -> None:
    assert command("list") == 0
    assert "persona_lincoln@1.0.0   unified@1.0.0" in command.out
    assert "unified@1.0.0           tiny/base" in command.out
    assert "…" not in command.out


def test_list_as_json(command: Command) -> None:
    child, parent = command.json("list")
    assert (child["ref"], child["parent"], child["ok"]) == ("persona_lincoln@1.0.0", "unified@1.0.0", True)
    assert (parent["ref"], parent["parent"], parent["problem"]) == ("unified@1.0.0", None, None)


def test_a_broken_artifact_is_listed_as_broken(command: Command, registry: Registry) -> None:
    (registry.path / "unified" / "1.0.0" / "metadata.json").write_bytes(b"{")
    (registry.path / "persona_lincoln" / "1.0.0" / "README.md").unlink()
    assert command("list") == 0
    assert command.out.count("BROKEN") == 2
    assert command.json("list")[0]["problem"] == "README.md missing"


def test_an_empty_registry_says_where_it_looked(command: Command, tmp_path: Path, registry: Registry) -> None:
    registry.path = tmp_path / "nowhere"
    assert command("list") == 0
    assert f"The registry {tmp_path / 'nowhere'} is empty (there is no such folder yet)" in command.out
    assert command.json("list") == []


def test_show(command: Command, registry: Registry) -> None:
    assert command("show", "persona_lincoln") == 0
    assert "tiny/base <- unified@1.0.0 <- persona_lincoln@1.0.0" in command.out
    assert "Lincoln." in command.out
    shown = command.json("show", "persona_lincoln@1.0.0")
    assert Manifest.from_json(shown["manifest"]) == registry.manifest("persona_lincoln")
    assert shown["path"] == str(registry.path / "persona_lincoln" / "1.0.0")


def test_show_names_the_four_digests_the_parents_and_the_command(
    command: Command, registry: Registry, tmp_path: Path
) -> None:
    parent = registry.artifact("unified")
    overrides = ("trainer.max_steps=2", "description='two words'")
    recipe = RecipeRecord("mine", overrides, "my confs", {"train": "a" * 64}, "unified", "b" * 64, "c" * 64, None, 4)
    adapter = write_adapter(tmp_path / "asked", tensors=lora_tensors(seed=2))
    registry.publish(draft_of(adapter, name="asked", parents=parent.manifest.lineage.members, recipe=recipe))
    artifact = registry.artifact("asked")
    digests = {
        "weights": artifact.manifest.weights_digest,
        "artifact": artifact.digest,
        "run_key": artifact.manifest.run_key,
        "base": artifact.manifest.lineage.base.source_digest,
    }
    assert command("show", "asked") == 0
    assert all(digest in command.out for digest in digests.values())
    assert f"unified@1.0.0, weights digest {parent.manifest.weights_digest}" in command.out
    line = shlex.join(["adapterkit", "train", "--config-dir", "my confs", "+recipe=mine", *overrides])
    assert line in command.out
    shown = command.json("show", "asked")
    assert shown["digests"] == digests
    assert shown["parents"] == [{"ref": "unified@1.0.0", "weights_digest": parent.manifest.weights_digest}]
    assert shown["command"] == line
    assert shown["manifest"]["recipe"]["overrides"] == list(overrides)


def test_show_lists_versions() -> None:
    told = printed("show", "unified", "--registry", ROOT / "tests" / "golden" / "schema_4")
    (shown,) = [line for line in told.splitlines() if line.startswith("versions ")]
    assert shown.split()[1:4] == ["accelerate", "1.15.0,", "adapterkit"]
    assert "{" not in shown


def test_show_without_a_recorded_command_or_a_table_of_checksums(command: Command, registry: Registry) -> None:
    (registry.path / "unified" / "1.0.0" / "checksums.json").unlink()
    shown = command.json("show", "unified")
    assert (shown["command"], shown["digests"]["artifact"], shown["parents"]) == (None, None, [])
    assert command("show", "unified") == 0
    assert "checksums.json cannot be read" in command.out


def test_control_characters_from_a_manifest_do_not_reach_the_terminal(command: Command, registry: Registry) -> None:
    path = registry.resolve("unified").path
    edit_json(path, "metadata.json", description="\x1b]0;owned\x07[bold]plain[/bold]")
    assert command("show", "unified") == 0
    assert "\x1b" not in command.out
    assert "[bold]plain[/bold]" in command.out


def test_verify_says_how_much_it_checked(command: Command) -> None:
    assert command("verify", "persona_lincoln") == 0
    assert command.out == "intact: persona_lincoln@1.0.0: 7 files, 8 tensors and 1 ancestor checked\n"
    report = command.json("verify", "unified")
    assert (report["ok"], report["files"], report["tensors"], report["ancestors"]) == (True, 7, 8, 0)


def test_verify_prints_a_line_for_each_problem_and_fails(command: Command, registry: Registry) -> None:
    path = registry.resolve("unified").path
    (path / "README.md").write_bytes(b"x")
    (path / "extra.bin").write_bytes(b"x")
    assert command("verify", "persona_lincoln") == 1
    assert "unified@1.0.0/extra.bin: may be a pickle" in command.out
    report = command.json("verify", path, code=1)
    assert report["ok"] is False
    assert report["problems"][0]["file"] == "extra.bin"


def test_ancestors_of_a_copy_are_looked_for_where_a_registry_is_known(
    command: Command, registry: Registry, tmp_path: Path
) -> None:
    path = registry.resolve("persona_lincoln").path.rename(tmp_path / "copy")
    assert "Not checked: the ancestors unified@1.0.0." in printed("verify", path)
    assert command("verify", path) == 0
    assert f"Its ancestors were looked for in the registry {registry.path}" in command.out
    assert "Not checked" not in command.out
    assert command.json("verify", path)["ancestors_in"] == str(registry.path)
    (registry.path / "unified" / "1.0.0" / "README.md").write_bytes(b"x")
    assert command("verify", path) == 1
    assert "unified@1.0.0/README.md: its bytes were changed" in command.out
    empty = tmp_path / "empty"
    empty.mkdir()
    registry.path = empty
    assert command("verify", path) == 1
    assert "unified@1.0.0: is missing from the registry" in command.out


def test_ancestors_are_those_of_the_registry_that_a_folder_lies_in(
    command: Command, registry: Registry, tmp_path: Path
) -> None:
    path, around = registry.resolve("persona_lincoln").path, registry.path
    registry.path = tmp_path / "other"
    for told in (0, 1):
        assert command("verify", path) == told
        assert f"Its ancestors were looked for in the registry {around}" in command.out
        (around / "unified" / "1.0.0" / "README.md").write_bytes(b"x")


def test_lineage(command: Command, registry: Registry) -> None:
    assert command("lineage", "persona_lincoln") == 0
    base, parent, child = command.out.splitlines()
    assert base.startswith("tiny/base  source digest aaaaaaaaaaaa")
    assert parent.startswith("└─ unified@1.0.0")
    assert child.startswith("   └─ persona_lincoln@1.0.0")
    registry.resolve("unified").path.rename(registry.path / "gone")
    members = command.json("lineage", "persona_lincoln")["members"]
    assert [member["state"] for member in members] == ["missing", "held"]


def test_debug_lets_the_error_through(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from adapterkit.errors import RefNotFoundError

    monkeypatch.setenv("ADAPTERKIT_DEBUG", "1")
    with pytest.raises(RefNotFoundError):
        main(["show", "nobody", "--registry", str(tmp_path)])


def test_one_of_a_kind_is_said_in_the_singular(command: Command, registry: Registry, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "one", tensors=lora_tensors(seed=2))
    registry.publish(draft_of(adapter, name="one", data=DataRecord("presidents", "c" * 64, 1, 1)))
    assert command("show", "one") == 0
    assert "presidents: 1 row, 1 token," in command.out
    assert "1 row, 1 token (" in (registry.path / "one" / "1.0.0" / "README.md").read_text()
    (registry.path / "one" / "1.0.0" / "README.md").unlink()
    assert command("verify", "one") == 1
    assert "1 problem in" in command.out
