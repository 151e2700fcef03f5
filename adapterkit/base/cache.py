"""The user's cache: where converted bases are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """`$ADAPTERKIT_CACHE`, else `$XDG_CACHE_HOME/adapterkit`, else `~/.cache/adapterkit`; not created here."""
    if own := os.environ.get("ADAPTERKIT_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "adapterkit"
