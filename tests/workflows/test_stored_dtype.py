"""`adapter.dtype=bfloat16`: rounded once, before it is measured; checkpoints stay float32."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import adapterkit
from adapterkit.artifacts import read_header
from adapterkit.base.load import load_tokenizer
from adapterkit.data.collate import PadCollator
from adapterkit.data.encode import as_dataset
from adapterkit.evaluation.loss import mean_loss, row_losses
from adapterkit.workflows.rows import read_rows
from adapterkit.workflows.train import TrainOutcome, train
from tests.workflows.tiny import Workshop

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def shop(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tiny_base_dir, tmp_path_factory.mktemp("half"))


@pytest.fixture(scope="module")
def half(shop: Workshop) -> TrainOutcome:
    return train(shop.config("half", dtype="bfloat16", learning_rate=1e-1))


def dtypes(folder: Path) -> set[str]:
    return {entry.dtype for entry in read_header(folder / WEIGHTS).tensors.values()}


def test_the_published_weights_are_those_of_float32_rounded_once(shop: Workshop, half: TrainOutcome) -> None:
    whole = train(shop.config("whole", learning_rate=1e-1))
    mine, theirs = (load_file(each.artifact.path / WEIGHTS) for each in (half, whole))
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name].bfloat16()) for name in mine)
    assert not all(torch.equal(mine[name].float(), theirs[name]) for name in mine)
    assert (dtypes(half.artifact.path), dtypes(whole.artifact.path)) == ({"BF16"}, {"F32"})
    assert half.artifact.manifest.adapter.dtype == "bfloat16"
    assert whole.artifact.manifest.adapter.dtype == "float32"
    assert half.artifact.manifest.weights_digest != whole.artifact.manifest.weights_digest


def test_checkpoints_stay_float32(half: TrainOutcome, shop: Workshop) -> None:
    (run,) = (shop.folder / "outputs" / "half").iterdir()
    assert dtypes(run / "checkpoint-2") == {"F32"}
    assert dtypes(run / "adapter") == {"BF16"}


def test_the_test_metrics_are_those_of_the_published_weights(shop: Workshop, half: TrainOutcome) -> None:
    session = adapterkit.load("half", registry=shop.registry.path, device="cpu")
    config = shop.config("half")
    rows = read_rows(config.data, None, load_tokenizer(str(shop.base), shop.base))
    collate = PadCollator(session.tokenizer.pad_token_id)
    losses = row_losses(session.model, list(as_dataset(rows.test)), collate, batch_size=2)
    told = json.loads((half.artifact.path / "test_metrics.json").read_text())
    assert mean_loss(losses) == pytest.approx(told["after"], abs=1e-7)


def test_a_child_trains_on_it_and_plain_peft_loads_it(shop: Workshop, half: TrainOutcome) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    child = train(shop.config("child", "half"))
    assert [str(member.ref) for member in child.artifact.manifest.lineage.members] == ["half@1.0.0", "child@1.0.0"]
    base = AutoModelForCausalLM.from_pretrained(shop.base, dtype=torch.float32)
    ids = torch.arange(8)[None]
    plain = PeftModel.from_pretrained(base, half.artifact.path).eval()
    ours = adapterkit.load("half", registry=shop.registry.path, device="cpu").model
    with torch.no_grad():
        assert torch.equal(plain(ids).logits, ours(ids).logits)


def test_it_is_another_training_than_in_float32(shop: Workshop) -> None:
    assert train(shop.config("twice", dtype="bfloat16")).trained
    assert train(shop.config("twice")).trained
    assert not train(shop.config("twice", dtype="float32")).trained
    assert shop.published("twice") == ["1.0.0", "1.1.0"]
