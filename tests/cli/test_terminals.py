"""What the command prints in a pipe, on a terminal of few columns, without colours, in other encodings, to nobody."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from artifacts.samples import draft_of, lora_tensors, write_adapter

from adapterkit.cli.output import print_table
from adapterkit.registry import Registry
from tests.cli.shell_line import COMMAND, ROOT

_ANSI = re.compile(r"\x1b\[")
LONG = "persona_of_somebody_with_a_rather_long_name_whom_everybody_knows"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose registry holds an adapter, and one of a long name on it."""
    registry = Registry(tmp_path / "adapters")
    parent = registry.publish(draft_of(write_adapter(tmp_path / "p")))
    weights = write_adapter(tmp_path / "c", tensors=lora_tensors(seed=1))
    registry.publish(draft_of(weights, name=LONG, parents=parent.manifest.lineage.members))
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **more}


def in_a_pipe(folder: Path, *words: str, **more: str) -> bytes:
    return subprocess.run(
        [*COMMAND, *words], cwd=folder, env=environment(**more), capture_output=True, check=True
    ).stdout


def on_a_terminal(folder: Path, *words: str, **more: str) -> str:
    controller, terminal = pty.openpty()
    shown = subprocess.Popen([*COMMAND, *words], cwd=folder, env=environment(**more), stdout=terminal, stderr=terminal)
    os.close(terminal)
    said = b""
    while True:
        try:
            part = os.read(controller, 65536)
        except OSError:
            break
        if not part:
            break
        said += part
    os.close(controller)
    assert shown.wait(timeout=60) == 0
    return said.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    "verb", ["list", "status", f"show {LONG}", "history unified", "presets", "--help", "lineage unified"]
)
def test_a_pipe_gets_no_colours_and_everything_whole(folder: Path, verb: str) -> None:
    narrow = in_a_pipe(folder, *verb.split(), COLUMNS="60")
    assert not _ANSI.search(narrow.decode())
    assert "…" not in narrow.decode()
    if verb != "--help":
        assert narrow == in_a_pipe(folder, *verb.split(), COLUMNS="300")


@pytest.mark.parametrize("words", ["--help", "data --help"])
def test_help_cuts_no_sentence(folder: Path, words: str) -> None:
    verbs = in_a_pipe(folder, *words.split(), COLUMNS="50").decode().partition("Commands:")[2]
    assert "..." not in verbs
    assert verbs.count(".\n") == len([line for line in verbs.splitlines() if re.match("  [a-z]", line)]) > 1


def test_a_digest_and_a_long_ref_stay_whole(folder: Path) -> None:
    digest = Registry(folder / "adapters").manifest(LONG).weights_digest
    assert digest in in_a_pipe(folder, "show", LONG, COLUMNS="60").decode()
    assert f"{LONG}@1.0.0 " in in_a_pipe(folder, "list", COLUMNS="60").decode()


@pytest.mark.parametrize("columns", ["40", "60", "80"])
def test_on_a_narrow_terminal_rows_become_lines_that_fit(folder: Path, columns: str) -> None:
    lines = on_a_terminal(folder, "list", COLUMNS=columns, NO_COLOR="1").splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [f"{LONG}@1.0.0", "unified@1.0.0"]
    assert all(len(line) <= int(columns) or len(line.split()) == 1 for line in lines)
    assert any("built on unified@1.0.0" in line for line in lines)
    assert any("state published" in line for line in lines)


def test_on_a_wide_terminal_it_is_a_table_with_a_bold_head(folder: Path) -> None:
    shown = on_a_terminal(folder, "list", COLUMNS="250")
    assert shown.startswith("\x1b[1mref ")
    assert "─────" in shown


@pytest.mark.parametrize(
    ("wanted", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "", "TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_colours_on_a_terminal(folder: Path, wanted: dict[str, str], coloured: bool) -> None:
    shown = on_a_terminal(folder, "show", "unified", **wanted)
    assert bool(_ANSI.search(shown)) is coloured


@pytest.mark.parametrize(("forced", "coloured"), [("1", True), ("0", False), ("", False)])
def test_colours_in_a_pipe_where_they_are_forced(folder: Path, forced: str, coloured: bool) -> None:
    assert bool(_ANSI.search(in_a_pipe(folder, "list", FORCE_COLOR=forced).decode())) is coloured
    assert json.loads(in_a_pipe(folder, "list", "--json", FORCE_COLOR=forced))


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}, {"LC_ALL": "POSIX", "LANG": "C"}])
def test_utf_8_in_a_plain_locale(folder: Path, locale: dict[str, str]) -> None:
    assert "─────" in in_a_pipe(folder, "list", **locale).decode("utf-8")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_without_lines_gets_lookalikes(folder: Path, encoding: str) -> None:
    assert b"-----" in in_a_pipe(folder, "list", PYTHONIOENCODING=encoding)
    assert b"\n`- unified@1.0.0" in in_a_pipe(folder, "status", PYTHONIOENCODING=encoding)


@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("presets",), ("verify", "unified")])
def test_a_closed_pipe_ends_as_every_tool_ends(folder: Path, words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    shown = subprocess.Popen([*COMMAND, *words], cwd=folder, env=environment(), stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    _, said = shown.communicate(timeout=60)
    assert (shown.returncode, said) == (141, b"")


def test_a_table_of_odd_cells_keeps_every_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("adapterkit.cli.output.columns", lambda: 20)
    print_table(("", "what", "empty"), [("", "one two three four five six", ""), ("名前名前名前", "x" * 40, "")])
    assert capsys.readouterr().out.split() == [
        "what", "one", "two", "three", "four", "five", "six", "名前名前名前", "what", "x" * 40,
    ]  # fmt: skip


def test_without_a_stream_nothing_is_said(folder: Path) -> None:
    script = " ".join(COMMAND)
    done = subprocess.run(
        ["sh", "-c", f"{script} list >&-"], cwd=folder, env=environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
