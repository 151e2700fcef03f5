"""A process with the shim preloaded and everything imported, that forks one child for each act.

It is started as a program, reads one JSON request a line and answers with one JSON line. The child alone is armed.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from faults.forked import Said
from faults.operations import OPERATIONS
from faults.shim import FAULTS, INABILITIES, Kind, Shim


def main() -> None:
    """Answer requests until the input ends."""
    os.environ.pop("LD_PRELOAD")
    warm = OPERATIONS[sys.argv[1]].warm
    warm()
    shim = Shim()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(_in_a_child(shim, json.loads(line))), flush=True)


def _in_a_child(shim: Shim, request: dict[str, Any]) -> dict[str, Any]:
    """Fork, act, and return what the child said; a killed child says nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            answer = _act(shim, request)
            os.write(writing, json.dumps(answer).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status), "fired": True}
    return dict(json.loads(said))


def _act(shim: Shim, request: dict[str, Any]) -> dict[str, Any]:
    operation, folder = OPERATIONS[request["operation"]], Path(request["folder"])
    fault = {**FAULTS, **INABILITIES}[request["fault"]] if request.get("fault") else None
    act = operation.prepare if request["do"] == "prepare" else operation.act
    result, error = None, None
    shim.arm(folder, fault, request.get("number", 0), counted=Kind(request.get("counted", Kind.CHANGE)))
    try:
        result = act(folder)
    except BaseException as raised:
        error = raised
    shim.disarm()
    return {
        "signal": 0,
        "result": result,
        "error": asdict(Said.of(error)) if error else None,
        "fired": shim.fired,
        "log": shim.log if request.get("log") else [],
    }


if __name__ == "__main__":
    main()
