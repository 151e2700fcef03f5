"""`adapterkit show`: what one adapter says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapterkit.artifacts import MAX_TEXT_BYTES
from adapterkit.cli.output import print_pairs
from adapterkit.digest import sha256_bytes
from adapterkit.errors import ArtifactError
from adapterkit.manifest import CHECKSUMS_FILE, Manifest, RecipeRecord
from adapterkit.registry import Registry, ref_with
from adapterkit.stores import read_file
from adapterkit.texts import counted


def details(manifest: Manifest, path: Path) -> dict[str, Any]:
    """The manifest and its four digests as plain JSON values.

    Args:
        manifest: what the adapter says of itself.
        path: its directory.

    Returns:
        `digests` holds hex sha256s: `weights`, `artifact` (null when checksums.json cannot be read), `run_key`, `base`;
        `command` is what trained it, null where that is not recorded.
    """
    return {
        "ref": str(manifest.ref),
        "path": str(path),
        "digests": {
            "weights": manifest.weights_digest,
            "artifact": _artifact_digest(path),
            "run_key": manifest.run_key,
            "base": manifest.lineage.base.source_digest,
        },
        "parents": [
            {"ref": str(member.ref), "weights_digest": member.weights_digest} for member in manifest.lineage.parents
        ],
        "command": manifest.recipe.command_line if manifest.recipe else None,
        "manifest": manifest.to_json(),
    }


def print_details(manifest: Manifest, path: Path) -> None:
    """Print a manifest as names and values."""
    print_pairs(_pairs(manifest, path))


def _pairs(manifest: Manifest, path: Path) -> Iterator[tuple[str, str]]:
    base, shape, data = manifest.lineage.base, manifest.adapter, manifest.data
    yield "ref", str(manifest.ref)
    yield "path", str(path)
    if manifest.description:
        yield "description", manifest.description
    if manifest.intended_use:
        yield "intended use", manifest.intended_use
    yield "created", manifest.created
    yield "lineage", str(manifest.lineage)
    yield "base", f"{base.id}, quantization {base.quantization.get('kind')}"
    yield from (("parent", f"{each.ref}, weights digest {each.weights_digest}") for each in manifest.lineage.parents)
    yield from _trained_by(manifest.recipe)
    yield "adapter", f"{shape.variant}, rank {shape.rank}, alpha {shape.alpha:g}, on {', '.join(shape.targets)}"
    kind = f" of {shape.dtype}" if shape.dtype else ""
    yield "size", f"{counted(shape.parameters, 'parameter')}, {counted(shape.bytes, 'byte')}{kind}"
    told = f": {counted(data.rows, 'row')}, {counted(data.tokens, 'token')}, digest {data.digest[:12]}"
    yield "data", data.source + (told if data.digest else "")
    if manifest.started_from is not None:
        ref = ref_with(Registry(path.parent.parent), manifest.name, manifest.started_from)
        yield "started from", f"{ref or 'a version that is gone'}, weights digest {manifest.started_from}"
    yield "weights digest", manifest.weights_digest
    yield "artifact digest", _artifact_digest(path) or f"{CHECKSUMS_FILE} cannot be read"
    yield "run key", manifest.run_key
    yield "base source digest", base.source_digest
    if manifest.tags:
        yield "tags", ", ".join(manifest.tags)
    yield from ((f"metric {name}", f"{value:.6g}") for name, value in sorted(manifest.metrics.items()))
    yield from ((name, _listed(value)) for name, value in sorted(manifest.environment.items()))
    yield from ((f"custom {name}", str(value)) for name, value in sorted(manifest.custom.items()))
    yield from _merged_by(manifest)


def _listed(value: Any) -> str:
    """A value of the environment; of a table, such as the versions, each entry."""
    return ", ".join(f"{key} {each}" for key, each in sorted(value.items())) if isinstance(value, dict) else str(value)


def _merged_by(manifest: Manifest) -> Iterator[tuple[str, str]]:
    if (merge := manifest.merge) is None:
        yield from (("merged from", str(member.ref)) for member in manifest.merged_from)
        return
    options = [f"{key} {value}" for key, value in sorted(merge.options.items()) if value is not None]
    yield "merged by", ", ".join([merge.method, *options])
    for member, weight in zip(manifest.merged_from, merge.weights, strict=True):
        yield "merged from", f"{member.ref}, weight {weight:g}"
    module, worst = merge.worst
    if worst:
        yield "merge error", f"at most {worst:.2%} of a layer's change left out, in {module}"


def _trained_by(recipe: RecipeRecord | None) -> Iterator[tuple[str, str]]:
    if recipe is None:
        return
    yield "recipe", recipe.recipe or "none"
    yield from (("override", word) for word in recipe.overrides)
    if (command := recipe.command_line) is not None:
        yield "trained by", command


def _artifact_digest(path: Path) -> str | None:
    """As the file stands; whether it is sound is what `verify` says."""
    try:
        return sha256_bytes(read_file(path / CHECKSUMS_FILE, limit=MAX_TEXT_BYTES))
    except ArtifactError:
        return None
