"""Which rows say nearly the same: MinHash finds candidates, and the exact likeness of each is computed.

Broder, "On the resemblance and containment of documents" (1997), with bands as in Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", chapter 3. Two rows of likeness 0.8 meet in one of 16 bands of 4 with a probability above
0.999, two of likeness 0.3 with one of 0.12; they are then compared and found unlike.
"""

from __future__ import annotations

import hashlib
import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING

from adapterkit.data.conversation import Conversation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

THRESHOLD = 0.8
_BANDS, _DEEP = 16, 4
_ROWS_AT_ONCE = 1024
_WORDS_KNOWN = 1 << 18
# Rows made from a few patterns are all somewhat alike, and comparing every two of them would never end.
_MOST_UNLIKE = 300_000
_WORD = re.compile(r"\w+")
_ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


@dataclass(frozen=True)
class Pair:
    """Two rows that are near, by their numbers; `similarity` is that of their sets of three words in a row."""

    first: int
    second: int
    similarity: float


def near_pairs(rows: Sequence[Conversation]) -> list[Pair]:
    """Each row that is near an earlier one, with that one.

    System turns do not count: many rows share them. Letter case and punctuation do not count either. The band keys of
    all rows stand in a temporary file, 128 bytes a row.

    Args:
        rows: any number.

    Returns:
        At most one pair for each second row, in the order of these.
    """
    count = len(rows)
    if count < 2:
        return []
    with tempfile.TemporaryFile(prefix="adapterkit-") as file:
        _write_keys(file, iter(rows), count)
        found = _compared(rows, (pair for band in range(_BANDS) for pair in _meetings(file, band, count)))
    return [found[second] for second in sorted(found)]


def _compared(rows: Sequence[Conversation], candidates: Iterator[tuple[int, int]]) -> dict[int, Pair]:
    found: dict[int, Pair] = {}
    unlike: set[tuple[int, int]] = set()
    for first, second in candidates:
        if second in found or (first, second) in unlike:
            continue
        likeness = similarity(rows[first], rows[second])
        if likeness >= THRESHOLD:
            found[second] = Pair(first, second, likeness)
        elif len(unlike) < _MOST_UNLIKE:
            unlike.add((first, second))
        else:
            _log.warning("Many rows are somewhat alike; the search for near duplicates ends before its end.")
            break
    return found


def similarity(one: Conversation, other: Conversation) -> float:
    """The exact Jaccard index of two rows' sets of three words in a row."""
    left, right = _triples(one), _triples(other)
    return len(left & right) / len(left | right)


def _triples(row: Conversation) -> set[tuple[str, ...]]:
    words = _words(row)
    return set(zip(words, words[1:], words[2:], strict=False))


def _words(row: Conversation) -> list[str]:
    """At least three; a row without a word is one of its own letters."""
    text = "\n".join(turn.content for turn in row.turns if turn.role != "system").casefold()
    words = _WORD.findall(text) or [text]
    return words if len(words) > 2 else [*words, "", ""][:3]


def _write_keys(file: IO[bytes], rows: Iterator[Conversation], count: int) -> None:
    """Keys of each band, uint64, one band after the other."""
    known: dict[str, int] = {}
    done = 0
    while batch := [_words(row) for row in islice(rows, _ROWS_AT_ONCE)]:
        for band, keys in enumerate(_keys(_hashes(batch, known), [len(words) - 2 for words in batch])):
            file.seek((band * count + done) * 8)
            file.write(keys.tobytes())
        done += len(batch)
    file.flush()


def _hashes(batch: Sequence[Sequence[str]], known: dict[str, int]) -> NDArray[np.uint64]:
    """A hash of each three words in a row, of all rows one after the other."""
    import numpy as np

    if len(known) > _WORDS_KNOWN:
        known.clear()
    for words in batch:
        for word in words:
            if word not in known:
                known[word] = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
    flat = np.array([known[word] for words in batch for word in words], np.uint64)
    mixed = flat[:-2] * np.uint64(_ODD[0]) + flat[1:-1] * np.uint64(_ODD[1]) + flat[2:] * np.uint64(_ODD[2])
    ends = np.cumsum([len(words) for words in batch])[:-1]
    return _mixed(np.delete(mixed, np.concatenate([ends - 2, ends - 1])))


def _keys(hashes: NDArray[np.uint64], lengths: Sequence[int]) -> Iterator[NDArray[np.uint64]]:
    """For each band, one key a row: the least of the hashes, permuted four times, put together."""
    import numpy as np

    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    for band in range(_BANDS):
        key = np.zeros(len(lengths), np.uint64)
        for number in range(band * _DEEP, (band + 1) * _DEEP):
            permuted = _mixed(hashes ^ np.uint64(_seed(number)))
            key = _mixed(key * np.uint64(_ODD[0]) + np.minimum.reduceat(permuted, starts))
        yield key


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A permutation of all 64-bit numbers."""
    import numpy as np

    values = (values ^ (values >> np.uint64(29))) * np.uint64(_ODD[1])
    return values ^ (values >> np.uint64(32))


def _seed(number: int) -> int:
    return int.from_bytes(hashlib.blake2b(b"%d" % number, digest_size=8).digest(), "little")


def _meetings(file: IO[bytes], band: int, count: int) -> Iterator[tuple[int, int]]:
    """Pairs of the first row of each key with every other row of that key."""
    import numpy as np

    file.seek(band * count * 8)
    keys = np.frombuffer(file.read(count * 8), np.uint64)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    firsts = order[np.maximum.accumulate(np.where(begins, np.arange(count), 0))]
    for place in np.flatnonzero(~begins).tolist():
        yield int(firsts[place]), int(order[place])
