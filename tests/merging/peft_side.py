"""What PEFT's add_weighted_adapter makes of the adapters of sources.py."""

from __future__ import annotations

import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from tests.merging.sources import SHAPES

_KEYS = ("r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "target_modules")


class Layers(nn.Module):
    """Linear layers of the sources' shapes and names, which nothing is computed with."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Module(), nn.Module()])
        for name, (outputs, inputs) in SHAPES.items():
            _, layer, kind = name.split(".")
            self.layers[int(layer)].add_module(kind, nn.Linear(inputs, outputs, bias=False))


def peft_model(sources, kind=Layers):
    """A model with the sources as adapters "0", "1", ..."""
    configs = [LoraConfig(**{key: source.config[key] for key in _KEYS}) for source in sources]
    model = get_peft_model(kind(), configs[0], adapter_name="0")
    for number, config in enumerate(configs[1:], 1):
        model.add_adapter(str(number), config)
    with torch.no_grad():
        for number, source in enumerate(sources):
            for key, tensor in source.tensors.items():
                model.get_parameter(key.replace(".weight", f".{number}.weight")).copy_(tensor)
    return model


def peft_merge(sources, kind, weights, **more):
    """The merged change by layer, with the scaling that PEFT gives it: what the model then computes with."""
    model = peft_model(sources)
    names = [str(number) for number in range(len(sources))]
    model.add_weighted_adapter(names, list(weights), "merged", combination_type=kind, **more)
    layers = {name: model.base_model.model.get_submodule(name) for name in SHAPES}
    return {name: layer.get_delta_weight("merged").double().numpy() for name, layer in layers.items()}
