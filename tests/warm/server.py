"""A process with everything imported, that forks a child for each command, so that none takes time to start.

It is started as a program with the address of its socket, the path of the program that stands for Python, and the
module of the programs that it can run; it lives until its stdin ends. A command comes with the folder, the environment,
and the three open files of whoever asks.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import pkgutil
import select
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import adapterkit
from tests.warm.settling import settle

Run = Callable[[list[str]], None]

# They warn when they are imported a second time, as `python -m` does with a module that it runs.
_RUN_AS_PROGRAMS = ("__main__", "adapterkit.train", "adapterkit.merge", "adapterkit.workflows.rerun")


def main(address: str, python: str, programs: str) -> None:
    """Answer until the input ends.

    Args:
        address: of the socket.
        python: the program that stands for Python.
        programs: a module with `run`, which becomes a program, and `warm`, which is called once before.
    """
    known = importlib.import_module(programs)
    _warm(known.warm)
    # What a child starts of its own is to come here, too.
    sys.executable = python
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listening, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            connection, _ = listening.accept()
            if not os.fork():
                listening.close()
                _attend(connection, known.run)
            connection.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _warm(more: Callable[[], None]) -> None:
    for module in pkgutil.walk_packages(adapterkit.__path__, "adapterkit."):
        if not module.name.endswith(_RUN_AS_PROGRAMS):
            # The compiled passes refuse to be imported where the processor lacks their instructions.
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    more()
    settle()


def _attend(connection: socket.socket, run: Run) -> None:
    """Run one command in a child, and tell how it ended. Leaves the process."""
    head, files, _, _ = socket.recv_fds(connection, 4, 3)
    (size,) = struct.unpack("!I", head)
    with connection.makefile("rb") as asked:
        wanted = json.loads(asked.read(size))
    child = os.fork()
    if not child:
        connection.close()
        _become(wanted, files, run)
    connection.sendall(f"{child}\n".encode())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    connection.sendall(f"{code}\n".encode())
    os._exit(0)


def _become(wanted: dict[str, Any], files: list[int], run: Run) -> None:
    """Run the program in the place of whoever asked. Leaves as a program does, with all that it does at its end."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    _leave(lambda: run(wanted["words"]))


def _leave(program: Callable[[], None]) -> None:
    """Run it, then what is to run at the end, and leave: to take everything apart would take two seconds."""
    code: Any = 1
    try:
        program()
        code = 0
    except SystemExit as left:
        code = left.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code or 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
