from __future__ import annotations

import pytest

from adapterkit.training.trainer import AdapterTrainer
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def shared(tiny_base_dir, tmp_path_factory):
    made = Workshop(tiny_base_dir, tmp_path_factory.mktemp("guarded"))
    train(made.config("unified"))
    return made


def at_first_step(monkeypatch, mischief):
    """Do something to the model in the middle of training."""
    plain = AdapterTrainer.compute_loss

    def compute_loss(self, model, *arguments, **more):
        loss = plain(self, model, *arguments, **more)
        mischief(self.stack.model)
        return loss

    monkeypatch.setattr(AdapterTrainer, "compute_loss", compute_loss)
