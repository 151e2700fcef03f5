"""What a merge's command comes to, and what a misspelt one is told."""

from __future__ import annotations

from typing import Any

import pytest

from adapterkit.config.compose import compose_merge, composing
from adapterkit.config.groups import names_in, plain_file, preset_file
from adapterkit.config.merge_schema import MergeConfig
from adapterkit.config.outcome import EXPECTED, exit_code, message_of
from adapterkit.config.sweep_names import with_sweep_names
from adapterkit.merging.methods import METHODS, Masked


def composed(*words: str) -> MergeConfig:
    with composing():
        return compose_merge(words)


def failed(*words: str) -> Exception:
    with composing(), pytest.raises(EXPECTED) as caught:
        compose_merge(words)
    found: Any = caught.value
    return found


def test_there_is_one_file_a_method_and_one_method_a_file() -> None:
    assert names_in("method") == sorted(METHODS)
    for name in METHODS:
        said = plain_file(preset_file("method", name, kind="method"))
        assert said["name"] == name
        assert ("density" in said) == isinstance(METHODS[name], Masked)


def test_a_command_comes_to_what_it_says() -> None:
    config = composed(
        "method=ties", "adapters=[coder@1.0.0,security@1.0.0]", "weights=[0.7,0.3]", "density=0.3", "name=both"
    )
    assert (config.name, config.method.name, config.adapters) == ("both", "ties", ["coder@1.0.0", "security@1.0.0"])
    assert (config.weights, config.density, config.data) == ([0.7, 0.3], 0.3, None)
    assert (config.on, config.rank, config.test_decode_parity) == ("deltas", "largest", True)
    assert composed("method=dare").density == 0.5
    assert composed("method=slerp").density is None
    assert composed("adapters=[coder@1.0.0,security]").name == "coder_security"
    assert composed("on=factors", "weights=performance", "rank=4").weights == "performance"
    data = composed("data=chat", "data.test=rows.jsonl").data
    assert data is not None
    assert (data.reader, data.test) == ("chat", "rows.jsonl")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["method=tis"], "Did you mean ties"),
        (["densty=0.3"], "Key 'densty' not in 'MergeConfig'"),
        (["densty=0.3"], "Did you mean density"),
        (["held_out.maxrows=3"], "Did you mean held_out.max_rows?"),
        (["+merge=coder_securty"], "Did you mean coder_security?"),
        (["density=much"], "Value 'much' of type 'str' could not be converted to Float"),
        (["normalize=perhaps"], "perhaps"),
        (["data=chat", "data.tst=x"], "Did you mean data.test"),
    ],
)
def test_a_misspelt_word_is_an_error_that_names_the_right_one(words: list[str], said: str) -> None:
    error = failed(*words)
    assert said in message_of(error)
    assert exit_code(error) == 2


def test_a_key_that_is_there_is_not_proposed() -> None:
    assert "Did you mean" not in message_of(failed("density=much"))


def test_a_sweep_over_methods_and_weights_is_told_apart() -> None:
    words = ["-m", "method=ties,dare", "weights=[0.5,0.5],[0.7,0.3]", "adapters=[a,b]"]
    given = with_sweep_names(words)
    assert given == [*words, "suffix='.${hydra:runtime.choices.method}.${as_name:weights${weights}}'"]
    recipes = ["-m", "+merge=coder_security,two_voices"]
    assert with_sweep_names(recipes) == recipes
