"""A process with everything imported, that forks the ranks of one launch, so that a launch takes no time to start.

It is started as a program, reads one request a line, and answers with the ranks' process ids and then with their exit
codes, which are negative for the signal that killed one. Each rank's stdout and stderr go to files of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from adapterkit.config.outcome import run_door
from adapterkit.config.schema import TrainConfig
from adapterkit.ranks import Launch, join, leave
from adapterkit.ranks.door import together
from adapterkit.workflows.train import train
from tests.ranks import mischief
from tests.warm.settling import settle


def main() -> None:
    """Answer until the input ends."""
    settle("adapterkit.base.load", "adapterkit.evaluation.paired", "adapterkit.training.ranked")
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        # A port that is free now; another process may take it before rank 0 does, which fails loudly.
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = str(taken.getsockname()[1])
        children = [_forked(request, number, port) for number in range(request["count"])]
        print(json.dumps(children), flush=True)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(json.dumps(codes), flush=True)


def _forked(request: dict[str, Any], number: int, port: str) -> int:
    child = os.fork()
    if child:
        return child
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    folder = Path(request["folder"])
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / f"rank{number}.{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    code = 1
    try:
        _run(request, number)
        code = 0
    except SystemExit as left:
        code = int(left.code or 0)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _run(request: dict[str, Any], number: int) -> None:
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TrainConfig), request["config"]))
    for each in request["mischief"]:
        if each["rank"] == number:
            getattr(mischief, each["kind"])(config)

    def job() -> None:
        if request["count"] == 1:
            train(config)
            return
        ranks = join(Launch(number, request["count"], number, cpu=True, sharded=request["sharded"]))
        together(ranks, lambda: train(config))
        leave()

    run_door(job)


if __name__ == "__main__":
    main()
