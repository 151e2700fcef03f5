"""What an adapter was built on: its base and its ancestors, named by digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapterkit.errors import ArtifactError
from adapterkit.names import AdapterRef, Version

# Every member costs memory and time on the live model; a longer chain is a mistake, or wants to keep a verifier busy.
MAX_LINEAGE = 16


@dataclass(frozen=True)
class BaseIdentity:
    """The frozen base, as lineage names it.

    Attributes:
        id: hub id, folder, or `wheel:<module>/<file>` address it was loaded from.
        revision: commit or tag on the hub, when one was asked for.
        source_digest: sha256 over the tensors before quantization and the config.
        quantization: the settings under which the base is held in memory, such as `{"kind": "nf4", ...}`.
        tokenizer_digest: sha256 over the tokenizer and its chat template; null where it was not recorded.
    """

    id: str
    revision: str | None
    source_digest: str
    quantization: Mapping[str, Any]
    tokenizer_digest: str | None = None

    def differs_from(self, other: BaseIdentity) -> list[str]:
        """Say, one line each, why the two are not the same base; where it was loaded from does not matter."""
        found = []
        if self.source_digest != other.source_digest:
            found.append(
                f"weights: {self.source_digest[:12]} ({self.id}) is not {other.source_digest[:12]} ({other.id})"
            )
        for key in sorted({*self.quantization, *other.quantization}):
            mine, theirs = self.quantization.get(key), other.quantization.get(key)
            if mine != theirs:
                found.append(f"quantization.{key}: {mine} is not {theirs}")
        mine, theirs = self.tokenizer_digest, other.tokenizer_digest
        if mine is not None and theirs is not None and mine != theirs:
            found.append(f"tokenizer or chat template: {mine[:12]} ({self.id}) is not {theirs[:12]} ({other.id})")
        return found


@dataclass(frozen=True)
class LineageMember:
    """One adapter of a lineage: a ref that names an exact version, and the digest that binds it."""

    ref: AdapterRef
    weights_digest: str

    def __post_init__(self) -> None:
        if not isinstance(self.ref.selector, Version):
            raise ArtifactError(f"a lineage names exact versions, and '{self.ref}' does not")


@dataclass(frozen=True)
class Lineage:
    """The chain root-first: base <- members[0] <- members[1] ..., the last being the adapter itself.

    Raises:
        ArtifactError: it has more than 16 members, or one twice.
    """

    base: BaseIdentity
    members: tuple[LineageMember, ...] = ()

    def __post_init__(self) -> None:
        if len(self.members) > MAX_LINEAGE:
            raise ArtifactError(
                f"the lineage has {len(self.members)} members, and {MAX_LINEAGE} is the most: build on an earlier one"
            )
        if len({member.ref for member in self.members}) != len(self.members):
            raise ArtifactError("the lineage names a member twice: it goes round in a circle")

    @property
    def parents(self) -> tuple[LineageMember, ...]:
        """Every member but the last, root-first."""
        return self.members[:-1]

    def __str__(self) -> str:
        return " <- ".join([self.base.id, *(str(member.ref) for member in self.members)])
