"""`tokenizer_digest`: a base's tokenizer and chat template, which decide what a model sees and when it stops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapterkit.digest import json_digest, sha256_file
from adapterkit.errors import BaseLoadError

# A pad token is what a loader makes of its absence; padding and truncation are what the last user of a tokenizer set.
_SPECIAL = ("bos_token", "eos_token", "unk_token", "add_bos_token", "add_eos_token")
_STATE = ("padding", "truncation")


def tokenizer_digest(folder: Path) -> str | None:
    """Hex sha256 over a model folder's vocabulary, special tokens and chat template; null without a tokenizer.

    Raises:
        BaseLoadError: a file of the tokenizer is not JSON.
    """
    settings = _json(folder / "tokenizer_config.json")
    core = {key: value for key, value in _json(folder / "tokenizer.json").items() if key not in _STATE}
    pieces = folder / "tokenizer.model"
    if not core and not pieces.is_file():
        return None
    template = folder / "chat_template.jinja"
    return json_digest(
        {
            "core": core or sha256_file(pieces),
            "special": {key: _content(settings[key]) for key in _SPECIAL if settings.get(key) is not None},
            "template": template.read_text("utf-8") if template.is_file() else settings.get("chat_template"),
        }
    )


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise BaseLoadError(str(path.parent), f"{path.name} is damaged ({error}). Download the model again.") from error


def _content(token: Any) -> Any:
    """A special token as text, whichever of its two forms a library wrote."""
    return token.get("content") if isinstance(token, dict) else token
