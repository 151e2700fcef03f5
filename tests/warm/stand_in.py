"""What stands first on PATH: hands a command to the process that has everything imported, and ends as it ends there.

It is started as a program with the server's address, the name of the program that it stands for, and that program's
words. It imports nothing heavy, so that a command costs what it does and not what it imports.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

# It is started without the folder of its own in sight, so that nothing that lies where it is started is imported.
sys.path.insert(0, str(Path(__file__).parent))

from asking import ask

# What Python is asked for otherwise runs in an interpreter of its own, as it would: small programs, workers with pipes.
_BY_THE_SERVER = ("-m",)
_NO_MATTER = ("-u",)


def main(address: str, program: str, words: list[str]) -> int:
    """Ask the server to run a program, and return its exit code; negative: the signal that ended it."""
    if program == "python":
        words = [word for index, word in enumerate(words) if index or word not in _NO_MATTER]
        if not words or not (words[0] in _BY_THE_SERVER or words[0].endswith(".py")):
            os.execv(sys.executable, [sys.executable, *words])
    return ask(address, [program, *words], folder=os.getcwd(), environment=os.environ, begun=_pass_signals_on)


def _pass_signals_on(child: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.kill(child, number))


if __name__ == "__main__":
    code = main(sys.argv[1], sys.argv[2], sys.argv[3:])
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)
