"""What `load` refuses, and that it does so before anything is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

import adapterkit
from adapterkit.errors import ArtifactError, BaseMismatchError, RefNotFoundError
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop


@pytest.fixture(scope="module")
def trained(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """unified <- child, and another unified in a registry of its own."""
    made = Workshop(tiny_base_dir, tmp_path_factory.mktemp("refusals"))
    train(made.config("unified"))
    train(made.config("child", "unified"))
    other = made.config("unified", seed=1)
    other.registry = str(made.folder / "others")
    train(other)
    return made


@pytest.fixture
def shop(trained: Workshop, tmp_path: Path) -> Workshop:
    """A copy that a test may damage."""
    shutil.copytree(trained.registry.path, tmp_path / "adapters")
    return Workshop(trained.base, tmp_path)


@pytest.fixture
def unloadable(trained: Workshop, tmp_path: Path) -> Path:
    """Another base of the same shape, in a folder that transformers cannot load."""
    folder = tmp_path / "base"
    shutil.copytree(trained.base, folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "no_such_architecture"}), encoding="utf-8")
    return folder


def load(shop: Workshop, **more) -> adapterkit.Session:
    return adapterkit.load("child", registry=shop.registry.path, device="cpu", **more)


def test_a_sound_lineage_loads(shop: Workshop) -> None:
    assert str(load(shop).lineage).endswith("<- unified@1.0.0 <- child@1.0.0")


def test_a_swapped_base_is_refused_before_it_is_loaded(shop: Workshop, unloadable: Path) -> None:
    with pytest.raises(BaseMismatchError, match="weights"):
        load(shop, base=str(unloadable))


def test_one_altered_weight_of_the_base_is_enough(shop: Workshop, trained: Workshop, tmp_path: Path) -> None:
    shutil.copytree(trained.base, tmp_path / "base")
    weights = tmp_path / "base" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-2] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(BaseMismatchError, match="weights"):
        load(shop, base=str(tmp_path / "base"))


def test_another_chat_template_is_another_base(shop: Workshop, trained: Workshop, tmp_path: Path) -> None:
    shutil.copytree(trained.base, tmp_path / "base")
    template = tmp_path / "base" / "chat_template.jinja"
    template.write_text(template.read_text() + "{# #}")
    with pytest.raises(BaseMismatchError, match="chat template"):
        load(shop, base=str(tmp_path / "base"))


def test_another_quantization_must_be_asked_for(shop: Workshop) -> None:
    manifest = shop.registry.manifest("child")
    assert manifest.lineage.base.quantization["dtype"] == "float32"
    assert load(shop).model.dtype == torch.float32
    assert load(shop, quantization="bf16").model.dtype == torch.bfloat16


@pytest.mark.parametrize("ref", ["unified", "child"])
@pytest.mark.parametrize("file", ["adapter_model.safetensors", "adapter_config.json", "metadata.json"])
def test_one_altered_byte_is_refused(shop: Workshop, ref: str, file: str) -> None:
    path = shop.registry.resolve(ref).path / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ArtifactError, match=file):
        load(shop)


def test_an_intact_parent_that_is_another_one_is_refused(shop: Workshop, trained: Workshop) -> None:
    path = shop.registry.resolve("unified").path
    shutil.rmtree(path)
    shutil.copytree(trained.folder / "others" / "unified" / "1.0.0", path)
    assert shop.registry.verify("unified").ok
    with pytest.raises(ArtifactError, match="the lineage binds"):
        load(shop)


def test_a_missing_parent_is_refused(shop: Workshop) -> None:
    shutil.rmtree(shop.registry.resolve("unified").path)
    with pytest.raises(RefNotFoundError, match=r"unified@1\.0\.0"):
        load(shop)
