"""README.md of an export: what it is made of, what that cost, and how to load it; a model card on the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from adapterkit.artifacts import as_text
from adapterkit.manifest import Manifest
from adapterkit.merging.export.record import ExportRecord, is_public
from adapterkit.texts import counted

README_FILE = "README.md"


def readme(record: ExportRecord, title: str, load: Sequence[str], *, told: Sequence[str] = ()) -> str:
    """Markdown with Hugging Face front matter.

    Args:
        record: of the export.
        title: its heading.
        load: paragraphs and code on how to load it.
        told: further paragraphs, above that.
    """
    top = record.members[-1].manifest
    sections = (
        _front_matter(record, top),
        f"# {title}",
        top.description,
        f"**Intended use:** {top.intended_use}" if top.intended_use else "",
        *told,
        "## How to load it",
        *load,
        *_held_otherwise(record),
        "## What it is made of",
        *_made(record),
        "## What it was trained on",
        *_data(record),
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(record: ExportRecord, top: Manifest) -> str:
    whole = record.form == "merged"
    tags = dict.fromkeys(["adapterkit", "merged" if whole else "lora", *top.tags])
    # A name that the hub does not know would make the card invalid there.
    public = record.base_name != record.base.id or is_public(record.base)
    on_hub = public and ":" not in record.base_name and record.base_name.count("/") <= 1
    return "\n".join(
        [
            "---",
            *([f"base_model: {json.dumps(record.base_name)}"] if on_hub else []),
            f"library_name: {'transformers' if whole else 'peft'}",
            "pipeline_tag: text-generation",
            "tags:",
            *(f"  - {json.dumps(tag)}" for tag in tags),
            "---",
        ]
    )


def _held_otherwise(record: ExportRecord) -> Iterator[str]:
    """What to know before the base is held in another form than in training, as most programs do."""
    if record.learnt_on is not None:
        yield (
            f"It learnt on this base held as `{record.learnt_on}`. On another form of the base, whole or of another "
            "quantization, answers differ, and what a short training taught may be lost. The weights that it learnt on "
            "are those of `adapterkit export REF --to merged`."
        )


def _made(record: ExportRecord) -> Iterator[str]:
    base = record.base
    how = ", ".join(f"{name} {as_text(value)}" for name, value in sorted(record.options.items()) if value is not None)
    yield (
        f"adapterkit wrote it (`--to {record.form}`{f'; {how}' if how else ''}) on the base `{record.base_name}` "
        f"(source digest `{base.source_digest[:12]}`, held in training as `{base.quantization.get('kind', 'none')}`), "
        f"{record.blend.kind}, from:"
    )
    rows = [f"| `{row['ref']}` | `{row['weights_digest'][:12]}` | {row['weight']:g} |" for row in record.rows]
    yield "\n".join(["| adapter | weights digest | weight |", "|---|---|---|", *rows])
    yield from _costs(record)
    yield "`export.json` has all of it in full, by layer, and the sha256 of every file."


def _costs(record: ExportRecord) -> Iterator[str]:
    losses = record.losses
    if losses.worst_by_rank:
        yield f"The limit on the rank left out at most {losses.worst_by_rank:.2%} of a layer's change (Frobenius norm)."
    if losses.worst_in_storage:
        yield f"Storage took at most {losses.worst_in_storage:.2g} of a layer's change (Frobenius norm)."
    if (found := record.distance) is not None:
        yield (
            f"Beside the stack, over {counted(found.positions, 'place')}: logits differ by {found.mean:.3g} on average "
            f"and {found.largest:.3g} at most, the next token is the same at {found.agreement:.1%} of the places, the "
            f"divergence is {found.divergence:.3g} nats, and a token of the stack's own answers costs "
            f"{found.nats_after:.3f} nats instead of {found.nats_before:.3f}."
        )


def _data(record: ExportRecord) -> Iterator[str]:
    rows = []
    for member in record.members:
        data = member.manifest.data
        size = f"{data.rows:,} | {data.tokens:,}" if data.rows else "- | -"
        rows.append(f"| `{member.ref}` | {size} | `{data.digest[:12]}` |")
    yield "\n".join(["| adapter | rows | tokens | data digest |", "|---|---|---|---|", *rows])
    if metrics := record.members[-1].manifest.metrics:
        yield f"Measured when `{record.members[-1].ref}` was published:"
        cells = [f"| {name} | {value:.6g} |" for name, value in sorted(metrics.items())]
        yield "\n".join(["| metric | value |", "|---|---|", *cells])
