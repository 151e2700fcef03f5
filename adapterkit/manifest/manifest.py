"""The manifest of an artifact (`metadata.json`): a frozen noun with an exact, strict JSON round trip."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapterkit.errors import ArtifactError, UsageError
from adapterkit.lineage import Lineage, LineageMember
from adapterkit.manifest.files import MANIFEST_FILE
from adapterkit.manifest.records import AdapterShape, BaseRecord, DataRecord, MergeRecord, RecipeRecord
from adapterkit.manifest.values import digest, entries, finite, table, text, text_list
from adapterkit.names import AdapterRef, Version, check_name
from adapterkit.problem import Problem
from adapterkit.texts import excerpt

SCHEMA_VERSION = 4
# What each schema brought.
_SINCE = {2: {"recipe", "started_from"}, 3: {"intended_use"}, 4: {"merge"}}


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
        merged_from: the adapters that it was made of, where nobody trained it.
        merge: how; null where it was trained, and in manifests of schema 1 to 3.
        recipe: how to train it again; null where nothing was trained, and in manifests of schema 1.
        custom: whatever whoever trained it wants to say, as plain JSON.
        intended_use: what it is for, for people; empty in manifests of schema 1 and 2.
        started_from: `weights_digest` of the adapter whose weights the run started from; null for a fresh start.
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
    intended_use: str = ""
    tags: tuple[str, ...] = ()
    custom: Mapping[str, Any] = field(default_factory=dict)
    merged_from: tuple[LineageMember, ...] = ()
    merge: MergeRecord | None = None
    recipe: RecipeRecord | None = None
    started_from: str | None = None

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
        plain["adapter"] = self.adapter.to_json()
        plain["tags"] = list(self.tags)
        if self.merge is not None:
            plain["merge"]["weights"] = list(self.merge.weights)
        if self.recipe is not None:
            plain["recipe"]["overrides"] = list(self.recipe.overrides)
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
            problems = [Problem(MANIFEST_FILE, str(error))]
            raise ArtifactError(f"{MANIFEST_FILE} is not a manifest: {error}", problems) from error
        _check(manifest)
        return manifest


def _manifest(plain: dict[str, Any]) -> Manifest:
    plain = _upgraded(plain)
    known = {spec.name for spec in dataclasses.fields(Manifest)} | {"schema_version"}
    if unknown := sorted(set(plain) - known):
        raise ValueError(f"unknown keys {', '.join(unknown)[:200]}")
    if missing := sorted(known - set(plain)):
        raise ValueError(f"missing keys {', '.join(missing)}")
    base = BaseRecord.from_json(plain["base"])
    return Manifest(
        name=check_name(plain["name"]),
        version=Version.parse(plain["version"]),
        created=text(plain["created"]),
        run_key=digest(plain["run_key"]),
        weights_digest=digest(plain["weights_digest"]),
        lineage=Lineage(base.identity, tuple(_member(member) for member in entries(plain["lineage"]))),
        base=base,
        data=DataRecord.from_json(plain["data"]),
        adapter=AdapterShape.from_json(plain["adapter"]),
        metrics={text(key): finite(value) for key, value in table(plain["metrics"]).items()},
        environment=table(plain["environment"]),
        description=text(plain["description"]),
        intended_use=text(plain["intended_use"]),
        tags=text_list(plain["tags"]),
        custom=table(plain["custom"]),
        merged_from=tuple(_member(member) for member in entries(plain["merged_from"])),
        merge=MergeRecord.from_json(plain["merge"]),
        recipe=RecipeRecord.from_json(plain["recipe"]),
        started_from=None if plain["started_from"] is None else digest(plain["started_from"]),
    )


def _upgraded(plain: dict[str, Any]) -> dict[str, Any]:
    """A manifest of an older schema in the form of the present one; what it did not say is null."""
    version = plain["schema_version"]
    if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
        raise ValueError(f"schema_version {excerpt(version)} is not one of 1 to {SCHEMA_VERSION}; update adapterkit")
    if version == SCHEMA_VERSION:
        return plain
    if newer := sorted(set().union(*(_SINCE[later] for later in _SINCE if later > version)) & set(plain)):
        raise ValueError(f"unknown keys {', '.join(newer)}")
    plain = {**plain, "merge": None}
    if version == 3:
        return plain
    plain = {**plain, "intended_use": ""}
    if version == 2:
        return plain
    identity = {**plain["base"]["identity"], "tokenizer_digest": None}
    return {
        **plain,
        "recipe": None,
        "started_from": None,
        "base": {**plain["base"], "identity": identity},
        "data": {**plain["data"], "origins": {}},
    }


def _check(manifest: Manifest) -> None:
    """Refuse a manifest whose parts contradict each other."""
    found = []
    last = manifest.lineage.members[-1] if manifest.lineage.members else None
    if last != LineageMember(manifest.ref, manifest.weights_digest):
        found.append(f"the lineage does not end in {manifest.ref} with its weights_digest")
    if manifest.base.fingerprint_before != manifest.base.fingerprint_after:
        found.append("the base's fingerprint after training differs from the one before")
    if manifest.merge is not None and len(manifest.merge.weights) != len(manifest.merged_from):
        found.append(f"the merge gives {len(manifest.merge.weights)} weights for {len(manifest.merged_from)} adapters")
    if found:
        problems = [Problem(MANIFEST_FILE, what) for what in found]
        raise ArtifactError(str(problems[0]), problems)


def _member_json(member: LineageMember) -> dict[str, str]:
    return {"ref": str(member.ref), "weights_digest": member.weights_digest}


def _member(plain: dict[str, str]) -> LineageMember:
    if set(plain) != {"ref", "weights_digest"}:
        raise ValueError("a lineage member has exactly the keys ref and weights_digest")
    return LineageMember(AdapterRef.parse(plain["ref"]), digest(plain["weights_digest"]))
