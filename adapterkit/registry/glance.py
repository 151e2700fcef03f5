"""What tables and trees take from a manifest, at a glance: kinds are checked, and no more.

A table of thousands cannot wait for the strict reading of each. What passes here may be no manifest all the same, but
can be shown; and what cannot is the fault of one version, not of the table.
"""

from __future__ import annotations

import os
from typing import Annotated

import msgspec

from adapterkit.lineage import BaseIdentity
from adapterkit.manifest import DataRecord, MergeRecord, RecipeRecord

_MAX_BYTES = 16_000_000
# Nearly every manifest is smaller; making room for the greatest at once would cost ten times the reading.
_FIRST_BYTES = 65_536


class _Table(msgspec.Struct, gc=False):
    """Any table; nothing of it is kept."""


class Member(msgspec.Struct, gc=False):
    """A member of a lineage, or of a merge: an exact ref, and the digest that binds it."""

    ref: str
    weights_digest: str


class Base(msgspec.Struct, gc=False):
    """The base that it was trained on."""

    identity: BaseIdentity


class Shape(msgspec.Struct, gc=False):
    """The shape of the adapter, and the bytes of its numbers."""

    variant: str
    rank: int
    parameters: int
    bytes: int


class Glance(msgspec.Struct, gc=False):
    """A manifest as far as tables and trees look; as `Manifest`, with refs and versions as they are written."""

    schema_version: int
    name: str
    version: str
    created: str
    run_key: str
    weights_digest: str
    description: str
    base: Base
    data: DataRecord
    adapter: Shape
    metrics: dict[str, int | float]
    tags: list[str]
    lineage: Annotated[list[Member], msgspec.Meta(min_length=1)]
    merged_from: list[Member]
    environment: _Table
    custom: _Table
    # None of schema 1 to 3 says it.
    merge: MergeRecord | msgspec.UnsetType | None = msgspec.UNSET
    # None of schema 1 or 2 says it.
    intended_use: str | msgspec.UnsetType = msgspec.UNSET
    # A manifest of schema 1 says nothing of it.
    said_of_recipe: RecipeRecord | msgspec.UnsetType | None = msgspec.field(name="recipe", default=msgspec.UNSET)

    def __post_init__(self) -> None:
        """Miss what schemas 2 to 4 brought."""
        if self.merge is msgspec.UNSET and self.schema_version not in (1, 2, 3):
            raise ValueError("Object missing required field `merge`")
        if self.intended_use is msgspec.UNSET and self.schema_version not in (1, 2):
            raise ValueError("Object missing required field `intended_use`")
        if self.said_of_recipe is msgspec.UNSET and self.schema_version != 1:
            raise ValueError("Object missing required field `recipe`")

    @property
    def recipe(self) -> RecipeRecord | None:
        """How to train it again; null where nobody knows."""
        return None if isinstance(self.said_of_recipe, msgspec.UnsetType) else self.said_of_recipe


def manifest_bytes(path: str) -> bytes:
    """The bytes of a manifest; no link is followed, and no pipe waited for.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.read(handle, _FIRST_BYTES)
        return found if len(found) < _FIRST_BYTES else found + os.read(handle, _MAX_BYTES)
    finally:
        os.close(handle)


# Raises ValueError: it is not JSON, or no text that a terminal takes; a value is missing, or of another kind. Raises
# RecursionError: it is nested too deep.
parse_at_a_glance = msgspec.json.Decoder(Glance).decode
