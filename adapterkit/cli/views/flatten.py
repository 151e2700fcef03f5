"""`adapterkit flatten` and `parity`: what they print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapterkit.cli.output import print_json, print_pairs
from adapterkit.registry import Published
from adapterkit.texts import counted

if TYPE_CHECKING:
    from adapterkit.evaluation.parity import Departure, Parity


def print_flat(published: Published, as_json: bool) -> None:
    """Print what a stack was flattened to, and what was lost on the way."""
    manifest, merge = published.manifest, published.manifest.merge
    assert merge is not None
    if as_json:
        print_json(_flat_json(published))
        return
    print(f"{'Flattened to' if published.new else 'Already flattened to'} {manifest.ref}: {published.path}")
    members = zip(manifest.merged_from, merge.weights, strict=True)
    layer, worst = merge.worst
    print_pairs(
        [
            ("  from", ", ".join(f"{member.ref} x {weight:g}" for member, weight in members)),
            ("  blend", str(merge.options["blend"])),
            ("  size", f"{counted(manifest.adapter.parameters, 'parameter')} on {counted(len(merge.errors), 'layer')}"),
            ("  left out by --rank", f"at most {worst:.3%} of a layer's change, in {layer}" if worst else "nothing"),
            ("  lost in storage", f"at most {manifest.metrics['largest_loss_in_storage']:.1e} of a layer's change"),
        ]
    )


def _flat_json(published: Published) -> dict[str, Any]:
    manifest, merge = published.manifest, published.manifest.merge
    assert merge is not None
    return {
        "ref": str(manifest.ref),
        "path": str(published.path),
        "new": published.new,
        "merged_from": [str(member.ref) for member in manifest.merged_from],
        "weights": list(merge.weights),
        "options": dict(merge.options),
        "rank": manifest.adapter.rank,
        "parameters": manifest.adapter.parameters,
        "metrics": dict(manifest.metrics),
        "errors": dict(merge.errors),
    }


def print_parity(ref: str, found: Parity, as_json: bool) -> None:
    """Print whether an adapter without its change is its parent, and how far it departs with it."""
    if as_json:
        print_json({"ref": ref, **found.to_json()})
        return
    verdict = "is its parent, to the last bit" if found.proven else "is NOT its parent"
    print(f"{ref} without its change {verdict}: {counted(found.prompts, 'prompt')}, {found.positions} places")
    if not found.proven:
        print_pairs(_departure(found.zero))
    print("With its change:")
    print_pairs(_departure(found.child))


def _departure(found: Departure) -> list[tuple[str, str]]:
    first = ["the same" if place is None else f"token {place + 1}" for place in found.first_differing]
    return [
        ("  logits", f"differ by {found.largest:.3g} at most, {found.mean:.3g} on average"),
        ("  next token", f"the same at {found.agreement:.1%} of the places"),
        ("  answers", f"first differ at: {', '.join(first)}"),
    ]
