"""How far off the estimates are: small trainings, each in a process of its own, beside what was foreseen.

python benchmarks/estimate.py --quick --json estimate.json

Parameters and bytes of the weights must be equal; the artifact within 1 %, memory within 15 %, the time that is told
after ten steps within 30 %. Each setting trains the demo's base for 14 steps: half a minute on two free cores.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from reporting import write_report

from adapterkit import Registry

_VERSIONED = ("torch", "transformers", "peft", "bitsandbytes")
_FEW = ("data.max_train_rows=48", "data.max_validation_rows=8", "data.max_test_rows=8", "trainer.max_steps=14")
_ALWAYS = ("trainer.batch_size=4", "budget.max_artifact_mb=null", "force=true")
QUICK: dict[str, tuple[str, ...]] = {
    "nf4, r16": (),
    "nf4, r8 in bfloat16, dropout": ("adapter=persona", "adapter.dtype=bfloat16"),
    "bf16, attention only": ("quantization=bf16", "adapter.target_modules=[q_proj,k_proj,v_proj,o_proj]"),
    "nf4, DoRA": ("adapter.use_dora=true", "adapter.r=8"),
}
MORE: dict[str, tuple[str, ...]] = {
    "nf4, batch 16": ("trainer.batch_size=16", "data.max_train_rows=200"),
    "nf4, accumulated": ("trainer.batch_size=2", "trainer.gradient_accumulation_steps=2"),
    "nf4, checkpointing": ("trainer.gradient_checkpointing=true",),
    "nf4, EVA": ("adapter.init_lora_weights=eva",),
    "fp32": ("quantization=fp32",),
    "int8": ("quantization=int8",),
}
_COLUMNS = {"parameters": 11, "weights": 9, "artifact": 10, "memory": 8, "time": 7}
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
_UNITS = {"h": 3600, "min": 60, "s": 1}


@dataclass(frozen=True)
class Seen:
    """What one training came to.

    Attributes:
        peak: bytes, the process's resident memory at its highest.
        seconds: from the run's first line to its last.
        told: seconds, as the run said after ten steps.
        parameters: trainable ones.
        weights: bytes of adapter_model.safetensors.
        artifact: bytes of the published folder.
    """

    peak: int
    seconds: float
    told: float
    parameters: int
    weights: int
    artifact: int


def main() -> None:
    """Train every setting and print predicted / measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="four settings, not all")
    arguments = parser.parse_args()
    results = []
    print(f"{'predicted / measured':<32}{'parameters':>11}{'weights':>9}{'artifact':>10}{'memory':>8}{'time':>7}")
    with tempfile.TemporaryDirectory() as scratch:
        for name, words in (QUICK if arguments.quick else QUICK | MORE).items():
            result = compared(name, ["+recipe=unified", *_FEW, *_ALWAYS, *words], Path(scratch))
            results.append(result)
            ratios = "".join(f"{result['ratios'][key]:>{width}.3f}" for key, width in _COLUMNS.items())
            print(f"{name:<32}{ratios}", flush=True)
    worst = {key: max((each["ratios"][key] for each in results), key=lambda r: abs(r - 1)) for key in _COLUMNS}
    write_report(arguments.json, results, worst, _VERSIONED)


def compared(name: str, words: list[str], where: Path) -> dict[str, Any]:
    """Foresee a training, run it, and divide."""
    command = [sys.executable, "-c", "from adapterkit.cli import main; main()", "estimate", "--json", *words]
    told = subprocess.run(command, check=True, cwd=where, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    foreseen = json.loads(told.stdout)[-1]
    seen = trained(words, where)
    ratios = {
        "parameters": foreseen["size"]["parameters"] / seen.parameters,
        "weights": foreseen["size"]["weights"] / seen.weights,
        "artifact": foreseen["size"]["artifact"] / seen.artifact,
        "memory": foreseen["memory"]["peak"] / seen.peak,
        "time": seen.told / seen.seconds,
    }
    return {"setting": name, "foreseen": foreseen, "seen": vars(seen), "ratios": ratios}


def trained(words: list[str], where: Path) -> Seen:
    """Train once, as a process, and look at what it took and left."""
    registry, run = where / "adapters", where / f"run{len(list(where.glob('run*')))}"
    command = [sys.executable, "-m", "adapterkit.train", *words, f"registry={registry}", f"hydra.run.dir={run}"]
    with subprocess.Popen(command, cwd=where, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{output}")
    artifact = Registry(registry).artifact("unified")
    folder = artifact.path
    # The clock of the run starts at its estimate, and stops when it says where the adapter is.
    lines = [line for line in (run / "train.log").read_text("utf-8").splitlines() if _STAMP.match(line)]
    start = next(line for line in lines if "Estimate: " in line)
    return Seen(
        peak=usage.ru_maxrss * 1024,
        seconds=_clock(lines[-1]) - _clock(start),
        told=_seconds(next(line for line in lines if "After 10 steps" in line)),
        parameters=artifact.manifest.adapter.parameters,
        weights=(folder / "adapter_model.safetensors").stat().st_size,
        artifact=sum(path.stat().st_size for path in folder.iterdir()),
    )


def _clock(line: str) -> float:
    return datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp()


def _seconds(line: str) -> float:
    told = line.partition("about ")[2].partition(" in all")[0]
    return float(sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+) (h|min|s)", told)))


if __name__ == "__main__":
    main()
