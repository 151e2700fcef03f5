"""What cannot be cut among ranks is refused before anything is; several real ranks are in tests/ranks."""

from __future__ import annotations

import pytest

from adapterkit.base.fingerprint import fingerprint
from adapterkit.config.schema import QuantizationConfig
from adapterkit.errors import UsageError
from adapterkit.ranks import Ranks
from adapterkit.stack.sharding import shard_base
from tests.stack.kin import Kin

CUT = Ranks(0, 2, sharded=True)


@pytest.fixture(scope="module")
def kin(tiny_base_dir, tmp_path_factory):
    made = Kin(tiny_base_dir, tmp_path_factory.mktemp("kin"))
    made.publish("unified", seed=1, target_modules=["q_proj"])
    return made


@pytest.mark.parametrize("ranks", [Ranks(), Ranks(1, 2)])
def test_where_no_launch_asked_for_it_nothing_is_cut(kin, ranks):
    stack = kin.stack("unified")
    before, types = fingerprint(stack.model), [type(module) for module in stack.model.modules()]
    shard_base(ranks, stack)
    before.require_equal(fingerprint(stack.model))
    assert [type(module) for module in stack.model.modules()] == types


def test_a_model_of_unknown_blocks_is_refused(kin):
    stack = kin.stack("unified")
    for unknown in (None, [], ["SomethingElse"]):
        stack.model.get_base_model()._no_split_modules = unknown
        with pytest.raises(UsageError) as caught:
            shard_base(CUT, stack)
        assert str(caught.value) == (
            "transformers does not say what the blocks of LlamaForCausalLM are, so it cannot be cut among the ranks. "
            "Start them without FSDP or ZeRO-3; each then holds a whole base."
        )


def test_eight_bits_are_refused(tiny_base_dir, tmp_path):
    made = Kin(tiny_base_dir, tmp_path, QuantizationConfig(kind="int8", dtype="float32"))
    made.publish("unified", seed=1, target_modules=["q_proj"])
    with pytest.raises(UsageError) as caught:
        shard_base(CUT, made.stack("unified"))
    assert str(caught.value) == (
        "An 8-bit base cannot be cut among ranks: its scales hang on the whole weights. Take quantization=nf4, which "
        "is half as large, or start the ranks without FSDP or ZeRO-3."
    )
