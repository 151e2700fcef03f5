from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from artifacts.samples import draft_of, write_adapter

from adapterkit.cli.views.chat import Chat, talk
from adapterkit.registry import Registry
from tests.driving import left_with


class Parrot:
    """Answers with how many turns it saw; raises what it is told to."""

    lineage = "tiny/base <- unified@1.0.0"

    def __init__(self) -> None:
        self.heard: list[Sequence[Mapping[str, str]]] = []
        self.settings: dict[str, Any] = {}
        self.error: BaseException | None = None

    def generate(self, messages: Sequence[Mapping[str, str]], **settings: Any) -> str:
        if self.error is not None:
            raise self.error
        self.heard.append(list(messages))
        self.settings = settings
        return f"heard {len(messages)}"


@pytest.fixture
def parrot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parrot:
    """Stands in for the loaded adapter, which is there."""
    monkeypatch.chdir(tmp_path)
    Registry("adapters").publish(draft_of(write_adapter(tmp_path / "raw")))
    parrot, module = Parrot(), ModuleType("session")
    module.load = lambda ref, **where: parrot  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "adapterkit.serving.session", module)
    return parrot


def run(*arguments: str) -> int:
    return left_with("chat", "unified", *arguments)


def test_the_conversation_is_remembered_until_a_reset(
    parrot: Parrot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello\n\nAgain\n/reset\nNew\n/exit\nnever\n"))
    assert run("--system", "Be brief.") == 0
    assert capsys.readouterr().out == "heard 2\nheard 4\nheard 2\n"
    assert [turn["role"] for turn in parrot.heard[1]] == ["system", "user", "assistant", "user"]
    assert parrot.heard[1][2]["content"] == "heard 2"
    assert parrot.settings["do_sample"] is False


def test_the_end_of_the_input_leaves(
    parrot: Parrot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello\n"))
    assert run() == 0
    assert capsys.readouterr().out == "heard 1\n\n"


def test_one_shot(parrot: Parrot, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--message", "Hello", "--temperature", "0.7", "--seed", "3", "--max-new-tokens", "5") == 0
    assert capsys.readouterr().out == "heard 1\n"
    assert parrot.settings == {
        "max_new_tokens": 5,
        "do_sample": True,
        "temperature": 0.7,
        "top_p": None,
        "seed": 3,
    }


def test_one_shot_as_json(parrot: Parrot, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--message", "Hello", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "lineage": "tiny/base <- unified@1.0.0",
        "message": "Hello",
        "answer": "heard 1",
    }


def test_an_interrupted_turn_is_forgotten(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    parrot = Parrot()
    parrot.error = KeyboardInterrupt()
    conversation = Chat(parrot, {})
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello\n"))
    talk(conversation)
    assert conversation.turns == []
    assert "that turn is forgotten" in capsys.readouterr().err
