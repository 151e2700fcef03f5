"""Token rows kept between runs, by the digest of all they are made of: words, chat template, tokenizer.

What is kept is checked before it is used, and made again where it is damaged or a disk refuses: a run never depends
on it. Small splits are not worth a file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from adapterkit.base.cache import cache_root
from adapterkit.data.conversation import Conversation
from adapterkit.data.template import IGNORED, EncodedRow
from adapterkit.digest import json_digest, sha256_bytes
from adapterkit.errors import RegistryError
from adapterkit.stores.replace import replace_files

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_log = logging.getLogger(__name__)

# Whatever changes what `encode` gives for the same words raises this.
_SCHEMA = 3
_WORTH_KEEPING = 2000
_FILES_KEPT = 32


def kept_rows(
    conversations: Sequence[Conversation],
    tokenizer: PreTrainedTokenizerBase,
    make: Callable[[], list[EncodedRow]],
) -> list[EncodedRow]:
    """The rows of a split, from the cache or made and then kept.

    Args:
        conversations: the split.
        tokenizer: that encodes it, with its chat template.
        make: encodes it.
    """
    template = str(tokenizer.chat_template)
    # A template that asks for the date gives other rows tomorrow.
    if len(conversations) < _WORTH_KEEPING or "strftime" in template:
        return make()
    words = [[[turn.role, turn.content] for turn in each.turns] for each in conversations]
    # A template may write special tokens, whose names stand outside of the tokenizer proper.
    named = {role: str(token) for role, token in tokenizer.special_tokens_map.items()}
    name = json_digest([_SCHEMA, words, template, named, tokenizer.backend_tokenizer.to_str()]) + ".safetensors"
    path = cache_root() / "tokens" / name
    if (found := _read(path, len(conversations))) is not None:
        _log.info("%d rows are taken from the token cache", len(found))
        return found
    rows = make()
    _keep(path, rows)
    return rows


def _read(path: Path, rows: int) -> list[EncodedRow] | None:
    """What a file holds; null when it is missing, damaged, or of another number of rows."""
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        data = path.read_bytes()
        digest, content = data[:64].decode("ascii"), memoryview(data)[64:]
        if sha256_bytes(content) != digest:
            _log.warning("The token cache holds a damaged file, which is made again: %s", path)
            return None
        arrays = load(bytes(content))
    except (OSError, UnicodeDecodeError, SafetensorError):
        return None
    ends = np.cumsum(arrays["lengths"])
    if len(ends) != rows:
        return None
    ids, labelled = arrays["ids"], arrays["labelled"]
    labels = np.where(labelled, ids, IGNORED).tolist()
    ids, starts = ids.tolist(), [0, *ends[:-1].tolist()]
    return [
        EncodedRow(tuple(ids[start:end]), tuple(labels[start:end]))
        for start, end in zip(starts, ends.tolist(), strict=True)
    ]


def _keep(path: Path, rows: Sequence[EncodedRow]) -> None:
    """Write rows, a digest before them; the oldest files make room. A disk that refuses is no error."""
    import numpy as np
    from safetensors.numpy import save

    labels = np.fromiter((label for row in rows for label in row.labels), np.int32)
    content = save({
        "ids": np.fromiter((token for row in rows for token in row.input_ids), np.int32),
        "labelled": (labels != IGNORED).astype(np.uint8),
        "lengths": np.fromiter((row.length for row in rows), np.int64),
    })  # fmt: skip
    try:
        replace_files(path.parent, {path.name: sha256_bytes(content).encode("ascii") + content})
    except RegistryError as error:
        _log.info("Token rows are not kept: %s", error)
        return
    # Another process may remove the same files.
    with suppress(OSError):
        newest = sorted(path.parent.glob("*.safetensors"), key=lambda each: each.stat().st_mtime, reverse=True)
        for old in newest[_FILES_KEPT:]:
            old.unlink(missing_ok=True)
