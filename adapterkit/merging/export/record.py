"""What an export says of itself: `export.json`, which names what it was made of by digest, and lists its files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapterkit.artifacts import Artifact, pretty_json
from adapterkit.base.locate import is_hub_id
from adapterkit.base.wheel import PREFIX
from adapterkit.digest import sha256_file
from adapterkit.evaluation.distance import Distance
from adapterkit.lineage import BaseIdentity
from adapterkit.stack.blend import Blend
from adapterkit.stores import write_file

RECORD_FILE = "export.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Losses:
    """What was lost, by the layer's name, each as the Frobenius norm of the difference over that of the change.

    Attributes:
        by_rank: what a limit on the rank left out.
        in_storage: what the stored dtype cost of what the rank left in.
    """

    by_rank: Mapping[str, float] = field(default_factory=dict)
    in_storage: Mapping[str, float] = field(default_factory=dict)

    @property
    def worst_by_rank(self) -> float:
        """Of the worst layer."""
        return max(self.by_rank.values(), default=0.0)

    @property
    def worst_in_storage(self) -> float:
        """Of the worst layer."""
        return max(self.in_storage.values(), default=0.0)


@dataclass(frozen=True)
class ExportRecord:
    """What was exported, of what it was made, and what that cost.

    Attributes:
        form: merged, gguf, vllm or hub.
        members: the stack, root-first.
        blend: how it adds up.
        base_name: what others may know the base by; no path of this machine.
        options: whatever else determined the result.
        losses: per layer.
        facts: numbers of the result: bytes, rank and so on.
        distance: how far the result departs from the stack; null: not measured.
    """

    form: str
    members: Sequence[Artifact]
    blend: Blend
    base_name: str
    options: Mapping[str, Any]
    losses: Losses = field(default_factory=Losses)
    facts: Mapping[str, Any] = field(default_factory=dict)
    distance: Distance | None = None

    @property
    def base(self) -> BaseIdentity:
        """The base of the stack."""
        return self.members[-1].manifest.lineage.base

    @property
    def learnt_on(self) -> str | None:
        """How the base was held in training, where that is in few bits and the result does not bring those weights."""
        kind = self.base.quantization.get("kind", "none")
        return None if self.form == "merged" or kind == "none" else str(kind)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What it was made of, one entry a member."""
        rows = zip(self.members, self.blend.weights, self.blend.coefficients, strict=True)
        return [
            {
                "ref": str(member.ref),
                "weights_digest": member.manifest.weights_digest,
                "weight": weight,
                "coefficient": coefficient,
            }
            for member, weight, coefficient in rows
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the files."""
        base = {
            "name": self.base_name,
            "revision": self.base.revision,
            "source_digest": self.base.source_digest,
            "tokenizer_digest": self.base.tokenizer_digest,
            "quantization": dict(self.base.quantization),
        }
        return {
            "schema_version": _SCHEMA,
            "form": self.form,
            "base": base,
            "members": self.rows,
            "blend": self.blend.kind,
            "options": dict(self.options),
            "facts": dict(self.facts),
            "left_out_by_the_rank": dict(self.losses.by_rank),
            "lost_in_storage": dict(self.losses.in_storage),
            "distance": None if self.distance is None else dataclasses.asdict(self.distance),
        }

    def write(self, folder: Path) -> None:
        """Write it beside the files that are there, and list them with their sha256.

        Raises:
            RegistryError: the disk refuses.
        """
        files = {path.relative_to(folder).as_posix(): sha256_file(path) for path in folder.rglob("*") if path.is_file()}
        plain = {**self.to_json(), "files": dict(sorted(files.items()))}
        write_file(folder / RECORD_FILE, pretty_json(plain, RECORD_FILE))


def base_name(identity: BaseIdentity, given: str | None) -> str:
    """What others may know a base by: the hub id that is given, its own id, or the last part of a path."""
    if given is not None:
        return given
    return identity.id if is_public(identity) else Path(identity.id).name


def is_public(identity: BaseIdentity) -> bool:
    """Whether a base's id means the same on other machines: one of the hub, or of a wheel."""
    return identity.id.startswith(PREFIX) or is_hub_id(identity.id)
