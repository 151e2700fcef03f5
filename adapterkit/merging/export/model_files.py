"""What a model folder holds besides its weights: config.json as the new model needs it, and copies of the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterkit.errors import BaseLoadError
from adapterkit.stores import copy_file, write_file

CONFIG_FILE = "config.json"
# Tokenizer, chat template, generation and the base's licence. No code, no pickles, and none of the base's weights.
_COPIED = (
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model",
    "chat_template.jinja", "chat_template.json", "LICENSE*", "NOTICE*", "USE_POLICY*",
)  # fmt: skip
# Who wrote the folder, code that is not copied, and how the base's weights were stored.
_DROPPED = ("_name_or_path", "auto_map", "quantization_config", "torch_dtype", "dtype", "transformers_version")


def base_config(base_id: str, folder: Path) -> dict[str, Any]:
    """What a base's config.json says.

    Raises:
        BaseLoadError: there is none, or the stored weights are quantized.
    """
    try:
        plain: dict[str, Any] = json.loads((folder / CONFIG_FILE).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BaseLoadError(base_id, f"{CONFIG_FILE} cannot be read ({error})") from error
    if "quantization_config" in plain:
        raise BaseLoadError(
            base_id,
            "its files hold quantized weights, to which nothing can be added. Give the folder of the model that they "
            "were made from as the base of a training.",
        )
    return plain


def write_model_files(
    base_folder: Path,
    config: Mapping[str, Any],
    folder: Path,
    *,
    dtype: str,
    untied: bool = False,
    quantization: Mapping[str, Any] | None = None,
) -> None:
    """Write a new model's config.json, and copy tokenizer, chat template, generation config and licence.

    Args:
        base_folder: of the base.
        config: the base's, from `base_config`.
        folder: of the new model.
        dtype: torch's name of that in which `from_pretrained` shall load it.
        untied: whether the output layer no longer shares the embedding's weights.
        quantization: what transformers needs to read quantized weights.

    Raises:
        RegistryError: the disk refuses.
    """
    plain = {key: value for key, value in config.items() if key not in _DROPPED}
    if isinstance(text := plain.get("text_config"), dict):
        plain["text_config"] = {key: value for key, value in text.items() if key not in _DROPPED}
    plain["dtype"] = dtype
    if untied:
        plain["tie_word_embeddings"] = False
    if quantization is not None:
        plain["quantization_config"] = dict(quantization)
    write_file(folder / CONFIG_FILE, json.dumps(plain, indent=2, sort_keys=True).encode("utf-8"))
    for path in sorted({path for pattern in _COPIED for path in base_folder.glob(pattern) if path.is_file()}):
        copy_file(path, folder / path.name)
