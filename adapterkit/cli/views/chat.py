"""`adapterkit chat`: a conversation that remembers its turns, and the loop around it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

_RESET, _LEAVE = "/reset", ("/exit", "/quit")


class Speaker(Protocol):
    """What answers; `adapterkit.serving.session.Session` does."""

    def generate(self, messages: Sequence[Mapping[str, str]], **settings: Any) -> str:
        """Answer the last turn of a conversation."""


class Chat:
    """Turns with one speaker.

    Args:
        speaker: answers.
        settings: keyword arguments for every `generate`.
        system: a first message that a reset keeps.
    """

    def __init__(self, speaker: Speaker, settings: Mapping[str, Any], system: str | None = None) -> None:
        self._speaker, self._settings = speaker, dict(settings)
        self._opening = [{"role": "system", "content": system}] if system else []
        self.turns: list[dict[str, str]] = list(self._opening)

    def ask(self, text: str) -> str:
        """Say something and remember both sides; a turn that failed or was interrupted is forgotten."""
        asked = [*self.turns, {"role": "user", "content": text}]
        answer = self._speaker.generate(asked, **self._settings)
        self.turns = [*asked, {"role": "assistant", "content": answer}]
        return answer

    def reset(self) -> None:
        """Forget everything but the system message."""
        self.turns = list(self._opening)


def talk(conversation: Chat) -> None:
    """Read lines and print answers until `/exit`, the end of the input, or Ctrl-C at the prompt."""
    prompt = "you> " if sys.stdin.isatty() else ""
    if prompt:
        # Gives `input` a line editor and a history; not every Python is built with it.
        with suppress(ImportError):
            import readline  # noqa: F401
        print("/reset forgets the conversation, /exit or Ctrl-D leaves.", file=sys.stderr)
    while (line := _read(prompt)) is not None and line not in _LEAVE:
        if line == _RESET:
            conversation.reset()
        elif line:
            _answer(conversation, line)


def _read(prompt: str) -> str | None:
    try:
        return input(prompt).strip()
    except (EOFError, KeyboardInterrupt):
        print()
        return None


def _answer(conversation: Chat, line: str) -> None:
    try:
        print(conversation.ask(line), flush=True)
    except KeyboardInterrupt:
        print("(stopped; that turn is forgotten)", file=sys.stderr)
