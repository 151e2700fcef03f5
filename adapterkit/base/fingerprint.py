"""The fingerprint of a base in memory: all that its forward pass reads, compared before with after.

Tensors are recorded by their values, whatever float dtype holds them; tensors that share storage as alias groups, so
that an untied head shows; modules by class and `extra_repr`, so that another activation or another epsilon does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from adapterkit.base.tensor_hash import TensorHasher
from adapterkit.base.walk import walk
from adapterkit.digest import json_digest
from adapterkit.errors import FrozenChangedError
from adapterkit.texts import counted


@dataclass(frozen=True)
class Fingerprint:
    """One record for each tensor and each module of a base, the alias groups, and one digest of it all.

    Attributes:
        tensors: name -> `dtype [shape] sha256`.
        aliases: sorted groups of names that share one storage.
        structure: path of a module, or name of a quantization state -> what it says of itself.
    """

    tensors: Mapping[str, str]
    aliases: tuple[tuple[str, ...], ...]
    structure: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Hex sha256 over all records and alias groups."""
        return json_digest(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; what `baseline_checksums.json` holds."""
        aliases = [list(group) for group in self.aliases]
        return {"tensors": dict(self.tensors), "aliases": aliases, "structure": dict(self.structure)}

    def require_equal(self, after: Fingerprint) -> None:
        """Demand that nothing moved.

        Raises:
            FrozenChangedError: tensors or modules changed, went missing, appeared, or share storage otherwise.
        """
        mine, theirs = {**self.structure, **self.tensors}, {**after.structure, **after.tensors}
        missing, unexpected = sorted(mine.keys() - theirs.keys()), sorted(theirs.keys() - mine.keys())
        changed = sorted(name for name in mine.keys() & theirs.keys() if mine[name] != theirs[name])
        retied = sorted({name for group in set(self.aliases) ^ set(after.aliases) for name in group})
        if changed or missing or unexpected or retied:
            raise FrozenChangedError(
                self._explain(after, changed, missing, unexpected, retied), changed or retied, missing, unexpected
            )

    def _explain(
        self, after: Fingerprint, changed: list[str], missing: list[str], unexpected: list[str], retied: list[str]
    ) -> str:
        tensors = [name for name in changed if name in self.tensors and name in after.tensors]
        modules = [name for name in changed if name not in tensors]
        found = []
        for what, names in (
            (f"{len(tensors)} of {len(self.tensors)} tensors differ", tensors),
            (f"{len(modules)} of {len(self.structure)} modules differ", modules),
            (f"{counted(len(missing), 'name')} missing", missing),
            (f"{counted(len(unexpected), 'name')} new", unexpected),
            (f"{counted(len(retied), 'tensor')} retied", retied),
        ):
            if names:
                found.append(f"{what}: {', '.join(name or '(the model)' for name in names[:5])}")
        if tensors:
            before, now = (table[tensors[0]] for table in (self.tensors, after.tensors))
            found.append(f"first {tensors[0]} ({_short(before)} -> {_short(now)})")
        elif modules:
            found.append(f"first {self.structure[modules[0]]} -> {after.structure[modules[0]]}")
        return (
            "Base weights changed during training: " + "; ".join(found) + ". Nothing was published. An adapter was "
            "probably merged in place, or a library repacked the weights; load the base again in a new process."
        )


def fingerprint(model: torch.nn.Module) -> Fingerprint:
    """Fingerprint a base, bare or with a stack attached: adapters are left out, names are the bare base's.

    Of one that is cut among ranks, every rank hashes the whole, layer by layer; all must ask at once.

    Args:
        model: a PreTrainedModel, or the PeftModel around one.
    """
    structure: dict[str, str] = {}
    views: dict[Hashable, list[str]] = defaultdict(list)
    storages: dict[int, list[str]] = defaultdict(list)
    with TensorHasher() as hasher:
        for name, value, state in walk(model):
            if isinstance(value, str):
                structure[name] = value
            elif state:
                # Layers may share a table of quantization levels or hold equal ones: that means nothing.
                hasher.add(name, value, canonical=False)
            else:
                held, value = _held_and_whole(value)
                if not (same := views[_view_key(name, held)]):
                    hasher.add(name, value)
                same.append(name)
                if held.numel():
                    storages[held.untyped_storage().data_ptr()].append(name)
    records = hasher.records()
    records |= {name: records[names[0]] for names in views.values() for name in names[1:]}
    groups = sorted(tuple(sorted(names)) for names in storages.values() if len(names) > 1)
    return Fingerprint(records, tuple(groups), structure)


def _held_and_whole(tensor: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """What of a tensor lies in memory here, and all of it: two things where it is cut among ranks.

    The whole is put together for this moment only, so that its address says nothing.
    """
    return (tensor.to_local(), tensor.full_tensor()) if hasattr(tensor, "full_tensor") else (tensor, tensor)


def _view_key(name: str, tensor: torch.Tensor) -> Hashable:
    """Equal for names that show the very same bytes the same way, so that those are hashed once."""
    return (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype) if tensor.numel() else name


def _short(record: str) -> str:
    form, _, digest = record.rpartition(" ")
    return f"{form} {digest[:8]}"
