"""The folder of a run that was asked for from Python: a command's is Hydra's."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from adapterkit.names import as_name


def run_folder(outputs: str | Path, name: str) -> Path:
    """`<outputs>/<name>/<time>`, the time down to microseconds: a small training may take less than a second.

    Args:
        outputs: where all runs go.
        name: of the adapter, with its suffix.
    """
    return Path(outputs) / as_name(name) / datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
