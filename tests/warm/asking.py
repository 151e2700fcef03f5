"""How the warm process is asked. Imports nothing heavy: what stands first on PATH asks, too."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Mapping, Sequence


def ask(
    address: str,
    words: Sequence[str],
    *,
    folder: str,
    environment: Mapping[str, str],
    files: Sequence[int] = (0, 1, 2),
    begun: Callable[[int], object] | None = None,
    limit: float | None = None,
) -> int:
    """Run a program in a child of the server, and wait for its end.

    Args:
        address: of the server's socket.
        words: the program, which the server knows by its name, and what stands behind it.
        folder: in which it runs.
        environment: that it has.
        files: what it has as standard input, output and error.
        begun: is told its process id; null: nobody.
        limit: seconds after which nobody waits any longer; null: none.

    Returns:
        Its exit code; negative: the signal that ended it.

    Raises:
        TimeoutError: it took longer.
    """
    body = json.dumps({"words": [*words], "folder": folder, "environment": {**environment}}).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(limit)
        server.connect(address)
        socket.send_fds(server, [struct.pack("!I", len(body))], [*files])
        server.sendall(body)
        with server.makefile() as answers:
            child = int(answers.readline())
            if begun:
                begun(child)
            return int(answers.readline())
