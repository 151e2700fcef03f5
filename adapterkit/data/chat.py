"""One's own conversations: JSONL files of `{"messages": [{"role": ..., "content": ...}, ...], "persona": optional}`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from adapterkit.data.conversation import Conversation, Origin, Splits, Turn
from adapterkit.data.jsonl import read_objects
from adapterkit.digest import sha256_file
from adapterkit.errors import DataError, UnknownNameError, UsageError
from adapterkit.names import nearest

ROLES = ("system", "user", "assistant")


def read_chat(
    *,
    persona: str | None,
    train: str | None,
    validation: str | None,
    test: str | None,
    prompt: str | None,
    install: str | None,
) -> Splits:
    """Conversations from up to three files.

    Args:
        persona: keep the rows whose `persona` is this; null keeps all. A file in which no row names a persona is kept
            whole.
        train: the file to train on.
        validation: the file that steers training, or null.
        test: the file for the final test, or null.
        prompt: null: the rows bring their own prompts.
        install: not used; these files need no package.

    Raises:
        DataError: a file cannot be used, or a conversation to train on is held out too.
        UnknownNameError: rows name personas, and none of them is this one.
        UsageError: no training file was given, a file is `auto`, or a prompt was given.
    """
    files = _files(train, validation, test)
    if prompt is not None:
        raise UsageError(
            "data=chat takes no data.prompt: the rows bring their own. For a fixed instruction set data.system."
        )
    rows = {split: tuple(_conversations(path)) for split, path in files.items()}
    origins = {f"file:{path}": sha256_file(path) for path in files.values()}
    _check_leaks(rows["train"], [*rows.get("validation", ()), *rows.get("test", ())])
    if persona is not None:
        _check_persona(persona, [row for part in rows.values() for row in part])
        rows = {split: _of(persona, part) for split, part in rows.items()}
    if not rows["train"]:
        raise DataError(f"No row is for persona '{persona}', though another file has some.", path=files["train"])
    source = str(files["train"]) + (f", {persona}" if persona else "")
    return Splits(rows["train"], rows.get("validation", ()), rows.get("test", ()), source, origins)


def chat_names(train: str | None, validation: str | None, test: str | None) -> tuple[str, ...]:
    """The personas that the training rows name, sorted; none when no row names one.

    Raises:
        DataError: the file cannot be used.
        UsageError: no training file was given.
    """
    rows = _conversations(_files(train, validation, test)["train"])
    return tuple(sorted({row.origin.label for row in rows if row.origin.label}))


def _files(train: str | None, validation: str | None, test: str | None) -> dict[str, Path]:
    given = {"train": train, "validation": validation, "test": test}
    for split, value in given.items():
        if value == "auto":
            raise UsageError(
                f"data=chat splits nothing by itself: give data.{split}=FILE, or data.{split}=null for none."
            )
    if train is None:
        raise UsageError("data=chat needs a file to train on: data=chat data.train=FILE.jsonl")
    return {split: Path(value) for split, value in given.items() if value is not None}


def _conversations(path: Path) -> Iterator[Conversation]:
    for line, row in read_objects(path):
        persona = row.get("persona")
        if persona is not None and (not isinstance(persona, str) or not persona.strip()):
            raise DataError("'persona' must be a name, or be left out.", path=path, line=line)
        strata = (persona,) if persona else ()
        origin = Origin(path=str(path), line=line, label=persona or "", strata=strata)
        yield Conversation(_turns(row.get("messages"), origin), origin)


def _turns(messages: Any, origin: Origin) -> tuple[Turn, ...]:
    if messages is None:
        raise origin.error('There is no \'messages\'. Write {"messages": [{"role": "user", "content": "..."}, ...]}.')
    if not isinstance(messages, list):
        raise origin.error("'messages' must be a list.")
    if not messages:
        raise origin.error("'messages' is empty.")
    turns = tuple(_turn(message, position, origin) for position, message in enumerate(messages, start=1))
    if any(turn.role == "system" for turn in turns[1:]):
        raise origin.error("A system message may only come first.")
    if all(turn.role != "assistant" for turn in turns):
        raise origin.error("No message is the assistant's, so there is nothing to learn from this row.")
    return turns


def _turn(message: Any, position: int, origin: Origin) -> Turn:
    if not isinstance(message, dict):
        raise origin.error(f"Message {position} is not an object with 'role' and 'content'.")
    for key in ("role", "content"):
        if key not in message:
            raise origin.error(f"Message {position} has no '{key}'.")
    role, content = message["role"], message["content"]
    if role not in ROLES:
        raise origin.error(f"Message {position} has the role {role!r}; the roles are {', '.join(ROLES)}.")
    if not isinstance(content, str):
        raise origin.error(f"The content of message {position} is not a string.")
    if not content.strip():
        raise origin.error(f"The content of message {position} is empty.")
    return Turn(role, content)


def _check_leaks(train: Sequence[Conversation], held_out: Sequence[Conversation]) -> None:
    trained = {row.turns: row.origin for row in reversed(train)}
    for row in held_out:
        if row.turns in trained:
            twin = trained[row.turns]
            raise row.origin.error(
                f"The same conversation is in the training file ({twin.path}, line {twin.line}): a score on it would "
                "prove nothing. Remove one of the two."
            )


def _check_persona(persona: str, rows: Sequence[Conversation]) -> None:
    known = {row.origin.label for row in rows if row.origin.label}
    if known and persona not in known:
        raise UnknownNameError("persona", persona, nearest(persona, sorted(known)), hint=f"The rows name {len(known)}.")


def _of(persona: str, rows: tuple[Conversation, ...]) -> tuple[Conversation, ...]:
    if not any(row.origin.label for row in rows):
        return rows
    return tuple(row for row in rows if row.origin.label == persona)
