"""What the command says where it cannot do what was asked: in which words, with which exit code, and as JSON."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from artifacts.keyring import key_pair
from artifacts.samples import draft_of, write_adapter

from adapterkit.errors import ArtifactError
from adapterkit.registry import Registry
from tests.driving import Command


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with unified@1.0.0."""
    registry = Registry(tmp_path / "adapters")
    registry.publish(draft_of(write_adapter(tmp_path / "p")))
    return registry


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("promote", "unified@1.0.0"), 1),
        (("promote", "unified"), 1),
        (("rollback", "unified"), 1),
        (("rollback", "unified@production"), 1),
        (("rollback", "unified", "--to", "1.0.0"), 1),
        (("gc",), 0),
        (("gc", "--apply"), 0),
        (("rebuild",), 2),
        (("rebuild", "--dry-run"), 2),
        (("doctor",), None),
    ],
)
def test_a_mistyped_registry_is_told_and_not_made(
    command: Command, tmp_path: Path, registry: Registry, words: tuple[str, ...], code: int | None
) -> None:
    registry.path = tmp_path / "adaptres"
    assert command(*words) == code or code is None
    told = command.out + command.err
    assert "there is no such folder" in told or "There is no folder" in told
    assert str(tmp_path / "adaptres") in told
    assert not registry.path.exists()


def test_signing_in_a_mistyped_registry_does_not_make_it(command: Command, tmp_path: Path, registry: Registry) -> None:
    registry.path = tmp_path / "adaptres"
    assert command("sign", "unified", "--key", key_pair(tmp_path / "keys").private) == 1
    assert "(there is no such folder)" in command.err
    assert not registry.path.exists()


def test_an_empty_folder_in_the_place_of_a_version_is_named_with_the_way_out(
    command: Command, registry: Registry
) -> None:
    (place := registry.path / "unified" / "4.0.0").mkdir()
    for verb in ("show", "lineage"):
        assert command(verb, "unified") == 1
        assert f"{place} stands in the place of a version, and is empty" in command.err
        assert f"rmdir {place}" in command.err
    with pytest.raises(ArtifactError, match="rmdir"):
        registry.artifact("unified")
    (place / "notes.txt").write_text("")
    assert command("show", "unified") == 1
    assert "holds 'notes.txt' and no file of an artifact" in command.err
    assert command("verify", "unified") == 1


def test_history_takes_a_bare_name(command: Command) -> None:
    for ref in ("unified@1.0.0", "unified@production"):
        assert command("history", ref) == 2
        assert "takes a bare name: adapterkit history unified" in command.err
    assert command("history", "Unified") == 2
    assert "For example: unified" in command.err


@pytest.mark.parametrize(
    ("words", "code", "kind", "match"),
    [
        (("show", "nobody"), 1, "RefNotFoundError", "No adapter 'nobody' in the registry"),
        (("show", "unifid"), 1, "RefNotFoundError", "No adapter 'unifid' in the registry"),
        (("show", "unified@1"), 2, "UsageError", "'1' is not a version"),
        (("verify", "nobody"), 1, "RefNotFoundError", "No adapter 'nobody'"),
        (("verify", "No Body"), 2, "UsageError", "'No Body' cannot name an adapter"),
        (("lineage", "Un Ified"), 2, "UsageError", "'Un Ified' cannot name an adapter"),
        (("promote", "unified@9.0.0"), 1, "RefNotFoundError", "No adapter 'unified@9.0.0'"),
        (("rollback", "unified"), 2, "UsageError", "there is nothing to go back to"),
        (("sign", "unified", "--key", "none.pem"), 2, "KeyFileError", "none.pem cannot be read"),
    ],
)
def test_an_error_is_one_message_and_a_code_and_json_where_that_was_asked_for(
    command: Command, words: tuple[str, ...], code: int, kind: str, match: str
) -> None:
    assert command(*words) == code
    assert command.out == ""
    assert match in command.err
    told = command.json(*words, code=code)
    assert set(told) == {"error", "kind"}
    assert told["kind"] == kind
    assert command.err == f"error: {told['error']}\n"


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("show",), "Missing argument"),
        (("dance",), "No such command"),
        (("chat", "unified", "--json"), "error: --json prints one answer"),
    ],
)
def test_what_no_verb_takes_is_wrong_usage(command: Command, words: tuple[str, ...], match: str) -> None:
    assert command(*words) == 2
    assert match in command.err


def test_an_error_in_json_is_utf_8_whatever_it_quotes(command: Command, registry: Registry, tmp_path: Path) -> None:
    registry.path = tmp_path / "\udcff"
    told = command.json("show", "unified", code=1)
    assert "\udcff (there is no such folder)" in told["error"]


def test_a_version_is_no_alias_and_the_way_to_make_it_latest_is_said(command: Command, registry: Registry) -> None:
    assert command("promote", "unified@1.0.0", "--to", "1.0.0") == 2
    assert command.err == (
        "error: --to takes an alias, and 1.0.0 is a version. To make that the latest: "
        f"adapterkit promote unified@1.0.0 --to latest --registry {registry.path}\n"
    )


def test_a_name_too_long_for_a_folder_is_no_folder(command: Command) -> None:
    assert command("import", "a" * 300, "--name", "x", "--quantization", "nf4") == 2
    assert command.err.endswith("a is not a folder. Give the one that holds adapter_config.json.\n")


def test_what_the_disk_refuses_is_one_line(
    command: Command, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = PermissionError(13, "Permission denied", "some/folder")
    monkeypatch.setattr(Registry, "resolve", lambda *_: (_ for _ in ()).throw(refusal))
    assert command("show", "unified") == 1
    assert command.err == "error: some/folder: Permission denied\n"
    assert command("show", "unified", "--json") == 1
    assert json.loads(command.out) == {"error": "some/folder: Permission denied", "kind": "PermissionError"}


def test_an_interrupted_verb_says_so(command: Command, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "resolve", lambda *_: signal.raise_signal(signal.SIGINT))
    assert command("show", "unified") == 130
    assert command.err == "interrupted: show did not end\n"
