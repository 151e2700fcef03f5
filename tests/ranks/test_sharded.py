"""A base that is cut among two ranks (FSDP2 over gloo): the same training, proven the same way."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from adapterkit.config.schema import QuantizationConfig
from tests.ranks.conftest import Launches
from tests.ranks.test_same_result import largest_difference
from tests.workflows.tiny import FP32, Workshop

pytestmark = pytest.mark.long

NF4 = QuantizationConfig(kind="nf4", dtype="float32", compute_dtype="float32")
NF4_BFLOAT16 = QuantizationConfig(kind="nf4")


@pytest.mark.parametrize("quantization", [FP32, NF4, NF4_BFLOAT16], ids=["fp32", "nf4", "nf4_bfloat16"])
def test_a_base_cut_among_ranks_trains_to_the_bits_of_whole_ones(
    shop: Workshop, launches: Launches, quantization: QuantizationConfig
) -> None:
    made = []
    # Batches of two rows, of which the last has one, so that a rank has none. Checkpointing keeps whole bases from the
    # fused forward pass, which adds in another order.
    for name, sharded in (("whole", False), ("cut", True)):
        config = shop.config(name, force=True, batch_size=2, max_steps=8, epochs=9, eval_steps=3, save_steps=4,
                             validation=str(shop.held_out), gradient_checkpointing=True)  # fmt: skip
        config.quantization = quantization
        outcome = launches.run(config, sharded=sharded)
        assert outcome.codes == [0, 0], outcome.err
        made.append(config)
    assert largest_difference(*made) == 0.0
    # The whole base was hashed, before it was cut and after.
    baselines = [json.loads((Path(each.output_dir) / "baseline_checksums.json").read_text()) for each in made]
    assert baselines[0]["before"] == baselines[1]["before"]
    assert all(each["unchanged"] for each in baselines)


def test_a_part_of_the_base_that_moves_on_one_rank_ends_both(shop: Workshop, launches: Launches) -> None:
    config = shop.config("cut_moved", batch_size=4, max_steps=4, epochs=9)
    outcome = launches.run(config, 2, (1, "moved_part"), sharded=True)
    assert outcome.codes == [1, 1], outcome.err
    assert "Base weights changed during training" in outcome.err[0]
    assert "layers.0" in outcome.err[0]
    assert shop.published("cut_moved") == []


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_between_forward_and_backward_ends_both(shop: Workshop, launches: Launches, rank: int) -> None:
    name, begun = f"cut_nan_{rank}", time.monotonic()
    config = shop.config(name, batch_size=4, max_steps=9, epochs=9)
    outcome = launches.run(config, 2, (rank, "nan_loss"), sharded=True)
    assert time.monotonic() - begun < 60
    assert outcome.codes[rank] == 1, outcome.err
    assert all(code != 0 for code in outcome.codes)
    assert "The loss became nan at step 3" in outcome.err[rank]
    assert shop.published(name) == []


def test_a_rank_that_vanishes_in_a_step_ends_the_other(shop: Workshop, launches: Launches) -> None:
    config = shop.config("cut_vanished", batch_size=4, max_steps=9, epochs=9)
    outcome = launches.run(config, 2, (1, "killed"), sharded=True)
    assert outcome.codes == [1, -signal.SIGKILL]
    assert "Another rank ended without a word" in outcome.err[0]


def test_an_8_bit_base_is_not_cut(shop: Workshop, launches: Launches) -> None:
    config = shop.config("cut_int8", batch_size=4)
    config.quantization = QuantizationConfig(kind="int8")
    outcome = launches.run(config, 2, sharded=True)
    assert outcome.codes == [2, 2]
    assert outcome.err[0].count("An 8-bit base cannot be cut") == 1


@pytest.mark.parametrize("sharded", [False, True], ids=["whole", "cut"])
def test_a_child_of_several_ranks_bears_the_proof_of_its_parity(
    shop: Workshop, launches: Launches, sharded: bool
) -> None:
    parent = f"parent_{sharded}".lower()
    for config in (shop.config(parent, max_steps=2), shop.config(f"{parent}_child", parent, max_steps=2)):
        outcome = launches.run(config, sharded=sharded)
        assert outcome.codes == [0, 0], outcome.err
    metrics = Path(config.output_dir) / "final_artifact" / "training_metrics.json"
    proof = json.loads(metrics.read_text("utf-8"))["decode_parity"]
    assert proof["proven"]
    assert proof["child"]["largest"] > 0
