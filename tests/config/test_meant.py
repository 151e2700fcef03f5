"""Misspelt words of a training or a merge are answered with what was probably meant, and with no advice that fails."""

from __future__ import annotations

import pytest

from adapterkit.cli.verbs.composed import composed
from adapterkit.config.compose import compose_merge, composing
from adapterkit.config.outcome import EXPECTED, message_of
from adapterkit.errors import AdapterKitError


def told(door: str, word: str) -> str:
    """What somebody is told who writes a word behind a door."""
    with composing(), pytest.raises(EXPECTED) as failed:
        composed([word], None, None) if door == "train" else compose_merge([word])
    error = failed.value
    assert isinstance(error, Exception)
    return str(error) if isinstance(error, AdapterKitError) else message_of(error)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("adaptor=coder", "Did you mean adapter"),
        ("adapter=codr", "Did you mean coder?"),
        ("adapter.rank=4", "Did you mean adapter.r?"),
        ("adapter.alpha=4", "Did you mean adapter.lora_alpha?"),
        ("trainer.learningrate=1", "Did you mean trainer.learning_rate"),
        ("trainer.lr=1", "Did you mean trainer.learning_rate?"),
        ("learning_rate=1", "Did you mean adapter.learning_rate, trainer.learning_rate?"),
        ("lora_alpha=3", "Did you mean adapter.lora_alpha?"),
        ("trainer.r=3", "Did you mean adapter.r?"),
        ("traner.epochs=1", "Did you mean trainer"),
        ("nmae=x", "Did you mean name?"),
        ("+recipe=persona_on_unifed", "Did you mean persona_on_unified"),
        ("recipe=unified", "A recipe is chosen with a + in front: +recipe=unified"),
        ("+recipie=unified", "Unknown key 'recipie'. Did you mean +recipe"),
        ("+adapter.rnak=3", "Unknown key 'adapter.rnak'"),
        ("+adapter=coder", "To choose another one, leave out the +: adapter=coder"),
        ("method=ties", "No match in the defaults list"),
        ("quantization=nf5", "Did you mean nf4?"),
        ("tracking=mlfow", "Did you mean mlflow?"),
        ("tracking.wanb=true", "Did you mean tracking.wandb"),
        ("model=smollm", "Did you mean smollm2"),
        ("data=caht", "Did you mean chat?"),
        ("persona", "A word is written KEY=VALUE"),
    ],
)
def test_of_a_training(word: str, meant: str) -> None:
    said = told("train", word)
    assert meant in said
    assert "hydra.cc" not in said
    assert "To append" not in said
    assert "full_key" not in said


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("method=tie", "Did you mean ties"),
        ("metod=ties", "Did you mean method?"),
        ("weight=[1,2]", "Did you mean weights?"),
        ("adapter=[a,b]", "Did you mean adapters"),
        ("+merge=two_voice", "Did you mean two_voices?"),
        ("merge=two_voices", "+merge=two_voices"),
        ("+wieghts=[1]", "Unknown key 'wieghts'. Did you mean weights"),
    ],
)
def test_of_a_merge(word: str, meant: str) -> None:
    assert meant in told("merge", word)
