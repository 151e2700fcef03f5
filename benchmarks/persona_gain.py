"""What a persona adds to the unified adapter: paired test loss on addresses or scenes never trained on.

python benchmarks/persona_gain.py --data presidents --personas lincoln,reagan,obama --json gain.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from reporting import write_report

from adapterkit import Registry

_VERSIONED = ("torch", "transformers", "peft", "bitsandbytes")


def main() -> None:
    """Train the personas on one unified adapter and print the paired change of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="presidents")
    parser.add_argument("--personas", default="lincoln,reagan,obama")
    parser.add_argument("--registry", type=Path, help="kept and used again; a temporary one when not given")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="one step each: shows that it runs, not what is gained")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        registry = arguments.registry or Path(scratch) / "adapters"
        train(arguments.data, arguments.personas, registry.resolve(), Path(scratch), quick=arguments.quick)
        results = [measured(registry, persona) for persona in arguments.personas.split(",")]
    print(f"{'persona':<28}{'unified':>9}{'persona':>9}{'change':>9}   95 % interval          rows")
    for row in results:
        print(
            f"{row['persona']:<28}{row['before']:>9.3f}{row['after']:>9.3f}{row['change']:>+9.3f}   "
            f"{row['ci95_low']:+.3f} .. {row['ci95_high']:+.3f}{row['rows']:>12}"
        )
    ratios = {row["persona"]: row["after"] / row["before"] for row in results}
    write_report(arguments.json, results, ratios, _VERSIONED)


def train(data: str, personas: str, registry: Path, where: Path, *, quick: bool) -> None:
    """Run the unified recipe, then the sweep over personas, as a user would."""
    door = [sys.executable, "-m", "adapterkit.train"]
    shared = [f"data={data}", f"registry={registry}"]
    few = ["trainer.max_steps=1", "data.max_train_rows=4", "data.max_test_rows=4"] if quick else []
    subprocess.run([*door, "+recipe=unified", *shared, *few], check=True, cwd=where)
    sweep = [*door, "-m", "+recipe=persona_on_unified", f"persona={personas}", *shared, *few]
    subprocess.run(sweep, check=True, cwd=where)


def measured(registry: Path, persona: str) -> dict[str, float | str]:
    """The test metrics that a persona was published with."""
    folder = Registry(registry).resolve(f"persona_{persona}").path
    return {"persona": persona, **json.loads((folder / "test_metrics.json").read_text("utf-8"))}


if __name__ == "__main__":
    main()
