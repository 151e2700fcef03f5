"""`adapterkit export`: what it prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapterkit.cli.output import print_json, print_pairs

if TYPE_CHECKING:
    from adapterkit.evaluation.distance import Distance
    from adapterkit.workflows.export import Exported


def print_export(exported: Exported, as_json: bool) -> None:
    """Print what was written, of what, and what it cost."""
    record = exported.record
    if as_json:
        print_json({"path": str(exported.path), "bytes": exported.bytes, **record.to_json()})
        return
    print(f"Exported {record.members[-1].ref} --to {record.form}: {exported.path}")
    members = zip(record.members, record.blend.weights, strict=True)
    losses = record.losses
    pairs = [
        ("  from", ", ".join(f"{member.ref} x {weight:g}" for member, weight in members)),
        ("  blend", record.blend.kind),
        ("  size", f"{exported.bytes / 1e6:.1f} MB"),
    ]
    if record.options.get("rank"):
        pairs.append(("  left out by --rank", _worst(losses.by_rank)))
    if losses.in_storage:
        pairs.append(("  lost in storage", _worst(losses.in_storage)))
    if record.options.get("weights") == "original" and record.distance is None:
        pairs.append(
            ("  not measured", "adapters trained on quantized weights answer otherwise on the original ones: --measure")
        )
    if record.learnt_on is not None:
        pairs.append(("  it learnt on", f"{record.learnt_on}; on another form of the base answers differ: README.md"))
    if record.facts.get("untied"):
        pairs.append(("  output layer", "has weights of its own now, since an adapter changes it"))
    print_pairs([*pairs, *_distance(record.distance), ("  how to load it", str(exported.path / "README.md"))])


def _worst(losses: object) -> str:
    assert isinstance(losses, dict)
    layer, worst = max(losses.items(), key=lambda item: item[1])
    return f"at most {worst:.2g} of a layer's change, in {layer}" if worst else "nothing"


def _distance(found: Distance | None) -> list[tuple[str, str]]:
    if found is None:
        return []
    return [
        ("  beside the stack", f"logits differ by {found.mean:.3g} on average, {found.largest:.3g} at most"),
        ("  next token", f"the same at {found.agreement:.1%} of {found.positions} places"),
        ("  divergence", f"{found.divergence:.3g} nats"),
        ("  its answers", f"cost {found.nats_after:.3f} nats a token instead of {found.nats_before:.3f}"),
    ]
