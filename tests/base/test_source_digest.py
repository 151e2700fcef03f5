import json
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM

from adapterkit.base.source_digest import source_digest
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
