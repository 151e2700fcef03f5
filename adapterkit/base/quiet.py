"""Keep libraries from advising or reporting what adapterkit has already decided."""

from __future__ import annotations

import logging
import warnings

# The first advises a package for a CPU path that is switched off here (it rewrites the base); the second repeats one
# line for each 8-bit layer and forward.
_ADVISERS = ("bitsandbytes.backends.cpu.ops", "bitsandbytes.autograd._functions")


def quiet_libraries() -> None:
    """Silence two loggers of bitsandbytes and a warning that PEFT provokes; call it before anything imports them."""
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
    for name in _ADVISERS:
        logging.getLogger(name).setLevel(logging.ERROR)
