"""`adapterkit show`: what one adapter says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from adapterkit.cli.output import print_pairs
from adapterkit.errors import counted
from adapterkit.manifest import Manifest


def print_details(manifest: Manifest, path: Path) -> None:
    """Print a manifest as names and values."""
    print_pairs(_pairs(manifest, path))


def _pairs(manifest: Manifest, path: Path) -> Iterator[tuple[str, str]]:
    base, shape, data = manifest.lineage.base, manifest.adapter, manifest.data
    yield "ref", str(manifest.ref)
    yield "path", str(path)
    if manifest.description:
        yield "description", manifest.description
    yield "created", manifest.created
    yield "lineage", str(manifest.lineage)
    yield "base", f"{base.id}, source digest {base.source_digest[:12]}, quantization {base.quantization.get('kind')}"
    yield "adapter", f"{shape.variant}, rank {shape.rank}, alpha {shape.alpha:g}, on {', '.join(shape.targets)}"
    yield "size", f"{counted(shape.parameters, 'parameter')}, {counted(shape.bytes, 'byte')}"
    yield (
        "data",
        f"{data.source}: {counted(data.rows, 'row')}, {counted(data.tokens, 'token')}, digest {data.digest[:12]}",
    )
    yield "weights digest", manifest.weights_digest
    yield "run key", manifest.run_key
    if manifest.tags:
        yield "tags", ", ".join(manifest.tags)
    yield from ((f"metric {name}", f"{value:.6g}") for name, value in sorted(manifest.metrics.items()))
    yield from ((name, str(value)) for name, value in sorted(manifest.environment.items()))
    yield from ((f"custom {name}", str(value)) for name, value in sorted(manifest.custom.items()))
    yield from (("merged from", str(member.ref)) for member in manifest.merged_from)
