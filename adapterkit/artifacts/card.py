"""README.md of an artifact: what it is, how to load it here and in plain PEFT, what it came from."""

from __future__ import annotations

import json
from collections.abc import Iterator

from adapterkit.artifacts.snippets import as_text, fenced, held_lines, load_call, peft_lines
from adapterkit.manifest import Manifest
from adapterkit.texts import counted

_HELD = """\
The training held the base in {kind}. On the base in float32, as above, answers differ, and what a short training taught
may be lost. To hold it as the training did, put these lines in the place of `base = ...`:"""


def render_card(manifest: Manifest, *, registry: str, base_location: str) -> str:
    """The model card of an artifact, with Hugging Face front matter.

    Args:
        manifest: the artifact's manifest.
        registry: the registry's path, as the examples shall write it.
        base_location: what `AutoModelForCausalLM.from_pretrained` takes to load the base.

    Returns:
        Markdown; its one python block under "Load it in plain PEFT" runs as it stands.
    """
    sections = (
        _front_matter(manifest),
        f"# {manifest.ref}",
        manifest.description,
        _summary(manifest),
        *_told(manifest),
        *_made(manifest),
        "## Load it in adapterkit",
        _adapterkit_block(manifest, registry),
        "## Load it in plain PEFT",
        *_peft_section(manifest, registry, base_location),
        "## What it was trained on",
        _data(manifest),
        "## Metrics",
        _metrics(manifest),
        "## Lineage",
        _lineage(manifest),
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(manifest: Manifest) -> str:
    tags = dict.fromkeys(["adapterkit", "lora", *manifest.tags])
    return "\n".join(
        [
            "---",
            f"base_model: {json.dumps(manifest.base.identity.id)}",
            "library_name: peft",
            "tags:",
            *(f"  - {json.dumps(tag)}" for tag in tags),
            "---",
        ]
    )


def _summary(manifest: Manifest) -> str:
    shape = manifest.adapter
    ancestors = " and ".join(f"`{member.ref}`" for member in manifest.lineage.parents)
    stacked = f", stacked on {ancestors}" if ancestors else ""
    return (
        f"A {shape.variant} adapter of rank {shape.rank} ({counted(shape.parameters, 'parameter')}) "
        f"for `{manifest.base.identity.id}`{stacked}."
    )


def _told(manifest: Manifest) -> Iterator[str]:
    """What it is for, and the fields of whoever trained it."""
    if manifest.intended_use:
        yield f"**Intended use:** {manifest.intended_use}"
    if manifest.custom:
        rows = [f"| {_cell(name)} | {_cell(as_text(value))} |" for name, value in sorted(manifest.custom.items())]
        yield "\n".join(["| field | value |", "|---|---|", *rows])


def _made(manifest: Manifest) -> Iterator[str]:
    """How it came about, where nobody trained it."""
    merge = manifest.merge
    if merge is None:
        return
    yield "## How it came about"
    how = ", ".join(f"{name} {as_text(value)}" for name, value in sorted(merge.options.items()) if value is not None)
    yield f"Nobody trained it: it was made by `{merge.method}`{f' ({how})' if how else ''} from:"
    rows = zip(manifest.merged_from, merge.weights, strict=True)
    yield "\n".join(
        ["| adapter | weight |", "|---|---|", *(f"| `{member.ref}` | {weight:g} |" for member, weight in rows)]
    )
    layer, worst = merge.worst
    if worst > 0.0:
        yield (
            f"The limit on the rank left something out: at most {worst:.2%} of a layer's change (Frobenius norm), in "
            f"`{layer}`. `training_metrics.json` has every layer's."
        )
    elif merge.errors:
        yield "No limit on the rank left anything out."


def _adapterkit_block(manifest: Manifest, registry: str) -> str:
    return fenced(
        "python",
        [
            "import adapterkit",
            "",
            f"session = {load_call(manifest.ref, registry)}",
            'print(session.generate("Write one paragraph about the year ahead."))',
        ],
    )


def _peft_section(manifest: Manifest, registry: str, base_location: str) -> Iterator[str]:
    parents = manifest.lineage.parents
    if parents:
        needed = ", ".join(f"`{member.ref}`" for member in parents)
        yield (
            f"**This adapter needs its parents ({needed}).** Loaded alone it runs without any error and is silently "
            "another model. Load every member of the lineage, root first, and activate all of them:"
        )
    yield fenced("python", [*peft_lines(manifest.lineage.members, registry, base_location), *_GENERATE])
    quantization = manifest.base.identity.quantization
    if (kind := quantization.get("kind")) in ("nf4", "int8"):
        yield _HELD.format(kind=kind)
        yield fenced("python", held_lines(quantization))


_GENERATE = (
    "",
    'messages = [{"role": "user", "content": "Write one paragraph about the year ahead."}]',
    "inputs = tokenizer.apply_chat_template(",
    '    messages, add_generation_prompt=True, return_tensors="pt", return_dict=True',
    ")",
    "with torch.no_grad():",
    "    output = model.generate(**inputs, max_new_tokens=100, do_sample=False)",
    'print(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))',
)


def _data(manifest: Manifest) -> str:
    data = manifest.data
    if data.rows == 0:
        return f"`{data.source}`."
    size = f"{counted(data.rows, 'row')}, {counted(data.tokens, 'token')}"
    return f"`{data.source}`: {size} (data digest `{data.digest[:12]}`).{_start(manifest)}"


def _start(manifest: Manifest) -> str:
    if manifest.started_from is None:
        return ""
    return (
        f" It went on from the weights of an earlier version of `{manifest.name}` (weights digest "
        f"`{manifest.started_from[:12]}`), which learnt from rows of its own."
    )


def _metrics(manifest: Manifest) -> str:
    if not manifest.metrics:
        return "None were measured."
    rows = [f"| {_cell(name)} | {value:.6g} |" for name, value in sorted(manifest.metrics.items())]
    return "\n".join(["| metric | value |", "|---|---|", *rows])


def _lineage(manifest: Manifest) -> str:
    base = manifest.base.identity
    kind = base.quantization.get("kind", "none")
    lines = [f"1. base `{base.id}`, source digest `{base.source_digest}`, quantization `{kind}`"]
    lines += [
        f"{position}. `{member.ref}`, weights digest `{member.weights_digest}`"
        for position, member in enumerate(manifest.lineage.members, start=2)
    ]
    lines += [
        f"- merged from `{member.ref}`, weights digest `{member.weights_digest}`" for member in manifest.merged_from
    ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
