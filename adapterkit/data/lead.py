"""The tokens of what a template writes before the first turn: made once, where they are the same in every row.

A tokenizer splits a text at its special tokens first, and looks at what stands between two of them by itself. So a text
may be cut behind a special token, and both parts tokenized alone, unless a part of the tokenizer looks further.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from adapterkit.data.orders import Order, Place

# Each looks at a part of a text between two special tokens, wherever it stands.
_LOCAL = {
    "Sequence", "ByteLevel", "Split", "Digits", "Punctuation", "Whitespace", "WhitespaceSplit", "CharDelimiterSplit",
    "BertPreTokenizer", "UnicodeScripts",
}  # fmt: skip


def with_lead(order: Order, backend: Any) -> Order:
    """The order, its first piece cut behind the last special token where that changes no token.

    Args:
        order: of roles.
        backend: a `tokenizers.Tokenizer` without truncation and padding, for which `is_local` holds.
    """
    first = order.pieces[0] if order.pieces else None
    if not isinstance(first, str):
        return order
    added = list(backend.get_added_tokens_decoder().values())
    cut = _last_end(first, added)
    lead, rest = first[:cut], first[cut:]
    if not rest or not _ends_alone(lead, added):
        return order
    if any(piece == 0 and into < cut for span in order.spans for piece, into in span):
        return order
    spans = tuple((_behind(cut, begin), _behind(cut, end)) for begin, end in order.spans)
    ids = tuple(backend.encode(lead, add_special_tokens=False).ids)
    return replace(order, pieces=(rest, *order.pieces[1:]), spans=spans, lead=ids)


def _last_end(text: str, added: list[Any]) -> int:
    """Where the last added token ends of those that a tokenizer finds in a text: always the first, and the longest."""
    names = sorted((token.content for token in added if not token.normalized), key=len, reverse=True)
    found = re.finditer("|".join(map(re.escape, names)) or r"(?!)", text)
    return max((each.end() for each in found), default=0)


def _ends_alone(lead: str, added: list[Any]) -> bool:
    """Whether a text ends with a special token that takes nothing from behind it, and no token reaches over its end."""
    last = [token for token in added if lead.endswith(token.content)]
    if not last or any(token.rstrip or token.normalized or not token.special for token in last):
        return False
    if any(token.single_word for token in added):
        return False
    return not any(lead.endswith(token.content[:size]) for token in added for size in range(1, len(token.content)))


def _behind(cut: int, place: Place) -> Place:
    piece, into = place
    return (piece, into - cut) if piece == 0 else place


def is_local(backend: Any) -> bool:
    """Whether a tokenizer looks at nothing but what stands between two special tokens."""
    # Its state is its settings as JSON; those of the whole tokenizer are some megabytes.
    split = backend.pre_tokenizer
    kinds = list(_kinds(json.loads(split.__getstate__()) if split is not None else None))
    return all(
        kind["type"] in _LOCAL or (kind["type"] == "Metaspace" and kind.get("prepend_scheme") in ("never", "always"))
        for kind in kinds
    )


def _kinds(settings: Any) -> Iterator[dict[str, Any]]:
    if settings is not None:
        yield settings
        for inner in settings.get("pretokenizers", ()):
            yield from _kinds(inner)
