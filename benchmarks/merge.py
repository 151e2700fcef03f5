"""Four adapters merged into one over every linear module of a 7B model: adapterkit beside PEFT.

python benchmarks/merge.py --json merge.json

Four adapters of rank 16 on the 224 linear modules of Llama 2 7B's shape, merged with equal weights into rank 16,
density 0.5. adapterkit merges all of them; every method is a process of its own, which reads the adapters from
safetensors files, and its peak memory counts all of that. PEFT merges one module of each of the three shapes with
add_weighted_adapter, with svd_full_matrices=False, its faster way: every kind on the smallest shape, on the others only
ties_svd, and the other *_svd kinds are taken to need as long there, for all of them are an SVD of the same size.
Errors are those of what each side made against its own dense merge before the rank is cut (what DARE drops differs).
PEFT has no SLERP; the nearest is its svd, a plain sum.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from merge_sides import ours, shapes, write_sources
from reporting import write_report

_VERSIONED = ("torch", "peft", "numpy", "safetensors")
# Our method, and PEFT's nearest that works on the true changes.
PAIRS = {
    "average": "svd", "weighted": "svd", "task_arithmetic": "svd", "slerp": "svd", "ties": "ties_svd",
    "dare": "dare_linear_svd", "dare_ties": "dare_ties_svd",
}  # fmt: skip
# One module of each shape.
SAMPLE = ("self_attn.q_proj", "mlp.up_proj", "mlp.down_proj")


def main() -> None:
    """Run every side, print a table, and write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default=",".join(PAIRS), help="of adapterkit; several by commas")
    parser.add_argument("--layers", type=int, default=32, help="decoder layers of seven modules")
    parser.add_argument("--hidden", type=int, default=4096)
    parser.add_argument("--inner", type=int, default=11008)
    parser.add_argument("--quick", action="store_true", help="a small model, within a minute")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--side", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(side(arguments)))
        return
    if arguments.quick:
        arguments.layers, arguments.hidden, arguments.inner = 4, 1024, 2816
        arguments.methods = "weighted,slerp,ties,dare"
    methods = arguments.methods.split(",")
    with tempfile.TemporaryDirectory() as folder:
        told = child(arguments, "write", folder)
        own = {method: child(arguments, "ours", folder, method) for method in methods}
        theirs = of_peft(arguments, folder, methods)
    report(arguments, told, own, theirs)


def side(arguments: argparse.Namespace) -> Any:
    """What a child process does."""
    kind, folder, *rest = arguments.side
    if kind == "write":
        return write_sources(Path(folder), arguments.hidden, arguments.inner, arguments.layers)
    if kind == "ours":
        return ours(Path(folder), *rest)
    from merge_peft import peft

    return peft(Path(folder), [(name, each) for name, _, each in (merge.partition("=") for merge in rest)])


def child(arguments: argparse.Namespace, *side: str) -> Any:
    """One side in a process of its own: what it prints as its last line."""
    sizes = [f"--{name}={getattr(arguments, name)}" for name in ("layers", "hidden", "inner")]
    done = subprocess.run([sys.executable, __file__, *sizes, "--side", *side], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(side)} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def of_peft(arguments: argparse.Namespace, folder: str, methods: list[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """PEFT's runs by kind and module; linear ones everywhere, since they take milliseconds."""
    kinds = dict.fromkeys(["linear", *(PAIRS[method] for method in methods)])
    wanted = [
        (name, kind)
        for kind in kinds
        for name in SAMPLE
        if kind in ("linear", "ties_svd") or name == SAMPLE[0] or "ties_svd" not in kinds
    ]
    runs = child(arguments, "peft", folder, *(f"model.layers.0.{name}={kind}" for name, kind in wanted))
    found: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in kinds}
    for (name, kind), run in zip(wanted, runs, strict=True):
        found[kind][name] = run
    return found


def report(
    arguments: argparse.Namespace,
    told: dict[str, Any],
    own: dict[str, dict[str, Any]],
    theirs: dict[str, dict[str, dict[str, Any]]],
) -> None:
    """One line a method."""
    count = arguments.layers * len(shapes(arguments.hidden, arguments.inner))
    print(
        f"4 adapters of rank 16 ({told['parameters'] / 1e6:.0f} M parameters each), {count} modules, hidden size "
        f"{arguments.hidden} and {arguments.inner}, to rank 16, density 0.5\n\n"
        f"{'':<17}{'adapterkit':^43}{'PEFT':^48}\n"
        f"{'method':<17}{'all s':>8}{'3 modules s':>13}{'error':>8}{'peak MB':>9}     "
        f"{'kind':<17}{'3 modules s':>12}{'all s':>9}{'error':>8}{'times':>8}"
    )
    results, ratios = [], {}
    for method, run in own.items():
        row = compared(arguments.layers, method, run, theirs)
        results.append(row)
        print(
            f"{method:<17}{row['seconds']:>8.1f}{row['sample_seconds']:>13.3f}{row['error']:>8.4f}{row['peak_mb']:>9.0f}"
            f"     {row['peft_kind']:<17}{row['peft_sample_seconds']:>12.1f}{row['peft_seconds']:>9.0f}"
            f"{row['peft_error']:>8.4f}{row['times']:>8.0f}"
        )
        ratios |= {f"{method}: times PEFT": row["times"], f"{method}: error, of PEFT's": row["error_of_peft"]}
    linear = theirs["linear"].values()
    errors = ", ".join(f"{run['error']:.0%}" for run in linear)
    print(f"\nPEFT's linear, on A and B alone: {sum(run['seconds'] for run in linear):.3f} s, off by {errors}")
    shown = [run for runs in theirs.values() for run in runs.values()]
    print(f"PEFT's peak memory: {max(run['peak_mb'] for run in shown):.0f} MB, one module at a time")
    write_report(arguments.json, [told, *results, *shown], ratios, _VERSIONED)


def compared(
    layers: int, method: str, run: dict[str, Any], theirs: dict[str, dict[str, dict[str, Any]]]
) -> dict[str, Any]:
    """Seconds of both sides on the sampled modules and on all; errors on those that both merged."""
    kind = PAIRS[method]
    # As many modules as there are of each shape: four of q's, two of up's, one of down's.
    share = dict(zip(SAMPLE, (4, 2, 1), strict=True))
    long = theirs.get("ties_svd", {})
    seconds = {name: theirs[kind].get(name, long.get(name, {})).get("seconds", float("nan")) for name in SAMPLE}
    names = {name: f"model.layers.0.{name}" for name in SAMPLE}
    sample = sum(run["modules"][full] for full in names.values())
    both = [name for name in SAMPLE if name in theirs[kind]]
    error, peft_error = (
        sum(values) / len(both)
        for values in (
            [run["errors"][names[name]] for name in both],
            [theirs[kind][name]["error"] for name in both],
        )
    )
    return {
        "method": method, "seconds": run["seconds"], "sample_seconds": sample, "error": error,
        "peak_mb": run["peak_mb"], "peft_kind": kind, "peft_sample_seconds": sum(seconds.values()),
        "peft_seconds": layers * sum(share[name] * seconds[name] for name in SAMPLE), "peft_error": peft_error,
        "times": sum(seconds.values()) / sample, "error_of_peft": error / peft_error, "errors": run["errors"],
    }  # fmt: skip


if __name__ == "__main__":
    main()
