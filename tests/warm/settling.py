"""What is imported stays: a collection of garbage need not look at it, nor a forked child copy its pages."""

from __future__ import annotations

import gc
import importlib

# What a training imports on the way, and every forked child would import again.
_LATE = ("matplotlib.pyplot", "matplotlib.backends.backend_agg", "transformers.models.llama.modeling_llama")


def settle(*more: str) -> None:
    """Import what trainings import late, and these modules, and take all that lives out of the collector's sight.

    Each training collects garbage several times, for a second and more where it is a forked child.
    """
    for name in (*_LATE, *more):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
