"""Keep libraries from advising or reporting what adapterkit has already decided."""

from __future__ import annotations

import logging

# The first advises a package for a CPU path that is switched off here (it rewrites the base); the second repeats one
# line for each 8-bit layer and forward.
_ADVISERS = ("bitsandbytes.backends.cpu.ops", "bitsandbytes.autograd._functions")


def quiet_libraries() -> None:
    """Raise the level of two bitsandbytes loggers to errors; call it before anything imports bitsandbytes."""
    for name in _ADVISERS:
        logging.getLogger(name).setLevel(logging.ERROR)
