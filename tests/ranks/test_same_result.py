"""Ranks come to what one process comes to, whatever the rows: their gradients' sum is the gradient of the batch."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from adapterkit.config.groups import quantization_named
from adapterkit.config.schema import TrainConfig
from tests.ranks.conftest import Launches
from tests.workflows.tiny import Workshop

WEIGHTS = "adapter_model.safetensors"


def largest_difference(one: TrainConfig, other: TrainConfig) -> float:
    """Between the weights of two trainings."""
    mine, theirs = (load_file(Path(each.output_dir) / "adapter" / WEIGHTS) for each in (one, other))
    assert mine.keys() == theirs.keys()
    return max((mine[name] - theirs[name]).abs().max().item() for name in mine)


def history(config: TrainConfig) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(config.output_dir) / "metrics_history.jsonl").read_text().splitlines()]


def both(shop: Workshop, launches: Launches, count: int, **settings: Any) -> tuple[TrainConfig, TrainConfig]:
    """The same training by one process and by several ranks."""
    made = []
    for ranks in (1, count):
        config = shop.config(f"by{ranks}", lora_dropout=0.0, force=True, **settings)
        outcome = launches.run(config, ranks)
        assert set(outcome.codes) == {0}, outcome.err
        made.append(config)
    return made[0], made[1]


@pytest.mark.parametrize(
    ("count", "settings"),
    [
        # Batches of 4, 4 and 3 rows, in 2 epochs; then two batches a step, the last step of one; then a batch of one
        # row, of which a rank has none; then a rank that has fewer rows than the other in every batch.
        (2, {"batch_size": 4, "max_steps": -1, "epochs": 2}),
        pytest.param(2, {"batch_size": 4, "gradient_accumulation_steps": 2, "max_steps": 5}, marks=pytest.mark.long),
        pytest.param(2, {"batch_size": 2, "max_steps": 8}, marks=pytest.mark.long),
        pytest.param(3, {"batch_size": 5, "max_steps": 6}, marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_ranks_come_to_what_one_process_comes_to(
    shop: Workshop, launches: Launches, count: int, settings: dict[str, Any]
) -> None:
    settings = {"epochs": 9, "validation": str(shop.held_out), "eval_steps": 2} | settings
    alone, together = both(shop, launches, count, **settings)
    difference = largest_difference(alone, together)
    print(f"largest difference of a weight: {difference:.2e}")
    assert difference <= 1e-5
    one, other = history(alone), history(together)
    assert [entry["step"] for entry in one] == [entry["step"] for entry in other]
    for mine, theirs in zip(one, other, strict=True):
        for key in mine.keys() & {"loss", "eval_loss", "grad_norm", "learning_rate"}:
            assert mine[key] == pytest.approx(theirs[key], rel=1e-4), key
    summaries = [json.loads((Path(c.output_dir) / "training_summary.json").read_text()) for c in (alone, together)]
    assert summaries[0]["test_loss"] == pytest.approx(summaries[1]["test_loss"], rel=1e-5)
    manifests = [shop.registry.artifact(f"by{ranks}").manifest for ranks in (1, count)]
    assert manifests[0].run_key == manifests[1].run_key
    assert "ranks" not in manifests[0].environment
    assert manifests[1].environment["ranks"] == count


@pytest.mark.long
@pytest.mark.parametrize("settings", [{"batch_size": 4}, {"batch_size": 2, "gradient_accumulation_steps": 2}])
def test_a_row_counts_as_much_on_its_rank_as_in_one_process(
    shop: Workshop, launches: Launches, settings: dict[str, Any]
) -> None:
    weighted, plain = shop.folder / "weighted.jsonl", shop.folder / "plain.jsonl"
    said = ("red fox", "lazy dog", "brown nation", "new people", "the union of all")
    for file, weights in ((weighted, (5.0, 1.0, 1.0, 0.25, 1.0)), (plain, (1.0,) * len(said))):
        rows = (
            {"input": f"Say {word}.", "output": f"The {word}, {word}!", "weight": weight}
            for word, weight in zip(said, weights, strict=True)
        )
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    common = {"reader": "examples", "test": None, "max_steps": 4, "epochs": 9} | settings
    alone, together = both(shop, launches, 2, train=str(weighted), **common)
    assert largest_difference(alone, together) <= 1e-5
    assert largest_difference(alone, both(shop, launches, 2, train=str(plain), **common)[0]) > 1e-3


@pytest.mark.long
def test_ranks_skip_the_steps_that_overflow_in_float16(shop: Workshop, launches: Launches) -> None:
    """An infinite gradient is how the scale is found, also where it comes from another rank."""
    skipped = []
    for ranks in (1, 2):
        config = shop.config(f"half{ranks}", epochs=9, batch_size=4, max_steps=12)
        config = dataclasses.replace(config, quantization=quantization_named("fp16"))
        outcome = launches.run(config, ranks, *((rank, "large_scale") for rank in range(ranks)))
        assert set(outcome.codes) == {0}, outcome.err
        summary = json.loads((Path(config.output_dir) / "training_summary.json").read_text())
        skipped.append(summary["skipped_steps"])
    assert skipped[0] == skipped[1] > 0
