"""The parts of a manifest, each a frozen noun that reads itself strictly."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapterkit.lineage import BaseIdentity
from adapterkit.manifest.values import count, digest, entries, finite, table, text, text_list, text_or_null, texts


@dataclass(frozen=True)
class BaseRecord:
    """The base as one training met it: who it is, and its fingerprint in memory before and after."""

    identity: BaseIdentity
    fingerprint_before: str
    fingerprint_after: str
    tensors: int

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> BaseRecord:
        """Read it strictly; raises TypeError, ValueError or KeyError."""
        told = BaseIdentity(**plain["identity"])
        identity = BaseIdentity(
            id=text(told.id),
            revision=text_or_null(told.revision),
            source_digest=text(told.source_digest),
            quantization=table(told.quantization),
            tokenizer_digest=None if told.tokenizer_digest is None else digest(told.tokenizer_digest),
        )
        record = cls(**{**plain, "identity": identity})
        text(record.fingerprint_before), text(record.fingerprint_after), count(record.tensors)
        return record


# The source of the data of what was imported.
IMPORTED = "not recorded: imported"


@dataclass(frozen=True)
class DataRecord:
    """What the adapter was trained on.

    Attributes:
        source: where the rows came from, for people.
        digest: hex sha256 of what is said in all splits.
        rows: of the training split.
        tokens: of the training split.
        origins: what the rows were read from, `file:<path>` and `sdist:<name>-<version>` with the sha256,
            `folder:<path>` of a style pack with that of all it holds, `package:<name>` and `python:<part>` with the
            version: while none of them changes, the digest cannot.
    """

    source: str
    digest: str
    rows: int
    tokens: int
    origins: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> DataRecord:
        """Read it strictly; raises TypeError, ValueError or KeyError."""
        record = cls(**{**plain, "origins": texts(plain["origins"])})
        text(record.source), text(record.digest), count(record.rows), count(record.tokens)
        return record


@dataclass(frozen=True)
class RecipeRecord:
    """How the training was asked for, so that it can be asked for again.

    Attributes:
        recipe: name of the recipe; null for a plain command.
        overrides: what was said besides, as Hydra takes it; secrets redacted.
        config_dir: the user's own folder of configs, as given.
        sources: the config files that took part, with the digest of each one's content: while none of them changes, the
            composed config cannot.
        parent: the ref under which the parent was asked for; null for a training on the bare base.
        settings: digest of what the run key covers of the config.
        rows: digest of what the config says about which rows are read.
        persona: whose voice was trained; null for everybody's.
        schema: of the training code; another one would train the same settings to other weights.
    """

    recipe: str | None
    overrides: tuple[str, ...]
    config_dir: str | None
    sources: Mapping[str, str]
    parent: str | None
    settings: str
    rows: str
    persona: str | None
    schema: int

    @property
    def command_line(self) -> str | None:
        """The command line as a shell takes it; a training that was called from Python has none."""
        if not self.sources:
            return None
        own = ["--config-dir", self.config_dir] if self.config_dir else []
        named = [f"+recipe={self.recipe}"] if self.recipe else []
        return shlex.join(["adapterkit", "train", *own, *named, *self.overrides])

    @classmethod
    def from_json(cls, plain: dict[str, Any] | None) -> RecipeRecord | None:
        """Read it strictly; raises TypeError, ValueError or KeyError."""
        if plain is None:
            return None
        record = cls(**{**plain, "overrides": text_list(plain["overrides"]), "sources": texts(plain["sources"])})
        text_or_null(record.recipe), text_or_null(record.config_dir), text_or_null(record.parent)
        text_or_null(record.persona)
        digest(record.settings), digest(record.rows), count(record.schema)
        return record


@dataclass(frozen=True)
class MergeRecord:
    """How an adapter came about that was made of others, named in the manifest's `merged_from`.

    Attributes:
        method: `flatten`, or the name of a merge method.
        weights: one for each of `merged_from`, in its order, as they were given.
        options: whatever else determined the result: density, seed, rank, blend and so on, as plain JSON.
        errors: by the layer's name, what the limit on the rank cost: the Frobenius norm of what was left out over that
            of the exact change; 0 where nothing was.
    """

    method: str
    weights: tuple[float, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)

    @property
    def worst(self) -> tuple[str, float]:
        """The layer of which the most was left out, the first of equals, and its share; empty and 0 without layers."""
        return max(self.errors.items(), key=lambda entry: entry[1], default=("", 0.0))

    @classmethod
    def from_json(cls, plain: dict[str, Any] | None) -> MergeRecord | None:
        """Read it strictly; raises TypeError, ValueError or KeyError."""
        if plain is None:
            return None
        weights = tuple(finite(weight) for weight in entries(plain["weights"]))
        errors = {text(key): finite(value) for key, value in table(plain["errors"]).items()}
        record = cls(**{**plain, "weights": weights, "options": table(plain["options"]), "errors": errors})
        text(record.method)
        return record


@dataclass(frozen=True)
class AdapterShape:
    """The shape of an adapter: what `weights_digest` covers besides the tensors, its size, and its dtype.

    `dtype` is torch's name of it; null where one file holds several, and in manifests from before it was recorded.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]
    variant: str
    parameters: int
    bytes: int
    dtype: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is null is not said."""
        plain = {**dataclasses.asdict(self), "targets": list(self.targets)}
        return {key: value for key, value in plain.items() if value is not None}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> AdapterShape:
        """Read it strictly; raises TypeError, ValueError or KeyError."""
        shape = cls(**{**plain, "targets": text_list(plain["targets"])})
        finite(shape.alpha), text(shape.variant), text_or_null(shape.dtype)
        count(shape.rank), count(shape.parameters), count(shape.bytes)
        return shape
