import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from adapterkit.base.source_digest import source_digest
from adapterkit.digest import json_digest, sha256_bytes, table_digest, tensor_record
from adapterkit.errors import BaseLoadError


@pytest.fixture
def copy(tiny_base_dir, tmp_path):
    return shutil.copytree(tiny_base_dir, tmp_path / "copy")


def test_saving_again_in_other_shards_names_the_same_base(tiny_base_dir, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(tiny_base_dir, dtype=torch.float32)
    model.save_pretrained(tmp_path / "sharded", max_shard_size="100KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 1
    assert source_digest(tmp_path / "sharded") == source_digest(tiny_base_dir)


def test_one_flipped_bit_is_another_base(copy, tiny_base_dir):
    file = copy / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert source_digest(copy) != source_digest(tiny_base_dir)


def test_config_counts_and_the_writers_version_does_not(copy, tiny_base_dir):
    file = copy / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"transformers_version": "0.0"}))
    assert source_digest(copy) == source_digest(tiny_base_dir)
    file.write_text(json.dumps(config | {"rms_norm_eps": 0.1}))
    assert source_digest(copy) != source_digest(tiny_base_dir)


def test_pickled_weights_are_refused_with_the_way_out(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(BaseLoadError, match=r"Pickled weights .* refused"):
        source_digest(copy)


def test_truncated_weights_are_named(copy):
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BaseLoadError, match=r"model.safetensors is damaged"):
        source_digest(copy)


def test_a_dtype_that_torch_lacks_is_named(copy):
    header = json.dumps({"x": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}}).encode()
    (copy / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    with pytest.raises(BaseLoadError) as caught:
        source_digest(copy)
    assert caught.value.base_id == str(copy)
    assert caught.value.what == "model.safetensors holds tensors of dtype F4, which torch does not have."


@pytest.mark.parametrize("text", [None, "{", "[", "\xff"])
def test_a_config_that_cannot_be_read_is_named(copy, text):
    (copy / "config.json").unlink()
    if text is not None:
        (copy / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(BaseLoadError, match=r"config\.json cannot be read \(.*\)\. Is it a model folder\?") as caught:
        source_digest(copy)
    assert caught.value.base_id == str(copy)


def test_it_is_torchs_view_of_every_dtype_and_no_torch_is_needed(tmp_path):
    generator = torch.Generator().manual_seed(1)
    normal = torch.randn(3, 5, generator=generator)
    floats = ("bfloat16", "float16", "float32", "float64", "float8_e4m3fn", "float8_e5m2")
    whole = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    tensors = {name: normal.abs().to(getattr(torch, name)) for name in (*floats, *whole)}
    tensors |= {"scalar": torch.tensor(3.0), "empty": torch.zeros(0, 4), "complex64": torch.tensor([1 + 2j])}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"layers": 2}')
    records = {
        name: tensor_record(
            str(tensor.dtype).removeprefix("torch."),
            tensor.shape,
            sha256_bytes(bytes(tensor.view(-1).view(torch.uint8))),
        )
        for name, tensor in tensors.items()
    }
    found = source_digest(tmp_path)
    assert found == json_digest({"config": {"layers": 2}, "tensors": table_digest(records)})

    look = "import sys; from pathlib import Path; from adapterkit.base.source_digest import source_digest"
    code = f"{look}; print(source_digest(Path({str(tmp_path)!r})), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [found, "False"]


def test_the_digest_stays_what_published_adapters_carry(tmp_path):
    """Their manifests name the base by it: were it another, every one of them would be refused."""
    tensors = {"a": torch.arange(6, dtype=torch.float32).view(2, 3), "b": torch.arange(4).bfloat16()}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"layers": 2, "dtype": "float32"}')
    assert source_digest(tmp_path) == "22c4bb93ae6ea686f83d1cc1b9839cda7f25caa1fc270379633693e7d6af6b79"
