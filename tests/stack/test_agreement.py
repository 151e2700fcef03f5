"""What ranks tell each other before they step and before they write: any bit of base, frozen adapters or trainee."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import LoraConfig

from adapterkit.base.fingerprint import fingerprint
from adapterkit.stack.agreement import require_alike, trainee_digest
from tests.stack.kin import Kin

BASE, FROZEN, OWN = "the base in memory", "the frozen adapters", "the weights of the new adapter"


class Listening:
    """Ranks of which this process is one: what it tells the others is kept."""

    alone = False

    def __init__(self) -> None:
        self.told: dict[str, str] = {}

    def require_same(self, what: str, value: str) -> None:
        self.told[what] = value


class Alone(Listening):
    alone = True


@pytest.fixture
def stack(tiny_base_dir: Any, tmp_path: Any) -> Any:
    kin = Kin(tiny_base_dir, tmp_path)
    kin.publish("child", kin.publish("unified", seed=1), seed=2)
    stack = kin.stack("child")
    stack.add_trainee("top", LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"), seed=0)
    return stack


def told(stack: Any) -> dict[str, str]:
    ranks: Any = Listening()
    require_alike(ranks, stack, fingerprint(stack.model))
    return ranks.told


def one_bit(stack: Any, wanted: Callable[[str], bool]) -> None:
    weight = next(parameter for name, parameter in stack.model.named_parameters() if wanted(name))
    weight.data.view(torch.int32).view(-1)[0] ^= 1


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        (lambda name: name.endswith("embed_tokens.weight"), {BASE}),
        (lambda name: "lora_A.0_unified" in name, {FROZEN}),
        (lambda name: "lora_B.1_child" in name, {FROZEN}),
        (lambda name: "lora_A.2_top" in name, {OWN}),
    ],
    ids=["base", "parent", "child", "trainee"],
)
def test_one_bit_of_anything_is_told_where_it_belongs(stack: Any, wanted: Any, what: set[str]) -> None:
    before = told(stack)
    assert set(before) == {BASE, FROZEN, OWN}
    assert len(set(before.values())) == 3
    assert told(stack) == before
    one_bit(stack, wanted)
    after = told(stack)
    assert {each for each in before if before[each] != after[each]} == what
    assert after[OWN] == trainee_digest(stack)


def test_one_rank_agrees_with_itself(stack: Any) -> None:
    ranks: Any = Alone()
    require_alike(ranks, stack, fingerprint(stack.model))
    assert ranks.told == {}
