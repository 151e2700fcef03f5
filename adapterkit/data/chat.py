"""Rows of `{"messages": [{"role": ..., "content": ...}, ...], "persona": optional}`."""

from __future__ import annotations

from typing import Any

from adapterkit.data.conversation import Conversation, Origin, Turn

ROLES = ("system", "user", "assistant")


def chat_row(row: dict[str, Any], origin: Origin) -> Conversation:
    """A conversation of any number of turns; every answer of the assistant is learned.

    Raises:
        DataError: `messages` is missing or no list of messages, a system message does not come first, or none is the
            assistant's.
    """
    return Conversation(_turns(row.get("messages"), origin), origin)


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
