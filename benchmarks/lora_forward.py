"""What LoRA itself costs in a forward pass, preset by preset, at hidden size 768: PEFT's layers beside the fused ones.

python benchmarks/lora_forward.py --json lora_forward.json

One decoder layer of a Llama's shape in training mode: 12 heads, an MLP of 2,048, adapters in float32 on frozen
weights in bfloat16. PEFT: the time of each adapted layer less that of its own base layer. Fused: the time of the
decoder layer's forward pass, with the rounding of its adapters that each begins with, less that of the same without
adapters. Both in one run, in turns, summed over the decoder layer and divided by its layers with an adapter.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from reporting import write_report
from transformers import LlamaConfig, LlamaForCausalLM

from adapterkit import presets
from adapterkit.base.load import Base
from adapterkit.config.schema import AdapterConfig
from adapterkit.lineage import BaseIdentity
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.training.fused.block import PlainStack
from adapterkit.training.fused.rows import Rows
from adapterkit.training.fused.tiles.choice import tile_stack
from adapterkit.workflows.train import lora_config

_VERSIONED = ("torch", "transformers", "peft")
_HIDDEN, _INNER, _HEADS = 768, 2048, 12
_TRAINEE = "0_top"
# Tokens of a row.
_ROW = 32


def main() -> None:
    """Measure, print a table, and write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", default="128,512", help="of all rows together; several by commas")
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="few rounds, within a minute")
    arguments = parser.parse_args()
    rounds = 7 if arguments.quick else 101
    results = [
        measured(preset, int(tokens), getattr(torch, arguments.dtype), rounds)
        for tokens in arguments.tokens.split(",")
        for preset in presets.adapters()
    ]
    print(f"{'preset':<12}{'rank':>5}{'layers':>8}{'tokens':>8}{'PEFT us':>10}{'fused us':>10}   of PEFT, a layer")
    for row in results:
        print(
            f"{row['preset']:<12}{row['rank']:>5}{row['modules']:>8}{row['tokens']:>8}{row['peft_us']:>10.1f}"
            f"{row['fused_us']:>10.1f}   {row['ratio']:.0%}"
        )
    ratios = {f"{row['preset']}, {row['tokens']} tokens": row["ratio"] for row in results}
    write_report(arguments.json, results, ratios, _VERSIONED)


@torch.no_grad()
def measured(preset: presets.AdapterPreset, tokens: int, dtype: torch.dtype, rounds: int) -> dict[str, Any]:
    """One preset: medians over the rounds of what each side takes more than its products without adapters."""
    decoder = adapted_layer(preset, dtype)
    peft = [layer for layer in decoder.modules() if isinstance(layer, LoraLayer)]
    draw = torch.Generator().manual_seed(0)
    inputs = {size: torch.randn(tokens, size, generator=draw).to(dtype) for size in (_HIDDEN, _INNER)}

    def of_peft(layers: list[Any]) -> Callable[[], None]:
        pairs = [(layer, inputs[layer.in_features][None]) for layer in layers]
        return lambda: [layer(x) for layer, x in pairs] and None

    def fused(trainee: str) -> Callable[[], None]:
        given = [decoder], torch.zeros(64, _HIDDEN, dtype=dtype), [], trainee
        stack = tile_stack(*given) or PlainStack(*given)
        count = stack.rounded(tokens)
        rotation = torch.ones(count, _HIDDEN // _HEADS, dtype=dtype)
        rows = Rows(count // _ROW, _ROW, torch.arange(count), rotation, rotation, _HEADS, _HEADS)
        x = torch.randn(count, _HIDDEN, generator=draw).to(dtype)

        def run() -> None:
            stack(x, rows)

        return run

    sides = (of_peft(peft), of_peft([layer.get_base_layer() for layer in peft]), fused(_TRAINEE), fused("nobody"))
    took = interleaved(sides, rounds)
    more = [statistics.median(a - b for a, b in zip(took[i], took[i + 1], strict=True)) for i in (0, 2)]
    theirs, ours = (seconds / len(peft) * 1e6 for seconds in more)
    facts = {"preset": preset.name, "rank": preset.r, "dropout": preset.lora_dropout, "tokens": tokens}
    return {**facts, "modules": len(peft), "peft_us": theirs, "fused_us": ours, "ratio": ours / theirs}


def adapted_layer(preset: presets.AdapterPreset, dtype: torch.dtype) -> Any:
    """A decoder layer with the preset's adapters on it."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=_HIDDEN, intermediate_size=_INNER, num_hidden_layers=1, num_attention_heads=_HEADS
    )
    model: Any = LlamaForCausalLM(config).to(dtype).requires_grad_(False)
    identity = BaseIdentity("random", None, "0" * 64, {"kind": "none"})
    stack = AdapterStack(Base(model, None, identity, Path()))  # type: ignore[arg-type]
    targets = preset.target_modules
    shape = AdapterConfig(
        r=preset.r, lora_alpha=preset.lora_alpha, lora_dropout=preset.lora_dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
    )  # fmt: skip
    stack.add_trainee("top", lora_config(shape), seed=0)
    stack.model.train()
    assert stack.trainee.peft_name == _TRAINEE
    return model.model.layers[0]


def interleaved(functions: tuple[Callable[[], None], ...], rounds: int) -> list[list[float]]:
    """Seconds of each function in each round, after three rounds that do not count; all take turns."""
    took: list[list[float]] = [[] for _ in functions]
    for number in range(rounds + 3):
        for times, function in zip(took, functions, strict=True):
            started = time.perf_counter()
            function()
            if number >= 3:
                times.append(time.perf_counter() - started)
    return took


if __name__ == "__main__":
    main()
