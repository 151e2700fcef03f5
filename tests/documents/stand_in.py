"""What stands first on PATH: hands a command to the process that has everything imported, and ends as it ends there.

It is started as a program with the server's address, the name of the program that it stands for, and that program's
words. It imports nothing heavy, so that a command costs what it does and not what it imports.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys

# What Python is asked for otherwise runs in an interpreter of its own, as it would: small programs, workers with pipes.
_BY_THE_SERVER = ("-m",)
_NO_MATTER = ("-u",)


def main(address: str, program: str, words: list[str]) -> int:
    """Ask the server to run a program, and return its exit code; negative: the signal that ended it."""
    if program == "python":
        words = [word for index, word in enumerate(words) if index or word not in _NO_MATTER]
        if not words or not (words[0] in _BY_THE_SERVER or words[0].endswith(".py")):
            os.execv(sys.executable, [sys.executable, *words])
    asked = {"program": program, "words": words, "folder": os.getcwd(), "environment": dict(os.environ)}
    body = json.dumps(asked).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [struct.pack("!I", len(body))], [0, 1, 2])
        server.sendall(body)
        with server.makefile() as answers:
            child = int(answers.readline())
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda number, _: os.kill(child, number))
            return int(answers.readline())


if __name__ == "__main__":
    code = main(sys.argv[1], sys.argv[2], sys.argv[3:])
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)
