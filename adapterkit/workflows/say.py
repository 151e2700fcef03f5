"""What a training tells the person who started it, when it is through."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from adapterkit.artifacts.read import Artifact
from adapterkit.evaluation.paired import PairedChange
from adapterkit.manifest import BaseRecord
from adapterkit.names import peft_name
from adapterkit.registry.registry import Registry

_log = logging.getLogger(__name__)


def already_there(artifact: Artifact) -> None:
    """Say that nothing had to be trained."""
    _log.info(
        "%s was trained from exactly this base, data and config, and verifies: nothing to do. force=true trains anyway",
        artifact.manifest.ref,
    )


def published(
    artifact: Artifact,
    registry: Registry,
    parents: Sequence[Artifact],
    base: BaseRecord,
    test: PairedChange | None,
    base_folder: Path,
) -> None:
    """Say where the adapter is, what it changed, and how to load it."""
    manifest = artifact.manifest
    lines = ["", f"Published {manifest.ref}: {artifact.path}", f"  lineage        {manifest.lineage}"]
    lines.append(f"  base unchanged {base.tensors} tensors compared before and after, bit for bit")
    if test is not None:
        lines.append(
            f"  test loss      {test.before:.3f} -> {test.after:.3f} nats a token; change a row {test.change:+.3f}, "
            f"95 % interval {test.ci95_low:+.3f} .. {test.ci95_high:+.3f}, {test.rows} rows"
        )
    lines += ["", "Load it:", *_adapterkit_lines(artifact, registry)]
    lines += ["or in plain PEFT:", *_peft_lines([*parents, artifact], base_folder)]
    _log.info("\n".join(lines))


def _adapterkit_lines(artifact: Artifact, registry: Registry) -> list[str]:
    return [
        "    import adapterkit",
        f'    adapterkit.load("{artifact.manifest.ref}", registry="{registry.path}").generate("...")',
    ]


def _peft_lines(members: Sequence[Artifact], base_folder: Path) -> list[str]:
    names = [peft_name(index, member.manifest.name) for index, member in enumerate(members)]
    first, *rest = zip(members, names, strict=True)
    lines = [
        f'    model = AutoModelForCausalLM.from_pretrained("{base_folder}", dtype=torch.float32)',
        f'    model = PeftModel.from_pretrained(model, "{first[0].path}", adapter_name="{first[1]}")',
        *(f'    model.load_adapter("{member.path}", adapter_name="{name}")' for member, name in rest),
    ]
    if rest:
        quoted = ", ".join(f'"{name}"' for name in names)
        lines.append(f"    model.base_model.set_adapter([{quoted}], inference_mode=True)")
    return lines
