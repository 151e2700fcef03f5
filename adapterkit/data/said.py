"""What rows say, decoded from their lines in one step where these are of the usual form.

A decoder of a fixed form passes over keys that it does not know and takes the last of two equal ones. But a key is
written with a colon: where a line has no colons but those of the form's keys and of its texts, it has those keys alone,
each once. Any other line is left to the shape, which takes it or says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec

from adapterkit.data.chat import chat_row
from adapterkit.data.completion import completion_row
from adapterkit.data.conversation import Conversation, Origin, canonical_words
from adapterkit.data.examples import example_row
from adapterkit.data.instruction import instruction_row
from adapterkit.data.preference import preference_row

Shape = Callable[[dict[str, Any], Origin], Conversation]

_ASKED = ("user", "assistant")
_MOST_WEIGHT = 1e30
_MOST_ORDERS = 1024


class Said(NamedTuple):
    """What a row says.

    Attributes:
        roles: of its turns, in order.
        contents: what each of them says.
        persona: that the row names; empty for none.
        weight: how much each of its label tokens counts.
        rejected: of a preference pair, the other answer.
    """

    roles: tuple[str, ...]
    contents: list[str]
    persona: str = ""
    weight: float = 1.0
    rejected: str | None = None

    @property
    def words(self) -> bytes:
        """As `Conversation.words`."""
        return canonical_words([*zip(self.roles, self.contents, strict=True)])

    @property
    def canonical(self) -> bytes:
        """As `Conversation.canonical`."""
        return canonical_words([*zip(self.roles, self.contents, strict=True)], self.weight, self.rejected)


def said_of(row: Conversation) -> Said:
    """What a conversation says."""
    roles = tuple([turn.role for turn in row.turns])
    return Said(roles, [turn.content for turn in row.turns], row.origin.label, row.weight, row.rejected)


def with_system(row: Said, system: str | None) -> Said:
    """A row with a system turn first, unless it has one."""
    if system is None or row.roles[:1] == ("system",):
        return row
    return row._replace(roles=("system", *row.roles), contents=[system, *row.contents])


class _Message(msgspec.Struct, gc=False):
    role: Literal["system", "user", "assistant"]
    content: str


class _Form(msgspec.Struct, gc=False, kw_only=True):
    persona: str | msgspec.UnsetType = msgspec.UNSET


class _Chat(_Form, gc=False):
    messages: list[_Message]


class _Completion(_Form, gc=False):
    prompt: str
    completion: str


class _Instruction(_Form, gc=False):
    instruction: str
    output: str
    input: str | msgspec.UnsetType | None = msgspec.UNSET


class _Example(_Form, gc=False):
    input: str
    output: str
    weight: float | msgspec.UnsetType = msgspec.UNSET


class _Preference(_Form, gc=False):
    prompt: str
    chosen: str
    rejected: str


# Orders of roles that a chat may have; real files know a few.
_orders: dict[tuple[str, ...], bool] = {}


def _is_order(roles: tuple[str, ...]) -> bool:
    if (known := _orders.get(roles)) is None:
        known = "assistant" in roles and "system" not in roles[1:]
        if len(_orders) < _MOST_ORDERS:
            _orders[roles] = known
    return known


def _said_chat(row: _Chat) -> tuple[Said | None, int]:
    roles = tuple([message.role for message in row.messages])
    contents = [message.content for message in row.messages]
    # An empty text counts as blank.
    blank = not all(contents) or any(map(str.isspace, contents))
    return None if blank or not _is_order(roles) else Said(roles, contents), 1 + 2 * len(roles)


def _said_completion(row: _Completion) -> tuple[Said | None, int]:
    return _pair(row.prompt, row.completion), 2


def _said_instruction(row: _Instruction) -> tuple[Said | None, int]:
    if row.input is msgspec.UNSET:
        return _pair(row.instruction, row.output), 2
    asked = f"{row.instruction}\n\n{row.input}" if row.input and row.input.strip() else row.instruction
    return _pair(asked, row.output) if row.instruction.strip() else None, 3


def _said_example(row: _Example) -> tuple[Said | None, int]:
    said = _pair(row.input, row.output)
    if row.weight is msgspec.UNSET:
        return said, 2
    return said._replace(weight=row.weight) if said and 0 < row.weight <= _MOST_WEIGHT else None, 3


def _said_preference(row: _Preference) -> tuple[Said | None, int]:
    said, rejected = _pair(row.prompt, row.chosen), row.rejected.strip()
    return said._replace(rejected=row.rejected) if said and rejected not in ("", row.chosen.strip()) else None, 3


def _pair(asked: str, answered: str) -> Said | None:
    return Said(_ASKED, [asked, answered]) if asked.strip() and answered.strip() else None


def _decoder(form: type[_Form], said: Callable[[Any], tuple[Said | None, int]]) -> Callable[[bytes], Said | None]:
    decode = msgspec.json.Decoder(form).decode

    def decoded(line: bytes) -> Said | None:
        try:
            row: Any = decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        found, colons = said(row)
        # An escaped colon would hide one.
        if found is None or b"\\u003" in line:
            return None
        if row.persona is not msgspec.UNSET:
            if not row.persona.strip():
                return None
            found, colons = found._replace(persona=row.persona), colons + 1 + row.persona.count(":")
        if found.rejected is not None:
            colons += found.rejected.count(":")
        for content in found.contents:
            colons += content.count(":")
        return found if line.count(b":") == colons else None

    return decoded


# What one row of a user's own file looks like, whichever kind of file it is.
SHAPES: dict[str, Shape] = {
    "chat": chat_row,
    "completion": completion_row,
    "instruction": instruction_row,
    "examples": example_row,
    "preference": preference_row,
}
_DECODERS: dict[Shape, Callable[[bytes], Said | None]] = {
    chat_row: _decoder(_Chat, _said_chat),
    completion_row: _decoder(_Completion, _said_completion),
    instruction_row: _decoder(_Instruction, _said_instruction),
    example_row: _decoder(_Example, _said_example),
    preference_row: _decoder(_Preference, _said_preference),
}


def quick(shape: Shape) -> Callable[[bytes], Said | None]:
    """What decodes the lines of a shape: null for a line that the shape itself has to look at."""
    return _DECODERS.get(shape, lambda line: None)
