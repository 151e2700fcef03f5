"""A LoRA as llama.cpp reads it: one GGUF file for `--lora`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from adapterkit.errors import ExportError, MissingExtraError
from adapterkit.merging.export.gguf_bases import GgufBase, gguf_base, heads_of, turned_rows
from adapterkit.merging.factors import Factors
from adapterkit.merging.flatten import difference
from adapterkit.merging.plain import stored
from adapterkit.stores import explained, sync_file

FILE = "adapter.gguf"


def require_gguf() -> None:
    """Demand the package that writes GGUF, before anything is computed.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import gguf  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("gguf", "--to gguf", "pip install 'adapterkit[gguf]'") from error


def write_gguf(
    folder: Path, name: str, modules: Mapping[str, Factors], config: Mapping[str, Any], dtype: torch.dtype
) -> dict[str, float]:
    """Write the changes as one GGUF file.

    llama.cpp multiplies each layer's product by alpha over that layer's own rank. Alpha is the largest rank here, and
    `b` of a layer of a smaller one is made smaller by as much, so that the product is the change.

    Args:
        folder: where to write `adapter.gguf`.
        name: of the adapter, for people.
        modules: the changes by the layer's name.
        config: of the base, from its config.json.
        dtype: float32 or float16.

    Returns:
        By the layer's name what storing it in the dtype cost, as a share of the change.

    Raises:
        ExportError: the base is of a kind that nobody verified, llama.cpp has no such layer, or a number is beyond
            float16.
        RegistryError: the disk refuses.
    """
    base, alpha = gguf_base(config), max(factors.rank for factors in modules.values())
    tensors: dict[str, torch.Tensor] = {}
    lost = {}
    for layer, place in _places(modules, base, config).items():
        factors = modules[layer]
        scaled = Factors(factors.a, factors.b * (factors.rank / alpha))
        held = Factors(stored(scaled.a, dtype, layer), stored(scaled.b, dtype, layer))
        lost[layer] = difference(scaled, held)
        kind = layer.rpartition(".")[2]
        b = turned_rows(held.b, heads_of(config, kind)) if kind in base.turned else held.b
        tensors |= {f"{place}.weight.lora_a": held.a, f"{place}.weight.lora_b": b}
    _write(folder / FILE, name, base.architecture, float(alpha), tensors)
    return lost


def _places(modules: Mapping[str, Factors], base: GgufBase, config: Mapping[str, Any]) -> dict[str, str]:
    """The names of the layers in llama.cpp."""
    import gguf

    architecture = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == base.architecture)
    names = gguf.get_tensor_name_map(architecture, int(config["num_hidden_layers"]))
    found = {}
    for layer in modules:
        place = names.get_name(layer)
        if place is None:
            raise ExportError(f"llama.cpp has no place for `{layer}` in a {base.architecture}.")
        if place == "output" and config.get("tie_word_embeddings"):
            raise ExportError(
                f"The adapter changes `{layer}`, which shares the embedding's weights, and a GGUF of this base has no "
                "such tensor. Make a whole model: adapterkit export REF --to merged"
            )
        found[layer] = place
    return found


def _write(path: Path, name: str, architecture: str, alpha: float, tensors: Mapping[str, torch.Tensor]) -> None:
    import gguf

    with explained(f"Writing {path}"):
        writer = gguf.GGUFWriter(path, architecture)
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_name(name)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
        for key, tensor in sorted(tensors.items()):
            writer.add_tensor(key, tensor.contiguous().numpy())
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        sync_file(path)
