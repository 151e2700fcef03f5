"""The manifest of an artifact (`metadata.json`): frozen nouns with an exact, strict JSON round trip."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapterkit.errors import ArtifactError, UsageError, excerpt
from adapterkit.lineage import BaseIdentity, Lineage, LineageMember
from adapterkit.names import AdapterRef, Version, check_name

SCHEMA_VERSION = 1

MANIFEST_FILE = "metadata.json"
CHECKSUMS_FILE = "checksums.json"
WEIGHTS_FILE = "adapter_model.safetensors"
ADAPTER_CONFIG_FILE = "adapter_config.json"
TRAINING_CONFIG_FILE = "training_config.yaml"
TRAINING_METRICS_FILE = "training_metrics.json"
CARD_FILE = "README.md"
MANDATORY_FILES = (
    ADAPTER_CONFIG_FILE,
    WEIGHTS_FILE,
    MANIFEST_FILE,
    TRAINING_CONFIG_FILE,
    TRAINING_METRICS_FILE,
    CHECKSUMS_FILE,
    CARD_FILE,
)
OPTIONAL_FILES = ("test_metrics.json", "training_curves.png")

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class BaseRecord:
    """The base as one training met it: who it is, and its fingerprint in memory before and after."""

    identity: BaseIdentity
    fingerprint_before: str
    fingerprint_after: str
    tensors: int


@dataclass(frozen=True)
class DataRecord:
    """What the adapter was trained on: reader and source by name, content by digest, counts of the training split."""

    source: str
    digest: str
    rows: int
    tokens: int


@dataclass(frozen=True)
class AdapterShape:
    """The shape of an adapter: what `weights_digest` covers besides the tensors, and its size."""

    rank: int
    alpha: float
    targets: tuple[str, ...]
    variant: str
    parameters: int
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """Everything an artifact says of itself. `Manifest.from_json(manifest.to_json()) == manifest`.

    Attributes:
        created: UTC time, ISO 8601, seconds.
        run_key: digest of what determined the result; the same key means the same result is wanted.
        weights_digest: digest of the adapter's tensors and shape.
        lineage: base and members root-first; the last member is this adapter.
        metrics: summary numbers, finite floats.
        environment: versions, seed, threads, device.
    """

    name: str
    version: Version
    created: str
    run_key: str
    weights_digest: str
    lineage: Lineage
    base: BaseRecord
    data: DataRecord
    adapter: AdapterShape
    metrics: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    tags: tuple[str, ...] = ()
    custom: Mapping[str, Any] = field(default_factory=dict)
    merged_from: tuple[LineageMember, ...] = ()

    @property
    def ref(self) -> AdapterRef:
        """The exact ref of this artifact."""
        return AdapterRef(self.name, self.version)

    def to_json(self) -> dict[str, Any]:
        """The manifest as plain JSON values, with `schema_version` first."""
        plain: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}
        plain["version"] = str(self.version)
        plain["lineage"] = [_member_json(member) for member in self.lineage.members]
        plain["merged_from"] = [_member_json(member) for member in self.merged_from]
        plain["adapter"]["targets"] = list(self.adapter.targets)
        plain["tags"] = list(self.tags)
        return plain

    @classmethod
    def from_json(cls, plain: Any) -> Manifest:
        """Read a manifest strictly.

        Raises:
            ArtifactError: a key is missing, unknown or of the wrong kind, or the parts contradict each other.
        """
        try:
            manifest = _manifest(plain)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, UsageError, ArtifactError) as error:
            raise ArtifactError(f"{MANIFEST_FILE} is not a manifest: {error}", [f"{MANIFEST_FILE}: {error}"]) from error
        _check(manifest)
        return manifest


def _manifest(plain: dict[str, Any]) -> Manifest:
    if _count(plain["schema_version"]) != SCHEMA_VERSION:
        raise ValueError(f"schema_version {plain['schema_version']} is not {SCHEMA_VERSION}; update adapterkit")
    known = {spec.name for spec in dataclasses.fields(Manifest)} | {"schema_version"}
    if unknown := sorted(set(plain) - known):
        raise ValueError(f"unknown keys {', '.join(unknown)[:200]}")
    if missing := sorted(known - set(plain)):
        raise ValueError(f"missing keys {', '.join(missing)}")
    base = _base(plain["base"])
    return Manifest(
        name=check_name(plain["name"]),
        version=Version.parse(plain["version"]),
        created=_text(plain["created"]),
        run_key=_digest(plain["run_key"]),
        weights_digest=_digest(plain["weights_digest"]),
        lineage=Lineage(base.identity, tuple(_member(member) for member in _list(plain["lineage"]))),
        base=base,
        data=_data(plain["data"]),
        adapter=_shape(plain["adapter"]),
        metrics={_text(key): _finite(value) for key, value in _table(plain["metrics"]).items()},
        environment=_table(plain["environment"]),
        description=_text(plain["description"]),
        tags=tuple(_text(tag) for tag in _list(plain["tags"])),
        custom=_table(plain["custom"]),
        merged_from=tuple(_member(member) for member in _list(plain["merged_from"])),
    )


def _base(plain: dict[str, Any]) -> BaseRecord:
    told = BaseIdentity(**plain["identity"])
    revision = None if told.revision is None else _text(told.revision)
    identity = BaseIdentity(_text(told.id), revision, _text(told.source_digest), _table(told.quantization))
    record = BaseRecord(**{**plain, "identity": identity})
    _text(record.fingerprint_before), _text(record.fingerprint_after), _count(record.tensors)
    return record


def _data(plain: dict[str, Any]) -> DataRecord:
    record = DataRecord(**plain)
    _text(record.source), _text(record.digest), _count(record.rows), _count(record.tokens)
    return record


def _shape(plain: dict[str, Any]) -> AdapterShape:
    shape = AdapterShape(**{**plain, "targets": tuple(_text(name) for name in _list(plain["targets"]))})
    _finite(shape.alpha), _text(shape.variant), _count(shape.rank), _count(shape.parameters), _count(shape.bytes)
    return shape


def _check(manifest: Manifest) -> None:
    """Refuse a manifest whose parts contradict each other."""
    found = []
    last = manifest.lineage.members[-1] if manifest.lineage.members else None
    if last != LineageMember(manifest.ref, manifest.weights_digest):
        found.append(f"{MANIFEST_FILE}: the lineage does not end in {manifest.ref} with its weights_digest")
    if manifest.base.fingerprint_before != manifest.base.fingerprint_after:
        found.append(f"{MANIFEST_FILE}: the base's fingerprint after training differs from the one before")
    if found:
        raise ArtifactError(found[0], found)


def _member_json(member: LineageMember) -> dict[str, str]:
    return {"ref": str(member.ref), "weights_digest": member.weights_digest}


def _member(plain: dict[str, str]) -> LineageMember:
    if set(plain) != {"ref", "weights_digest"}:
        raise ValueError("a lineage member has exactly the keys ref and weights_digest")
    return LineageMember(AdapterRef.parse(plain["ref"]), _digest(plain["weights_digest"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{excerpt(value)} is not a text")
    return value


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{excerpt(value)} is not a table")
    return dict(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{excerpt(value)} is not a list")
    return value


def _digest(value: Any) -> str:
    if not _HEX.fullmatch(_text(value)):
        raise ValueError(f"{excerpt(value)} is not a sha256")
    return str(value)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{excerpt(value)} is not a count")
    return value


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{excerpt(value)} is not a finite number")
    return float(value)
