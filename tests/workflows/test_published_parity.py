"""A child is published with the proof that it is its parent without its change; without that it is not published."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest

from adapterkit.errors import ParityError
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.layers import adapter_parameters
from adapterkit.training.run_key import settings
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop


@pytest.fixture(scope="module")
def workshop(tiny_base_dir, tmp_path_factory):
    made = Workshop(tiny_base_dir, tmp_path_factory.mktemp("parity"))
    train(made.config("unified"))
    return made


def evidence(outcome):
    return json.loads((outcome.artifact.path / "training_metrics.json").read_text("utf-8"))


def test_a_child_bears_its_proof_and_a_root_needs_none(workshop):
    child = train(workshop.config("child", "unified", use_rslora=True))
    told = evidence(child)["decode_parity"]
    assert told["proven"] is True
    assert (told["zero"]["largest"], told["prompts"]) == (0.0, 3)
    assert told["child"]["largest"] > 0
    assert "decode_parity" not in evidence(train(workshop.config("root")))
    dora = train(workshop.config("dora", "unified", use_dora=True))
    assert evidence(dora)["decode_parity"]["proven"] is True


def test_it_is_asked_for_by_a_key_that_makes_no_other_training(workshop):
    with_it, without = (workshop.config("silent", "unified", test_decode_parity=asked) for asked in (True, False))
    assert settings(with_it) == settings(without)
    outcome = train(without)
    assert "decode_parity" not in evidence(outcome)
    assert train(with_it).artifact.digest == outcome.artifact.digest


def test_the_weights_are_the_same_with_it_and_without(workshop):
    digests = {
        train(
            workshop.config(f"same{asked}".lower(), "unified", test_decode_parity=asked)
        ).artifact.manifest.weights_digest
        for asked in (True, False)
    }
    assert len(digests) == 1


def test_what_is_not_its_parent_without_its_change_is_not_published(workshop, monkeypatch):
    @contextmanager
    def not_quite(stack):
        """A change of nearly zero."""
        parameters = [each for _, each in adapter_parameters(stack.model, stack.trainee.peft_name)]
        kept = [each.data for each in parameters]
        for each in parameters:
            each.data = each.data * 0.5
        yield stack.model
        for each, own in zip(parameters, kept, strict=True):
            each.data = own

    monkeypatch.setattr(AdapterStack, "with_zero_delta", not_quite)
    with pytest.raises(ParityError, match="'broken' with its change at zero is not its parent"):
        train(workshop.config("broken", "unified"))
    assert workshop.published("broken") == []
