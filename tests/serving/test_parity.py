"""What adapterkit loads is what plain PEFT loads, in a process that has never heard of adapterkit: difference 0.0."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

import adapterkit
from adapterkit.errors import UsageError
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop

IDS = torch.arange(3, 35).view(2, 16)

# Runs every card's own lines up to the model, then writes the logits.
PLAIN = """
import sys, torch
from pathlib import Path
from safetensors.torch import save_file

found = {}
for card in sys.argv[2:]:
    scope = {}
    exec(Path(card).read_text("utf-8"), scope)
    with torch.no_grad():
        found[Path(card).stem] = scope["model"](input_ids=torch.arange(3, 35).view(2, 16)).logits
assert not any(name.split(".")[0] == "adapterkit" for name in sys.modules)
save_file(found, sys.argv[1])
"""


@pytest.fixture(scope="module")
def shared(tiny_base_dir, tmp_path_factory):
    made = Workshop(tiny_base_dir, tmp_path_factory.mktemp("parity"))
    train(made.config("unified"))
    train(made.config("child", "unified"))
    train(made.config("grandchild", "child"))
    train(made.config("still", "unified", learning_rate=0.0))
    return made


@pytest.fixture(scope="module")
def plain(shared, tmp_path_factory):
    """Logits of each adapter, by the lines of its own README in plain PEFT."""
    folder = tmp_path_factory.mktemp("plain")
    cards = []
    for name in ("unified", "child", "grandchild", "still"):
        readme = (shared.registry.resolve(name).path / "README.md").read_text("utf-8")
        block = next(b for b in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "PeftModel" in b)
        cards.append(folder / f"{name}.py")
        cards[-1].write_text(block[: block.index("messages =")], encoding="utf-8")
    script, out = folder / "run_cards.py", folder / "logits.safetensors"
    script.write_text(PLAIN, encoding="utf-8")
    subprocess.run([sys.executable, script, out, *cards], check=True, cwd=folder, timeout=120)
    return load_file(out)


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize("name", ["unified", "child", "grandchild", "still"])
def test_logits_are_those_of_plain_peft(shared, plain, name):
    session = adapterkit.load(name, registry=shared.registry.path, device="cpu")
    assert (logits(session.model) - plain[name]).abs().max().item() == 0.0


def test_a_child_that_learned_nothing_answers_as_its_parent_and_the_others_do_not(plain):
    assert torch.equal(plain["still"], plain["unified"])
    assert not torch.equal(plain["child"], plain["unified"])
    assert not torch.equal(plain["grandchild"], plain["child"])


def test_a_session_is_in_evaluation_with_nothing_to_train(shared):
    session = adapterkit.load("grandchild", registry=shared.registry.path, device="cpu")
    assert not session.model.training
    assert not any(parameter.requires_grad for parameter in session.model.parameters())
    assert [member.ref.name for member in session.lineage.members] == ["unified", "child", "grandchild"]


def test_generation_is_repeatable_and_leaves_the_global_generator(shared):
    session = adapterkit.load("child", registry=shared.registry.path, device="cpu")
    before = torch.get_rng_state()
    one, same, other = (
        session.generate("Say red fox.", max_new_tokens=12, do_sample=True, seed=seed) for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other
    assert torch.equal(torch.get_rng_state(), before)
    turns = [{"role": "user", "content": "Say red fox."}]
    assert session.generate(turns, max_new_tokens=5) == session.generate("Say red fox.", max_new_tokens=5)
    for bad in ([], [{"role": "user"}]):
        with pytest.raises(UsageError, match="A conversation is"):
            session.generate(bad)
