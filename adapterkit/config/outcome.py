"""How a Hydra door ends: one clear message and an exit code, never a traceback for what a user can cause."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from adapterkit.errors import AdapterKitError

INTERRUPTED = 75


def run_door(job: Callable[[], Any]) -> None:
    """Run a Hydra job and leave with its exit code.

    0 fine, 1 failed, 2 wrong usage, 75 interrupted (EX_TEMPFAIL). `ADAPTERKIT_DEBUG=1` lets the traceback through.
    """
    # Only so does Hydra hand exceptions on; otherwise it prints a traceback of its own and exits.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        job()
    except (AdapterKitError, HydraException, OmegaConfBaseException) as error:
        if os.environ.get("ADAPTERKIT_DEBUG"):
            raise
        logging.shutdown()
        print(f"error: {_message(error)}", file=sys.stderr)
        sys.exit(error.exit_code if isinstance(error, AdapterKitError) else 2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _message(error: Exception) -> str:
    """The error's text; Hydra's come with the cause behind them, which names the key."""
    texts = [str(error).strip()]
    cause = error.__cause__
    while cause is not None and not isinstance(error, AdapterKitError):
        if str(cause).strip() and str(cause).strip() not in texts[0]:
            texts.append(str(cause).strip())
        cause = cause.__cause__
    # Where Hydra looked is no help to somebody who misspelt a name; the options that it lists before are.
    return "\n".join(texts).partition("\nConfig search path:")[0].strip()
