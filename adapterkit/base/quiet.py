"""Keep libraries from advising or reporting what adapterkit has already decided."""

from __future__ import annotations

import logging
import os
import sys
import warnings

# The first advises a package for a CPU path that is switched off here (it rewrites the base); the second repeats one
# line for each 8-bit layer and forward; the third tells of a cache when it is first filled.
_ADVISERS = ("bitsandbytes.backends.cpu.ops", "bitsandbytes.autograd._functions", "matplotlib.font_manager")


def quiet_libraries() -> None:
    """Silence loggers of bitsandbytes and matplotlib, a warning of PEFT's, and progress bars that nobody watches.

    Call it before anything imports them.
    """
    if not sys.stderr.isatty():
        # The second is tqdm's own, for those that transformers draws besides, such as of a conversion.
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TQDM_DISABLE", "1")
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
    for name in _ADVISERS:
        logging.getLogger(name).setLevel(logging.ERROR)
