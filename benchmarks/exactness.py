"""What a stack loses when it is flattened, stored in fewer bits, merged into its base or blended: on the demo base.

python benchmarks/exactness.py --json exactness.json

Trains `unified` on the attention of the demo base, and on top of it one child of the default preset and one rsLoRA of a
rank and an alpha that are no powers of two, a few steps each. Differences are the largest between logits of three
prompts. A truth is the stack in plain PEFT with everything in float64; transformers computes norms in float32 whatever
the dtype, and these round small differences away.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from reporting import write_report
from short_family import VERSIONED, apart, session_logits, stack_logits, stacked, train

import adapterkit
from adapterkit.artifacts import Artifact
from adapterkit.evaluation.parity import decode_parity

_CHILDREN = {
    "child: default preset": ["name=child_default"],
    "child: rsLoRA r6, alpha 7": [
        "name=child_rslora",
        "adapter.use_rslora=true",
        "adapter.r=6",
        "adapter.lora_alpha=7",
    ],
}
_BLENDS = 1000


def main() -> None:
    """Train, compare, print a table, and write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20, help="of each training")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="two steps, one child")
    arguments = parser.parse_args()
    steps = [f"trainer.max_steps={2 if arguments.quick else arguments.steps}"]
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        where = Path(scratch)
        train(where, "unified", [*steps, "adapter.target_modules=[attention]"])
        for told, words in list(_CHILDREN.items())[: 1 if arguments.quick else None]:
            made = train(where, "persona_on_unified", [*steps, *words, "persona=lincoln", "adapter.lora_dropout=0"])
            results += [
                {"stack": told, **row} for row in [*flattened(made, where), *live(made, where), *merged(made, where)]
            ]
    print(f"{'stack':<28}{'what':<72}{'value':>12}")
    for row in results:
        print(f"{row['stack']:<28}{row['what']:<72}{row['value']:>12.3g}")
    ratios = {f"{row['stack']}, {row['what']}": row["value"] for row in results}
    write_report(arguments.json, results, ratios, VERSIONED)


def flattened(made: Artifact, where: Path) -> list[dict[str, Any]]:
    """A stack and what becomes of it as one plain LoRA, all in plain PEFT."""
    registry = adapterkit.Registry(where / "adapters")
    members = registry.lineage_artifacts(made.ref)
    base = adapterkit.load(made.ref, registry=registry.path).stack.base.folder
    flat = {
        dtype: adapterkit.flatten_stack(made.ref, registry=registry.path, name=f"{made.ref.name}_{dtype}", dtype=dtype)
        for dtype in ("float64", "float32", "bfloat16")
    }
    here = session_logits(adapterkit.load(made.ref, registry=registry.path, quantization="fp32"))
    truth, single = (stack_logits(base, members, dtype) for dtype in (torch.float64, torch.float32))
    exact = stack_logits(base, [flat["float64"]], torch.float64)
    alone = stack_logits(base, [flat["float32"]], torch.float32)
    rounded = stack_logits(base, [flat["bfloat16"]], torch.float32)
    return [
        told("the stack in adapterkit, in float32, from the stack in plain PEFT", apart(here, single)),
        told("flattened, in float64, from the stack in float64", apart(exact, truth)),
        told("the stack in float32 from the stack in float64", apart(single, truth)),
        told("flattened, in float32, from the stack in float32", apart(alone, single)),
        told("flattened, stored in bfloat16, from the stack in float32", apart(rounded, single)),
        told("parameters, flattened", flat["float32"].manifest.adapter.parameters),
        told("parameters, by PEFT's cat", parameters_of_cat(base, members)),
    ]


def live(made: Artifact, where: Path) -> list[dict[str, Any]]:
    """The same stack in a session: parity, and blends."""
    session = adapterkit.load(made.ref, registry=where / "adapters")
    stack, tokenizer = session.stack, session.tokenizer
    started = time.perf_counter()
    found = decode_parity(stack, tokenizer)
    proving = time.perf_counter() - started
    before = session_logits(session)
    started = time.perf_counter()
    for weight in range(_BLENDS):
        session.blend("additive", [1.0, weight / _BLENDS])
    blending = (time.perf_counter() - started) / _BLENDS
    session.blend()
    return [
        told("child without its change, from its parent", found.zero.largest),
        told("child, from its parent: largest difference of a logit", found.child.largest),
        told("child, from its parent: share of places with the same next token", found.child.agreement),
        told("seconds of that comparison", proving),
        told("blended a thousand times and back", apart(session_logits(session), before)),
        told("milliseconds of a change of blend", 1e3 * blending),
    ]


def merged(made: Artifact, where: Path) -> list[dict[str, Any]]:
    """Into a base that is not quantized, and back."""
    found = []
    for held in ("fp32", "bf16"):
        session = adapterkit.load(made.ref, registry=where / "adapters", quantization=held)
        before = session_logits(session)
        losses = session.stack.merge()
        session.stack.unmerge()
        found += [
            told(f"merged into a base in {held}: share of a layer's change lost, largest", max(losses.values())),
            told(f"merged into a base in {held} and back, from before", apart(session_logits(session), before)),
        ]
    return found


def parameters_of_cat(base: Path, members: Sequence[Artifact]) -> int:
    """How many weights PEFT's own concatenation has."""
    model = stacked(base, members, torch.float32)
    names = list(model.peft_config)
    model.add_weighted_adapter(names, [1.0] * len(names), "cat", combination_type="cat")
    return sum(weight.numel() for name, weight in model.named_parameters() if ".cat." in name)


def told(what: str, value: float) -> dict[str, Any]:
    """A line of the table."""
    return {"what": what, "value": float(value)}


if __name__ == "__main__":
    main()
