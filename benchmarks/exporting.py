"""What every form of an export loses: shares of the change, and logits beside the stack's, on the demo base.

python benchmarks/exporting.py --json exporting.json

Trains `unified` and a persona on it, a few steps each, on NF4 that is computed in float32, so that what is told is what
the export did: in bfloat16 the stack itself rounds more than most forms lose. A merged model is compared over the
stack's own answers to three prompts, at every place; one adapter over the three prompts, in plain PEFT with everything
in float32. The change of so short a training is small, and its shares are larger than those of a longer one.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from reporting import write_report
from short_family import VERSIONED, stack_logits, text_logits_of, train
from transformers import AutoModelForCausalLM, AutoTokenizer

import adapterkit
from adapterkit.artifacts import Artifact
from adapterkit.merging.export.low_bit_file import restore_low_bit
from adapterkit.workflows.export import export
from adapterkit.workflows.export_request import ExportRequest

# As words of `adapterkit export`, and as what a request says.
_MODELS: Mapping[str, dict[str, Any]] = {
    "--to merged": {},
    "--to merged --dtype bfloat16": {"dtype": "bfloat16"},
    "--to merged --base-weights original": {"base_weights": "original"},
    "--to merged --quantize nf4": {"quantize": "nf4", "accept_loss": 1000.0},
}
_IN_FLOAT32 = ("quantization.dtype=float32", "quantization.compute_dtype=float32")
_ADAPTERS = ("float32", "bfloat16", "int8", "int4")
_LOW_BIT = ("int8", "int4")


def main() -> None:
    """Train, export, compare, print a table, and write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20, help="of each training")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="two steps, one form of each kind")
    arguments = parser.parse_args()
    steps = [f"trainer.max_steps={2 if arguments.quick else arguments.steps}", *_IN_FLOAT32]
    few = 1 if arguments.quick else None
    with tempfile.TemporaryDirectory() as scratch:
        where = Path(scratch)
        train(where, "unified", steps)
        made = train(where, "persona_on_unified", [*steps, "persona=lincoln"])
        results = [*models(made, where, list(_MODELS)[:few]), *adapters(made, where, _ADAPTERS[:few])]
    print(f"{'form':<34}{'MB':>8}{'worst layer':>13}{'mean':>10}{'largest':>10}{'same token':>16}{'divergence':>12}")
    for row in results:
        told = f"{row['form']:<34}{row['mb']:>8.1f}{row['lost']:>13.2%}{row['mean']:>10.2g}{row['largest']:>10.2g}"
        print(f"{told}{row['same']:>16}{row['divergence']:>12}")
    ratios = {f"{row['form']}: lost of the worst layer's change": row["lost"] for row in results}
    write_report(arguments.json, results, ratios, VERSIONED)


def models(made: Artifact, where: Path, forms: Sequence[str]) -> list[dict[str, Any]]:
    """Whole models, each measured by the export itself."""
    registry = adapterkit.Registry(where / "adapters")
    found = []
    for number, form in enumerate(forms):
        request = ExportRequest(str(made.ref), "merged", where / f"model-{number}", measure=True, **_MODELS[form])
        done = export(registry, request)
        distance = done.record.distance
        assert distance is not None
        found.append({
            "form": form, "mb": done.bytes / 1e6, "lost": done.record.losses.worst_in_storage,
            "mean": distance.mean, "largest": distance.largest,
            "same": f"{distance.agreement:.1%} of {distance.positions}", "divergence": f"{distance.divergence:.1e}",
        })  # fmt: skip
    return found


def adapters(made: Artifact, where: Path, dtypes: Sequence[str]) -> list[dict[str, Any]]:
    """One adapter that loads alone: the whole one beside the stack, the others beside the whole one."""
    registry = adapterkit.Registry(where / "adapters")
    base = adapterkit.load(made.ref, registry=registry.path).stack.base.folder
    beside = stack_logits(base, registry.lineage_artifacts(made.ref), torch.float32)
    found = []
    for dtype in dtypes:
        folder = where / f"adapter-{dtype}"
        done = export(registry, ExportRequest(str(made.ref), "hub", folder, dtype=dtype, base_id="demo/base"))
        if dtype in _LOW_BIT:
            restore_low_bit(folder, where / f"restored-{dtype}")
            folder = where / f"restored-{dtype}"
        logits = adapter_logits(base, folder)
        apart = (logits.double() - beside.double()).abs()
        found.append({
            "form": f"--to hub --dtype {dtype}", "mb": done.bytes / 1e6, "lost": done.record.losses.worst_in_storage,
            "mean": float(apart.mean()), "largest": float(apart.max()), "same": "", "divergence": "",
        })  # fmt: skip
        beside = logits if dtype == "float32" else beside
    return found


def adapter_logits(base: Path, folder: Path) -> torch.Tensor:
    """What plain PEFT makes of one folder on the base, in float32."""
    bare = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(bare, str(folder)).eval()
    return text_logits_of(model, AutoTokenizer.from_pretrained(base))


if __name__ == "__main__":
    main()
