"""A process with everything imported, that forks one child for each training, so that one can be killed in its midst.

It is started as a program, reads one config a line, and answers with the child's process id and then with its exit
code, which is negative for the signal that killed it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from omegaconf import OmegaConf

from adapterkit.config.schema import TrainConfig
from adapterkit.training.interruption import TrainingInterrupted
from adapterkit.workflows.train import train
from tests.warm.settling import settle

INTERRUPTED, CTRL_C = 75, 130


def main() -> None:
    """Answer until the input ends."""
    settle("adapterkit.base.load", "adapterkit.evaluation.paired")
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os._exit(_train(json.loads(line)))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _train(plain: dict[str, Any]) -> int:
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TrainConfig), plain))
    try:
        train(config)
    except TrainingInterrupted:
        return INTERRUPTED
    except KeyboardInterrupt:
        return CTRL_C
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
