"""The user's cache: where what can be made again is kept between runs, such as converted bases and encoded rows."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """`$ADAPTERKIT_CACHE`, else `$XDG_CACHE_HOME/adapterkit`, else `~/.cache/adapterkit`; not created here."""
    if own := os.environ.get("ADAPTERKIT_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "adapterkit"
