"""What the command says where it cannot do what was asked: in which words, with which exit code, and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from artifacts.keyring import key_pair
from artifacts.samples import draft_of, write_adapter

from adapterkit.cli import main
from adapterkit.errors import ArtifactError
from adapterkit.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with unified@1.0.0."""
    registry = Registry(tmp_path / "adapters")
    registry.publish(draft_of(write_adapter(tmp_path / "p")))
    return registry


class Command:
    """Runs the command in this process and keeps what it printed."""

    def __init__(self, registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
        self._registry, self._capsys = registry, capsys
        self.code, self.out, self.err = 0, "", ""

    def __call__(self, *words: str) -> int:
        with pytest.raises(SystemExit) as left:
            main([*words, "--registry", str(self._registry.path)])
        self.out, self.err = self._capsys.readouterr()
        self.code = int(left.value.code or 0)
        return self.code

    def json(self, *words: str) -> Any:
        self(*words, "--json")
        return json.loads(self.out)


@pytest.fixture
def command(registry: Registry, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(registry, capsys)


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
    assert command("sign", "unified", "--key", str(key_pair(tmp_path / "keys").private)) == 1
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
    ("words", "code", "kind"),
    [
        (("show", "nobody"), 1, "RefNotFoundError"),
        (("verify", "No Body"), 2, "UsageError"),
        (("promote", "unified@9.0.0"), 1, "RefNotFoundError"),
        (("rollback", "unified"), 2, "UsageError"),
        (("sign", "unified", "--key", "none.pem"), 2, "KeyFileError"),
    ],
)
def test_an_error_is_json_too_where_json_was_asked_for(
    command: Command, words: tuple[str, ...], code: int, kind: str
) -> None:
    assert command(*words) == code
    assert command.out == ""
    told = command.json(*words)
    assert command.code == code
    assert set(told) == {"error", "kind"}
    assert told["kind"] == kind
    assert command.err == f"error: {told['error']}\n"


def test_an_error_in_json_is_utf_8_whatever_it_quotes(command: Command, registry: Registry, tmp_path: Path) -> None:
    registry.path = tmp_path / "\udcff"
    told = command.json("show", "unified")
    assert "\udcff (there is no such folder)" in told["error"]
