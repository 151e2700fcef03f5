"""What is foreseen is what is then published; what does not fit is refused before anything is loaded."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from adapterkit.config.asked import Asked
from adapterkit.config.schema import BudgetConfig, QuantizationConfig
from adapterkit.errors import BaseMismatchError, BudgetError, RefNotFoundError, UsageError
from adapterkit.workflows.estimating import estimate
from adapterkit.workflows.train import train
from tests.workflows.project import Project
from tests.workflows.tiny import Workshop, write_chats

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def shared(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tiny_base_dir, tmp_path_factory.mktemp("foreseen"))
    train(made.config("unified"))
    return made


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.mark.parametrize(
    "changes",
    [
        {"r": 512},
        {"r": 512, "use_rslora": True, "dtype": "bfloat16", "max_steps": 12},
        {"r": 512, "use_dora": True, "parent": "unified"},
        {"r": 1024, "target_modules": ["k_proj", "v_proj", "down_proj"], "lora_dropout": 0.0},
    ],
)
def test_what_is_published_is_what_was_foreseen(shared: Workshop, changes: dict[str, Any]) -> None:
    config = shared.config(f"foreseen_{'_'.join(changes)}", **changes)
    (foreseen,) = estimate(config)
    artifact = train(config).artifact
    assert foreseen.size.parameters == artifact.manifest.adapter.parameters
    assert foreseen.size.weights == (artifact.path / WEIGHTS).stat().st_size
    assert foreseen.size.artifact == pytest.approx(folder_bytes(artifact.path), rel=0.01)
    assert foreseen.steps == config.trainer.max_steps
    history = json.loads((artifact.path / "training_metrics.json").read_text())["history"]
    assert history[-1]["step"] == foreseen.steps


def test_a_run_says_it_in_its_first_lines_and_after_ten_steps(
    shared: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    config = shared.config("told", r=2, max_steps=12)
    with caplog.at_level(logging.INFO):
        (foreseen,) = estimate(config)
        caplog.clear()
        train(config)
    said = [
        line
        for line in caplog.messages
        if line.startswith(("Estimate", "Suggestion", "After 10 steps", "Base unchanged"))
    ]
    assert said[0].startswith(f"Estimate: trainable parameters {foreseen.size.parameters:,}; artifact ")
    assert said[1] == foreseen.suggestion
    assert "adapter.r=4 adapter.lora_alpha=8 for 4 examples, where this trains r=2, alpha=4" in said[1]
    assert "rule of thumb of earlier systems" in said[1]
    assert said[2].startswith("After 10 steps: about ")
    assert said[3].startswith("Base unchanged")
    assert len(said) == 4


def test_no_weight_of_the_base_is_needed(tiny_base_dir: Path, tmp_path: Path) -> None:
    base = shutil.copytree(tiny_base_dir, tmp_path / "base")
    weights = base / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[: 8 + int.from_bytes(data[:8], "little")])
    (foreseen,) = estimate(Workshop(base, tmp_path).config("bare"))
    assert foreseen.size.parameters == 2 * 2048  # rank 2, and 2048 inputs and outputs in both layers


def test_too_large_is_refused_before_parent_and_base(shared: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapterkit.workflows.train.resident_base", lambda *_, **__: pytest.fail("the base was loaded"))
    config = shared.config("large", "missing", r=64, parent_recipe="unified", budget=BudgetConfig(0.1))
    for story in (train, estimate):
        with pytest.raises(BudgetError, match=r"adapter\.r=6 adapter\.lora_alpha=0\.375 fits \(0\.1 MB\)") as told:
            story(config, compose_parent=lambda recipe, *_: (shared.config("missing"), Asked(recipe)))
        assert told.value.limit == 0.1
    assert not Path(config.output_dir).exists()


def test_a_long_log_counts_too(shared: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapterkit.workflows.train.resident_base", lambda *_, **__: pytest.fail("the base was loaded"))
    config = shared.config("chatty", max_steps=9000, budget=BudgetConfig(0.1))
    for story in (train, estimate):
        with pytest.raises(BudgetError):
            story(config)


def test_a_budget_is_no_part_of_what_is_trained(shared: Workshop) -> None:
    first = train(shared.config("cheap"))
    again = train(shared.config("cheap", budget=BudgetConfig(1.0), max_artifact_mb=7.0))
    assert (first.trained, again.trained) == (True, False)


def test_a_missing_parent_is_foreseen_first(tiny_base_dir: Path, tmp_path: Path) -> None:
    shop = Workshop(tiny_base_dir, tmp_path)
    child = shop.config("child", "common", parent_recipe="unified")
    found = estimate(child, compose_parent=lambda *_: (shop.config("common", r=4), Asked("unified")))
    assert [(each.name, each.rank) for each in found] == [("common", 4), ("child", 2)]
    assert found[1].memory.adapters > found[0].memory.adapters / 2
    with pytest.raises(RefNotFoundError):
        estimate(shop.config("child", "common"))
    assert not shop.registry.path.exists()


def test_the_verb_takes_the_words_of_a_training(project: Project) -> None:
    (found,) = json.loads(
        project.run("estimate", "--config-dir", "mine", "+recipe=child", "persona=ann", "adapter.r=2", "--json")
    )
    manifest = project.registry.manifest("child_ann")
    assert (found["name"], found["size"]["parameters"]) == ("child_ann", manifest.adapter.parameters)
    assert found["memory"]["peak"] > found["memory"]["libraries"]
    assert (found["suggested_rank"], found["suggested_alpha"], found["limit_mb"]) == (4, 32.0, 10.0)
    text = project.run("estimate", "--config-dir", "mine", "+recipe=child", "persona=new", "--registry", "none")
    assert text.index("unified:") < text.index("child_new:")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["adapter.rr=3"], "adapter.rr"),
        (["+recipe=nothing"], "nothing"),
        (["adapter.r=4096"], "adapter.dtype=bfloat16"),
        (["budget.max_artifact_mb=0"], "null for no limit"),
        (["adapter.dtype=float16"], "Any of float32, bfloat16 will do"),
        (["adapter.target_modules=[q_prj]"], "no module 'q_prj'"),
        (["adapter.target_modules=[q_proj,v_prj]"], "no module 'v_prj'"),
        (["tracking.mlflow=true"], "tracking.mlflow_uri="),
        (["tracking.wandb=true", "tracking.wandb_mode=on"], "online or offline"),
    ],
)
def test_the_verb_refuses_as_a_training_does(
    project: Project, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    project.run("estimate", "--config-dir", "mine", "+recipe=family", *words, code=2)
    assert told in capsys.readouterr().err


def test_parents_are_held_to_what_a_training_demands_of_them(shared: Workshop) -> None:
    on_another = shared.config("other", "unified")
    on_another.quantization = QuantizationConfig(kind="none", dtype="bfloat16")
    for story in (train, estimate):
        with pytest.raises(BaseMismatchError, match=r"bfloat16[\s\S]*data\.unified=unified_bf16"):
            story(on_another)
        with pytest.raises(UsageError, match="an earlier version of itself"):
            story(shared.config("unified", "unified"))


def test_a_text_that_no_artifact_can_hold_is_refused_by_both(shared: Workshop) -> None:
    for story in (train, estimate):
        with pytest.raises(UsageError, match="holds an interpolation"):
            story(shared.config("odd", description="${x}"))


def test_what_a_refusal_proposes_is_not_refused_for_its_log(shared: Workshop) -> None:
    config = shared.config("logged", r=64, max_steps=600, budget=BudgetConfig(0.2))
    with pytest.raises(BudgetError, match=r"adapter\.r=\d+ adapter\.lora_alpha=") as told:
        estimate(config)
    rank, alpha = (word.partition("=")[2] for word in told.value.fits[0][0].split())
    estimate(shared.config("logged", r=int(rank), lora_alpha=float(alpha), max_steps=600, budget=BudgetConfig(0.2)))


def test_no_rank_over_the_budget_is_suggested(shared: Workshop) -> None:
    (free,) = estimate(shared.config("tight", r=3, lora_alpha=6, budget=BudgetConfig(None)))
    assert (free.suggested_rank, free.suggested_alpha) == (4, 8)
    limit = (free.size.artifact + 1000) / 1e6
    (bound,) = estimate(shared.config("tight", r=3, lora_alpha=6, budget=BudgetConfig(limit)))
    assert (bound.suggested_rank, bound.suggestion) == (3, None)


def test_a_first_guess_needs_no_steps(shared: Workshop) -> None:
    alone = write_chats(shared.folder / "alone.jsonl", ["one row"])
    (foreseen,) = estimate(shared.config("one", train=str(alone), test=None))
    assert foreseen.rows == 1
    assert foreseen.seconds > 0
