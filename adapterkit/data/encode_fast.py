"""Many conversations as token rows, each equal to what `encode` gives for it, in a fraction of the time.

Where the chat template provably writes contents between fixed pieces (see `glue`), no row is rendered; tokens are made
of many rows at once, on all cores, while the rows before them are labelled. The first rows of each order of roles are
compared with `encode`; whatever does not fit is left to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from adapterkit.data.control_tokens import end_of_turn, says_control
from adapterkit.data.conversation import Conversation
from adapterkit.data.glue import GlueFinder, Piece, Slot
from adapterkit.data.template import EncodedRow, encode
from adapterkit.data.token_rows import TokenBatch

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ROWS_AT_ONCE = 512
_COMPARED = 8

# A place in pieces: a piece's number, and characters from its beginning.
Place = tuple[int, int]
Run = tuple[int, int]


@dataclass
class _Pattern:
    """What is known of one order of roles.

    Attributes:
        pieces: of the whole text; null where it has to be rendered.
        spans: where the answers are.
        compare: how many rows are still to be compared with `encode`.
    """

    pieces: tuple[Piece, ...] | None
    spans: tuple[tuple[Place, Place], ...] = ()
    compare: int = _COMPARED


@dataclass(frozen=True)
class _Planned:
    text: str
    spans: list[Run]
    pattern: _Pattern


def encode_batches(rows: Iterable[Conversation], tokenizer: PreTrainedTokenizerBase) -> Iterator[TokenBatch]:
    """Encode conversations in order.

    Args:
        rows: any number; a few hundred are held at a time.
        tokenizer: a fast tokenizer with a chat template.

    Raises:
        DataError: as `encode`.
    """
    encoder, left = _Encoder(tokenizer), iter(rows)
    with ThreadPoolExecutor(1) as pool:
        waiting: tuple[list[Conversation], list[_Planned | None], Future[Any]] | None = None
        while chunk := list(islice(left, _ROWS_AT_ONCE)):
            planned = [encoder.plan(row) for row in chunk]
            texts = [each.text for each in planned if each is not None]
            following = (chunk, planned, pool.submit(encoder.tokens, texts))
            if waiting is not None:
                yield encoder.finish(waiting[0], waiting[1], waiting[2].result(), busy=following[2])
            waiting = following
        if waiting is not None:
            yield encoder.finish(waiting[0], waiting[1], waiting[2].result(), busy=waiting[2])


class _Encoder:
    """Plans, tokenizes and labels rows for one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._patterns: dict[tuple[str, ...], _Pattern] = {}
        self._glue = GlueFinder(tokenizer) if tokenizer.is_fast and tokenizer.chat_template is not None else None
        if self._glue is not None:
            # Leaves the backend without truncation and padding, as `encode` has it.
            tokenizer("", add_special_tokens=False)

    def plan(self, row: Conversation) -> _Planned | None:
        """A row's text and where its answers lie; null where only `encode` knows."""
        pattern = self._pattern(tuple([turn.role for turn in row.turns]))
        if pattern.pieces is None:
            return None
        contents = [turn.content for turn in row.turns]
        if not all(content and not content.isspace() for content in contents):
            return None
        if any(says_control(content, self._tokenizer) for content in contents):
            return None
        written = [piece.filled(contents) if isinstance(piece, Slot) else piece for piece in pattern.pieces]
        begins = [0]
        for piece in written:
            begins.append(begins[-1] + len(piece))
        spans = [(begins[first] + into, begins[last] + upto) for (first, into), (last, upto) in pattern.spans]
        return _Planned("".join(written), spans, pattern)

    def tokens(self, texts: Sequence[str]) -> Any:
        """The encodings of texts, made on all cores without Python's lock."""
        backend: Any = self._tokenizer.backend_tokenizer
        return backend.encode_batch(texts, add_special_tokens=False) if texts else []

    def finish(
        self, chunk: Sequence[Conversation], planned: Sequence[_Planned | None], encodings: Any, *, busy: Future[Any]
    ) -> TokenBatch:
        """Label rows, and leave to `encode` what did not fit; `busy` still uses the tokenizer."""
        ids: list[int] = []
        lengths: list[int] = []
        runs: list[Run] = []
        made = iter(encodings)
        for row, plan in zip(chunk, planned, strict=True):
            encoding: Any = next(made) if plan is not None else None
            # The comparison of an earlier row may have ended the trust in what was planned before.
            own = _runs(encoding, plan) if plan is not None and plan.pattern.pieces is not None else None
            if plan is None or own is None:
                busy.exception()
                own_ids, own = _parts(encode(row, self._tokenizer))
            else:
                own_ids = encoding.ids
                if plan.pattern.compare:
                    busy.exception()
                    own_ids, own = self._compared(row, plan.pattern, own_ids, own)
            runs += [(len(ids) + first, len(ids) + after) for first, after in own]
            ids += own_ids
            lengths.append(len(own_ids))
        return _batch(ids, lengths, runs, [row.weight for row in chunk])

    def _compared(
        self, row: Conversation, pattern: _Pattern, ids: list[int], runs: list[Run]
    ) -> tuple[list[int], list[Run]]:
        """What `encode` gives; where that is something else, the pattern is given up."""
        pattern.compare -= 1
        right = _parts(encode(row, self._tokenizer))
        if right != (ids, _joined(runs)):
            pattern.pieces = None
        return right

    def _pattern(self, roles: tuple[str, ...]) -> _Pattern:
        if (known := self._patterns.get(roles)) is None:
            known = self._patterns[roles] = self._found(roles)
        return known

    def _found(self, roles: tuple[str, ...]) -> _Pattern:
        """The pieces of an order of roles and where answers lie between them, as `render` finds them in text."""
        pieces = self._glue.pieces(roles) if self._glue is not None else None
        if pieces is None or self._glue is None:
            return _Pattern(None)
        if {piece.turn for piece in pieces if isinstance(piece, Slot)} != set(range(len(roles))):
            return _Pattern(None)
        spans: list[tuple[Place, Place]] = []
        for index in (number for number, role in enumerate(roles) if role == "assistant"):
            before = self._glue.pieces(roles[:index], prompt=True) if index else None
            upto = self._glue.pieces(roles[: index + 1])
            span = None
            if before is not None and upto is not None:
                span = _span(pieces, before, upto, index, self._tokenizer)
            if span is None:
                return _Pattern(None)
            spans.append(span)
        return _Pattern(pieces, tuple(spans))


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


def _runs(encoding: Any, plan: _Planned) -> list[Run] | None:
    """The labelled tokens, a run for each answer; null where a border goes through a token or is hard to find."""
    found = []
    count = len(encoding)
    for first, last in plan.spans:
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
        if plan.text[encoding.token_to_chars(start)[0] : first].strip():
            return None
        if plan.text[last : encoding.token_to_chars(end)[1]].strip():
            return None
        found.append((start, end + 1))
    return found


def _inside(offsets: tuple[int, int] | None, first: int, last: int) -> bool:
    """As `encode` has it: whether a token shares a character with a span, or is empty and ends in it."""
    if offsets is None:
        return False
    start, end = offsets
    return start < last and end > first if start < end else first < end <= last


def _parts(row: EncodedRow) -> tuple[list[int], list[Run]]:
    """The ids, and the runs of labelled tokens."""
    runs: list[Run] = []
    for place, label in enumerate(row.labels):
        if label >= 0:
            runs.append((place, place + 1))
    return list(row.input_ids), _joined(runs)


def _joined(runs: Sequence[Run]) -> list[Run]:
    """The same tokens in as few runs as there can be."""
    joined: list[Run] = []
    for first, after in runs:
        if joined and joined[-1][1] == first:
            joined[-1] = joined[-1][0], after
        elif first < after:
            joined.append((first, after))
    return joined


def _batch(ids: list[int], lengths: list[int], runs: Sequence[Run], weights: list[float]) -> TokenBatch:
    import numpy as np

    steps = np.zeros(len(ids) + 1, np.int8)
    np.add.at(steps, [first for first, _ in runs], 1)
    np.add.at(steps, [after for _, after in runs], -1)
    labelled = (np.cumsum(steps[:-1], dtype=np.int64) > 0).astype(np.uint8)
    return TokenBatch(np.array(ids, np.int32), labelled, np.array(lengths, np.int64), np.array(weights, np.float64))
