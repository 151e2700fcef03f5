"""How long `list`, `status` and the like take, as whole processes, in a registry of many adapters.

python benchmarks/registry.py --adapters 10000 --json registry.json
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from reporting import seconds_of_process, write_report
from safetensors.numpy import save_file

from adapterkit import Registry
from adapterkit.artifacts import ArtifactDraft, pretty_json, write_checksums
from adapterkit.base.source_digest import source_digest
from adapterkit.config.asked import sources_now
from adapterkit.digest import sha256_file
from adapterkit.lineage import BaseIdentity
from adapterkit.manifest import (
    ADAPTER_CONFIG_FILE,
    CHECKSUMS_FILE,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    BaseRecord,
    DataRecord,
    RecipeRecord,
)
from adapterkit.training.run_key import TRAINING_SCHEMA

# How the base is held, as its identity records it.
_HELD = {"kind": "nf4", "dtype": "bfloat16", "compute_dtype": "bfloat16", "double_quant": True}
VERBS = (["list"], ["status"], ["history", "persona_7"], ["promote", "persona_7"], ["verify", "persona_7"])


def main() -> None:
    """Build a family and time the verbs over it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapters", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="500 adapters, three runs")
    arguments = parser.parse_args()
    count, runs = (500, 3) if arguments.quick else (arguments.adapters, arguments.runs)
    with tempfile.TemporaryDirectory() as scratch:
        registry = Path(scratch) / "adapters"
        build_family(registry, count, Path(scratch))
        # Through one import: how the command is installed does not matter here.
        command = [sys.executable, "-m", "adapterkit"]
        bare = seconds_of_process([*command, "--help"], runs=runs)[1]
        results = []
        for verb in VERBS:
            low, median, high = seconds_of_process([*command, *verb, "--registry", str(registry)], runs=runs)
            results.append({"verb": " ".join(verb), "adapters": count, "min": low, "median": median, "max": high})
            print(f"{' '.join(verb):<22}{count:>7} adapters  median {median:6.3f} s  ({low:.3f} .. {high:.3f})")
    print(f"{'--help':<22}{'':>7}           median {bare:6.3f} s")
    ratios = {f"{row['verb']} / --help": float(row["median"]) / bare for row in results}
    write_report(arguments.json, results, ratios, ["numpy", "rich", "typer"])


def build_family(registry: Path, count: int, scratch: Path) -> None:
    """One unified adapter and personas on it: two are published, the rest are copies under names of their own."""
    shelf = Registry(registry)
    base = BaseIdentity(str(_base(scratch / "base")), None, source_digest(scratch / "base"), _HELD)
    unified = shelf.publish(_draft("unified", base, (), scratch))
    template = shelf.publish(_draft("persona_0", base, unified.manifest.lineage.members, scratch))
    plain = template.manifest.to_json()
    for number in range(1, count - 1):
        name = f"persona_{number}"
        folder = registry / name / "1.0.0"
        shutil.copytree(template.path, folder)
        lineage = [*plain["lineage"][:-1], {**plain["lineage"][-1], "ref": f"{name}@1.0.0"}]
        recipe = {**plain["recipe"], "overrides": [f"persona={number}"]}
        own = {**plain, "name": name, "lineage": lineage, "recipe": recipe}
        (folder / MANIFEST_FILE).write_bytes(pretty_json(own, MANIFEST_FILE))
        (folder / CHECKSUMS_FILE).unlink()
        write_checksums(folder)


def _base(folder: Path) -> Path:
    folder.mkdir()
    save_file({"weight": np.zeros((64, 64), dtype=np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}", encoding="utf-8")
    return folder


def _draft(name: str, base: BaseIdentity, parents: tuple, scratch: Path) -> ArtifactDraft:
    folder = scratch / name
    folder.mkdir()
    chats = scratch / "chats.jsonl"
    chats.write_text('{"messages": []}\n', encoding="utf-8")
    draw = np.random.default_rng(len(name))
    modules = [f"base_model.model.model.layers.{layer}.self_attn.q_proj" for layer in range(4)]
    tensors = {}
    for module in modules:
        tensors[f"{module}.lora_A.weight"] = draw.standard_normal((4, 64)).astype(np.float32)
        tensors[f"{module}.lora_B.weight"] = draw.standard_normal((64, 4)).astype(np.float32)
    save_file(tensors, folder / WEIGHTS_FILE)
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}
    (folder / ADAPTER_CONFIG_FILE).write_text(json.dumps(config), encoding="utf-8")
    files = ["train", "recipe/persona_on_unified", "adapter/persona", "trainer/persona", "data/chat"]
    parent = "unified" if parents else None
    return ArtifactDraft(
        name=name,
        adapter_dir=folder,
        parents=parents,
        base=BaseRecord(base, "c" * 64, "c" * 64, 1325),
        base_location=base.id,
        data=DataRecord("chats.jsonl", "d" * 64, 96, 12_000, {f"file:{chats}": sha256_file(chats)}),
        run_key="e" * 64,
        training_config=f"name: {name}\n",
        training_metrics={},
        metrics={"train_loss": 3.25, "test_loss": 3.5, "seconds": 120.0},
        environment={"seed": 0, "threads": 2, "versions": {"torch": "2.13.0", "peft": "0.21.2"}},
        description="A persona.",
        tags=("persona",),
        recipe=RecipeRecord(
            recipe="persona_on_unified",
            overrides=(),
            config_dir=None,
            sources=sources_now(files, None),
            parent=parent,
            settings="f" * 64,
            rows="f" * 64,
            persona=None,
            schema=TRAINING_SCHEMA,
        ),
    )


if __name__ == "__main__":
    main()
