"""What is known of an order of roles: the fixed pieces around its contents, and where the answers lie between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from adapterkit.data.control_tokens import end_of_turn
from adapterkit.data.glue import GlueFinder, Piece, Slot

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# A place in pieces: a piece's number, and characters from its beginning.
Place = tuple[int, int]
Run = tuple[int, int]


@dataclass(frozen=True)
class Order:
    """How rows of one order of roles are written.

    Attributes:
        pieces: of the text that is tokenized.
        spans: where the answers are.
        lead: the tokens of what stands before these pieces, the same in every row.
    """

    pieces: tuple[Piece, ...]
    spans: tuple[tuple[Place, Place], ...]
    lead: tuple[int, ...] = ()

    def planned(self, contents: Sequence[str]) -> Planned:
        """The text of a row and where its answers are."""
        written = [piece.filled(contents) if isinstance(piece, Slot) else piece for piece in self.pieces]
        begins = list(accumulate(map(len, written), initial=0))
        spans = [(begins[first] + into, begins[last] + upto) for (first, into), (last, upto) in self.spans]
        return Planned("".join(written), spans, self.lead)

    def to_json(self) -> Any:
        """As a JSON value."""
        pieces = [[piece.turn, piece.trimmed] if isinstance(piece, Slot) else piece for piece in self.pieces]
        return [pieces, self.spans, self.lead]

    @classmethod
    def from_json(cls, value: Any) -> Order:
        """As `to_json` gave it."""
        pieces, spans, lead = value
        return cls(
            tuple(piece if isinstance(piece, str) else Slot(*piece) for piece in pieces),
            tuple(((first, into), (last, upto)) for (first, into), (last, upto) in spans),
            tuple(lead),
        )


@dataclass(frozen=True)
class Planned:
    """A row that is to be tokenized.

    Attributes:
        text: of it, but for its lead.
        spans: the characters of each answer.
        lead: the tokens before the text.
    """

    text: str
    spans: list[Run]
    lead: tuple[int, ...]

    def labelled(self, encoding: Any) -> list[Run] | None:
        """The labelled tokens of the text, a run for each answer; null where a border is in a token or hard to find."""
        found = []
        count = len(encoding)
        for first, last in self.spans:
            # White space at a border may be in no token, where a tokenizer trims what it says of each.
            tokens = (encoding.char_to_token(place) for place in range(first, last))
            start = next((token for token in tokens if token is not None), None)
            tokens = (encoding.char_to_token(place) for place in range(last - 1, first - 1, -1))
            end = next((token for token in tokens if token is not None), None)
            if start is None or end is None:
                return None
            while start and _inside(encoding.token_to_chars(start - 1), first, last):
                start -= 1
            while end + 1 < count and _inside(encoding.token_to_chars(end + 1), first, last):
                end += 1
            # Outside of the answer a token may have white space alone.
            if self.text[encoding.token_to_chars(start)[0] : first].strip():
                return None
            if self.text[last : encoding.token_to_chars(end)[1]].strip():
                return None
            found.append((start, end + 1))
        return found


def _inside(offsets: tuple[int, int] | None, first: int, last: int) -> bool:
    """As `encode` has it: whether a token shares a character with a span, or is empty and ends in it."""
    if offsets is None:
        return False
    start, end = offsets
    return start < last and end > first if start < end else first < end <= last


def find_order(roles: Sequence[str], glue: GlueFinder, tokenizer: PreTrainedTokenizerBase) -> Order | None:
    """The pieces of an order of roles and where answers lie between them, as `render` finds them in text.

    Returns:
        The order; null where rows have to be rendered one by one.
    """
    pieces = glue.pieces(roles)
    if pieces is None or {piece.turn for piece in pieces if isinstance(piece, Slot)} != set(range(len(roles))):
        return None
    spans: list[tuple[Place, Place]] = []
    for index in (number for number, role in enumerate(roles) if role == "assistant"):
        before = glue.pieces(roles[:index], prompt=True) if index else None
        upto = glue.pieces(roles[: index + 1])
        span = None
        if before is not None and upto is not None:
            span = _span(pieces, before, upto, index, tokenizer)
        if span is None:
            return None
        spans.append(span)
    return Order(pieces, tuple(spans))


def _span(
    pieces: tuple[Piece, ...],
    before: tuple[Piece, ...],
    upto: tuple[Piece, ...],
    index: int,
    tokenizer: PreTrainedTokenizerBase,
) -> tuple[Place, Place] | None:
    """Where the answer of a turn begins and ends; null where a text of its own is no beginning of the whole."""
    start = _end_of(before, pieces)
    if start is None or _end_of(upto, pieces) is None or _end_of(before, upto) is None:
        return None
    piece, into = start
    slot = piece
    if slot < len(upto) and isinstance(literal := upto[slot], str):
        slot += 1
        # What stands before the answer beyond the generation prompt is left out, unless it is white space.
        into = len(literal) if literal[into:].strip() else into
    answer = upto[slot] if slot < len(upto) else None
    if not isinstance(answer, Slot) or answer.turn != index or len(upto) > slot + 2:
        return None
    tail = upto[slot + 1] if len(upto) == slot + 2 else ""
    if not isinstance(tail, str):
        return None
    return (piece, into), (slot + 1, end_of_turn(tail, tokenizer))


def _end_of(short: tuple[Piece, ...], whole: tuple[Piece, ...]) -> Place | None:
    """Where in a text one ends that it begins with; null when it does not."""
    if len(short) > len(whole) or short[:-1] != whole[: max(len(short) - 1, 0)]:
        return None
    if not short:
        return 0, 0
    last, there = short[-1], whole[len(short) - 1]
    if isinstance(last, str):
        return (len(short) - 1, len(last)) if isinstance(there, str) and there.startswith(last) else None
    return (len(short), 0) if last == there else None
