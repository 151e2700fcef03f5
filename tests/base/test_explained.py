"""What is said of a base that moved: how much of each kind, the first five names, and the first with both values."""

from __future__ import annotations

import pytest

from adapterkit.base.fingerprint import Fingerprint
from adapterkit.errors import FrozenChangedError

ONE, OTHER = "1" * 8 + "a" * 56, "2" * 8 + "b" * 56
CAUSE = (
    ". Nothing was published. An adapter was probably merged in place, or a library repacked the weights; load the "
    "base again in a new process."
)
TENSORS = {f"w{number}": f"F32 [2, 2] {ONE}" for number in range(7)}
MODULES = {"": "LlamaForCausalLM()", "model": "LlamaModel()"}
BEFORE = Fingerprint(TENSORS, (("w0", "w1"),), MODULES)


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (
            Fingerprint({**TENSORS, "w3": f"F32 [2, 2] {OTHER}"}, BEFORE.aliases, MODULES),
            "1 of 7 tensors differ: w3; first w3 (F32 [2, 2] 11111111 -> F32 [2, 2] 22222222)",
        ),
        (
            Fingerprint(dict.fromkeys(TENSORS, f"BF16 [4] {OTHER}"), BEFORE.aliases, MODULES),
            "7 of 7 tensors differ: w0, w1, w2, w3, w4; first w0 (F32 [2, 2] 11111111 -> BF16 [4] 22222222)",
        ),
        (
            Fingerprint(TENSORS, BEFORE.aliases, {**MODULES, "": "PeftModel()"}),
            "1 of 2 modules differ: (the model); first LlamaForCausalLM() -> PeftModel()",
        ),
        (
            Fingerprint({name: TENSORS[name] for name in ("w0", "w1")}, BEFORE.aliases, {"": MODULES[""], "x": "X()"}),
            "6 names missing: model, w2, w3, w4, w5; 1 name new: x",
        ),
        (Fingerprint(TENSORS, (), MODULES), "2 tensors retied: w0, w1"),
        (
            Fingerprint({**TENSORS, "w3": f"F32 [2, 2] {OTHER}"}, BEFORE.aliases, {**MODULES, "model": "Other()"}),
            "1 of 7 tensors differ: w3; 1 of 2 modules differ: model; first w3 (F32 [2, 2] 11111111 -> F32 [2, 2] "
            "22222222)",
        ),
    ],
)
def test_everything_that_moved_is_told(after: Fingerprint, told: str) -> None:
    with pytest.raises(FrozenChangedError) as caught:
        BEFORE.require_equal(after)
    assert str(caught.value) == f"Base weights changed during training: {told}{CAUSE}"


def test_names_are_told_apart_as_changed_missing_and_new() -> None:
    after = Fingerprint({"w0": f"F32 [2, 2] {OTHER}", "w1": TENSORS["w1"], "v": TENSORS["w1"]}, (), MODULES)
    with pytest.raises(FrozenChangedError) as caught:
        BEFORE.require_equal(after)
    assert caught.value.changed == ("w0",)
    assert caught.value.missing == ("w2", "w3", "w4", "w5", "w6")
    assert caught.value.unexpected == ("v",)
    with pytest.raises(FrozenChangedError) as caught:
        BEFORE.require_equal(Fingerprint(TENSORS, (), MODULES))
    assert caught.value.changed == ("w0", "w1")
    BEFORE.require_equal(Fingerprint(dict(TENSORS), (("w0", "w1"),), dict(MODULES)))


def test_what_is_written_down_is_all_of_it() -> None:
    assert BEFORE.to_json() == {"tensors": TENSORS, "aliases": [["w0", "w1"]], "structure": MODULES}
    assert len({BEFORE.digest, Fingerprint(TENSORS, (), MODULES).digest, Fingerprint({}, (), MODULES).digest}) == 3
