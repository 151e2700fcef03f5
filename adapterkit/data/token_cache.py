"""Token rows kept between runs, by the digest of all they are made of: words, chat template, tokenizer.

What is kept is checked before it is used, and made again where it is damaged or a disk refuses: a run never depends
on it. Small splits are not worth a file, and stay in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from adapterkit.base.cache import cache_root
from adapterkit.data.conversation import Conversation
from adapterkit.data.row_views import row_digests, row_weights
from adapterkit.data.template import EncodedRow
from adapterkit.data.token_file import open_rows, write_rows
from adapterkit.data.token_rows import TokenBatch
from adapterkit.digest import json_digest, sha256_bytes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_log = logging.getLogger(__name__)

# Whatever changes what `encode` gives for the same words raises this.
_SCHEMA = 4
_WORTH_KEEPING = 2000
_FILES_KEPT = 32


def kept_rows(
    conversations: Sequence[Conversation],
    tokenizer: PreTrainedTokenizerBase,
    make: Callable[[], Iterator[TokenBatch]],
) -> Sequence[EncodedRow]:
    """The rows of a split, from the cache or made and then kept.

    Args:
        conversations: the split.
        tokenizer: that encodes it, with its chat template.
        make: encodes it, some rows at a time.
    """
    if len(conversations) < _WORTH_KEEPING:
        return [row for batch in make() for row in batch.rows()]
    template = str(tokenizer.chat_template)
    # A template that asks for the date gives other rows tomorrow.
    path = None if "strftime" in template else cache_root() / "tokens" / _name(conversations, tokenizer)
    weights = row_weights(conversations)
    if path is not None and (found := open_rows(path, weights)) is not None:
        _log.info("%d rows are taken from the token cache", len(found))
        return found
    rows = write_rows(make(), path, weights)
    if path is not None:
        _make_room(path.parent)
    return rows


def _name(conversations: Sequence[Conversation], tokenizer: PreTrainedTokenizerBase) -> str:
    # A template may write special tokens, whose names stand outside of the tokenizer proper.
    named = {role: str(token) for role, token in tokenizer.special_tokens_map.items()}
    words = sha256_bytes(row_digests(conversations).data)
    made_by = [str(tokenizer.chat_template), named, tokenizer.backend_tokenizer.to_str()]
    return json_digest([_SCHEMA, words, *made_by]) + ".safetensors"


def _make_room(folder: Path) -> None:
    """Remove the oldest files; another process may remove the same ones."""
    with suppress(OSError):
        newest = sorted(folder.glob("*.safetensors"), key=lambda each: each.stat().st_mtime, reverse=True)
        for old in newest[_FILES_KEPT:]:
            old.unlink(missing_ok=True)
