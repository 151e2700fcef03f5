"""Real tokens a second of training: adapterkit, TRL's SFTTrainer and transformers' Trainer on the same rows.

python benchmarks/train_throughput.py --json throughput.json        (TRL: pip install 'adapterkit[bench]')

Every contestant is a process of its own and trains two passes over the same encoded rows on the demo base in NF4 with
the same LoRA, batch, label mask and threads, and without gradient checkpointing; the second pass is timed. Tokens are
those of the rows, padding not counted. The bound is what the best large bfloat16 product of this run would reach, at
4 floating-point operations a block weight and token, and as many a head weight and label token.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reporting import write_report
from train_peers import ALPHA, DEMO, LENGTH, RANK, RATE, encoded, told, transformers, trl

_VERSIONED = ("torch", "transformers", "peft", "trl", "bitsandbytes", "accelerate", "numba")
_SIZES = (2048, 3072, 4096)


def main() -> None:
    """Run every contestant in turns, print a table, and write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64, help="paragraphs of about 140 tokens")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of adapterkit alone, within a minute")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contestant:
        print(json.dumps(CONTESTANTS[arguments.contestant](arguments.scratch, arguments.batch)))
        return
    names = [name for name in CONTESTANTS if name not in ("rows", "product")]
    if importlib.util.find_spec("trl") is None:
        print("TRL is not installed: pip install 'adapterkit[bench]'")
        names = [name for name in names if not name.startswith("TRL")]
    rounds = 1 if arguments.quick else arguments.rounds
    with tempfile.TemporaryDirectory() as scratch:
        told = child("rows", Path(scratch), 16 if arguments.quick else arguments.rows)
        measured: dict[str, list[dict[str, Any]]] = {}
        for _ in range(rounds):
            for name in ["product", *(names[:1] if arguments.quick else names), "product"]:
                measured.setdefault(name, []).append(child(name, Path(scratch), arguments.batch))
    report(told, measured, arguments)


def child(contestant: str, scratch: Path, batch: int) -> dict[str, Any]:
    """One contestant in a process of its own: what it prints as its last line."""
    command = [sys.executable, __file__, "--contestant", contestant, "--scratch", str(scratch), "--batch", str(batch)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{contestant} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def report(told: dict[str, Any], measured: dict[str, list[dict[str, Any]]], arguments: argparse.Namespace) -> None:
    """Medians over the rounds; the bound is of the best product in any of them."""
    best = max(run["flops"] for run in measured.pop("product"))
    bound = best * told["tokens"] / told["flop"]
    results = []
    for name, runs in measured.items():
        speed = statistics.median(told["tokens"] / run["seconds"] for run in runs)
        results.append({
            "contestant": name, "tokens_per_second": speed, "share_of_bound": speed / bound,
            "peak_rss_mb": statistics.median(run["rss"] for run in runs) / 1e6, "losses": runs[0]["losses"],
            "every_round": [told["tokens"] / run["seconds"] for run in runs],
        })  # fmt: skip
    print(
        f"{told['rows']} rows, {told['tokens']} tokens, {told['labels']} of them labels; batch {arguments.batch}, "
        f"LoRA r={RANK} on every linear layer\n"
        f"bound: {best / 1e12:.2f} TFLOP/s in bfloat16 are {bound:.0f} tokens/s\n\n"
        f"{'contestant':<34}{'tokens/s':>9}{'of bound':>10}{'peak MB':>9}   last loss"
    )
    for row in results:
        print(
            f"{row['contestant']:<34}{row['tokens_per_second']:>9.0f}{row['share_of_bound']:>10.0%}"
            f"{row['peak_rss_mb']:>9.0f}   {row['losses'][-1]:.4f}"
        )
    ratios = ratios_of(results)
    for name, value in ratios.items():
        print(f"{name}: {value:.3g}")
    write_report(arguments.json, [{"told": told, "flops": best, "bound": bound}, *results], ratios, _VERSIONED)


def ratios_of(results: list[dict[str, Any]]) -> dict[str, float]:
    """How many times as fast as each peer, the better of TRL's two settings counting, and what memory it took."""
    of = {row["contestant"]: row for row in results}
    own, ratios = of["adapterkit"], {"share of bound": of["adapterkit"]["share_of_bound"]}
    if peers := [row for name, row in of.items() if name.startswith("TRL")]:
        peer = max(peers, key=lambda row: row["tokens_per_second"])
        ratios["times TRL"] = own["tokens_per_second"] / peer["tokens_per_second"]
        ratios["peak memory of TRL's"] = own["peak_rss_mb"] / peer["peak_rss_mb"]
    if plain := of.get("transformers"):
        ratios["times transformers"] = own["tokens_per_second"] / plain["tokens_per_second"]
    if model := of.get("adapterkit, by the model itself"):
        ratios["times its own unfused path"] = own["tokens_per_second"] / model["tokens_per_second"]
        whole = of["adapterkit, by the model, float32"]
        ratios["loss curve: largest difference from the unfused path"] = apart(own, model)
        ratios["loss curve: largest difference from float32"] = apart(own, whole)
        ratios["loss curve: the unfused path's from float32"] = apart(model, whole)
    return ratios


def apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest difference of two curves of losses in any step, as a share."""
    return max(abs(a / b - 1) for a, b in zip(one["losses"], other["losses"], strict=True))


def rows(scratch: Path, count: int) -> dict[str, Any]:
    """Encode paragraphs of presidents once, for everybody."""
    from transformers import AutoConfig

    from adapterkit.base.load import identify, load_tokenizer
    from adapterkit.config.groups import quantization_named
    from adapterkit.config.schema import DataConfig, ModelConfig
    from adapterkit.workflows.rows import read_rows

    identity, folder = identify(ModelConfig(id=DEMO), quantization_named("nf4"))
    data = DataConfig(
        reader="presidents", train="auto", max_length=LENGTH, max_train_rows=count, max_validation_rows=1,
        max_test_rows=2, prompt="Write a paragraph of an annual address to Congress.",
    )  # fmt: skip
    taken = read_rows(data, None, load_tokenizer(identity.id, folder)).train
    encoded = [{"input_ids": list(row.input_ids), "labels": list(row.labels)} for row in taken]
    (scratch / "rows.json").write_text(json.dumps(encoded))
    config = AutoConfig.from_pretrained(folder)
    hidden, head = config.hidden_size, config.hidden_size // config.num_attention_heads
    block = hidden * (2 * hidden + 2 * config.num_key_value_heads * head + 3 * config.intermediate_size)
    tokens = sum(len(row["input_ids"]) for row in encoded)
    labels = sum(label >= 0 for row in encoded for label in row["labels"])
    flop = 4 * (config.num_hidden_layers * block * tokens + config.vocab_size * hidden * labels)
    return {"rows": len(encoded), "tokens": tokens, "labels": labels, "flop": flop}


def product(_: Path, __: int) -> dict[str, Any]:
    """The best of large products of bfloat16 matrices, FLOP/s."""
    import torch

    best = 0.0
    for size in _SIZES:
        left, right = (torch.randn(size, size).bfloat16() for _ in range(2))
        for _ in range(8):
            started = time.perf_counter()
            torch.mm(left, right)
            best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return {"flops": best}


def adapterkit(scratch: Path, batch: int, *, fused: bool = True, dtype: str = "bfloat16") -> dict[str, Any]:
    """The whole of `fit`: guard, history, progress, and a checkpoint at the end."""
    import torch

    from adapterkit.base.fingerprint import fingerprint
    from adapterkit.base.load import identify, load_base
    from adapterkit.base.quiet import quiet_libraries
    from adapterkit.config.groups import quantization_named
    from adapterkit.config.schema import AdapterConfig, ModelConfig, TrackingConfig, TrainConfig, TrainerConfig
    from adapterkit.data.template import EncodedRow
    from adapterkit.stack.adapter_stack import AdapterStack
    from adapterkit.stack.freeze_guard import FreezeGuard
    from adapterkit.training import fit as fitting
    from adapterkit.workflows.train import lora_config

    quiet_libraries()
    if not fused:
        fitting.why_not_fused = lambda _: "it is compared with"
    held = dataclasses.replace(quantization_named("nf4"), dtype=dtype, compute_dtype=dtype)
    identity, folder = identify(ModelConfig(id=DEMO), held)
    base = load_base(identity, folder, held, device=torch.device("cpu"))
    stack, before = AdapterStack(base), fingerprint(base.model)
    stack.add_trainee("contestant", lora_config(AdapterConfig(r=RANK, lora_alpha=ALPHA)), seed=0)
    config = TrainConfig(
        trainer=TrainerConfig(epochs=2, learning_rate=RATE, batch_size=batch, logging_steps=1, save_steps=1_000_000),
        tracking=TrackingConfig(tensorboard=False),
    )
    taken = [EncodedRow(tuple(row["input_ids"]), tuple(row["labels"])) for row in encoded(scratch)]
    run = Path(tempfile.mkdtemp(dir=scratch))
    guard = FreezeGuard(stack, before)
    result = fitting.fit(stack, config, taken, [], guard=guard, run=run, run_key="benchmark", resume=None)
    logged = [json.loads(line) for line in (run / "metrics_history.jsonl").read_text().splitlines()]
    at = {line["step"]: line["seconds"] for line in logged if "loss" in line}
    return told(at[result.steps] - at[result.steps // 2], [line["loss"] for line in logged if "loss" in line])


def by_the_model(scratch: Path, batch: int) -> dict[str, Any]:
    """The same batches through transformers' and PEFT's forward pass."""
    return adapterkit(scratch, batch, fused=False)


def by_the_model_in_float32(scratch: Path, batch: int) -> dict[str, Any]:
    """The same once more, where nothing but NF4 is rounded: what both curves of losses are measured against."""
    return adapterkit(scratch, batch, fused=False, dtype="float32")


CONTESTANTS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "rows": rows,
    "product": product,
    "adapterkit": adapterkit,
    "adapterkit, by the model itself": by_the_model,
    "adapterkit, by the model, float32": by_the_model_in_float32,
    "TRL": lambda scratch, batch: trl(scratch, batch, packing=False),
    "TRL, packed": lambda scratch, batch: trl(scratch, batch, packing=True),
    "transformers": transformers,
}


if __name__ == "__main__":
    main()
