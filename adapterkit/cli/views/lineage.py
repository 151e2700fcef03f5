"""`adapterkit lineage`: the chain from the base up, and whether each member is still there."""

from __future__ import annotations

from typing import Any

from adapterkit.cli.output import printable
from adapterkit.errors import AdapterKitError
from adapterkit.lineage import Lineage, LineageMember
from adapterkit.registry import Registry


def chain(registry: Registry, lineage: Lineage) -> dict[str, Any]:
    """The lineage as plain JSON values; a member's `state` is held, missing or changed, as far as manifests tell."""
    base = lineage.base
    return {
        "base": {
            "id": base.id,
            "revision": base.revision,
            "source_digest": base.source_digest,
            "quantization": dict(base.quantization),
        },
        "members": [
            {"ref": str(member.ref), "weights_digest": member.weights_digest, "state": _state(registry, member)}
            for member in lineage.members
        ],
    }


def print_chain(facts: dict[str, Any]) -> None:
    """Print one line for the base and one for each member, root first."""
    base = facts["base"]
    kind = base["quantization"].get("kind", "none")
    print(printable(f"{base['id']}  source digest {base['source_digest'][:12]}, quantization {kind}"))
    for depth, member in enumerate(facts["members"]):
        state = "" if member["state"] == "held" else f"  {member['state'].upper()}"
        print(f"{'   ' * depth}└─ {member['ref']}  weights digest {member['weights_digest'][:12]}{state}")


def _state(registry: Registry, member: LineageMember) -> str:
    try:
        found = registry.manifest(member.ref).weights_digest
    except AdapterKitError:
        return "missing"
    return "held" if found == member.weights_digest else "changed"
