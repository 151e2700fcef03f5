"""Processes that answer one question at a time over pipes, in the order of the questions.

Each is a fresh interpreter, neither a fork of this one, whose threads and locks it would inherit, nor one that imports
the caller's script again. It lives no longer than its pipes: when this process ends, of whatever cause, it reads the
end of its questions and ends too.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import IO

from adapterkit.errors import DataError

_SIZE = 8
_ENTRY = "import sys; sys.path[:] = sys.argv[2:]; import importlib; importlib.import_module(sys.argv[1]).main()"


def write_message(file: IO[bytes], content: bytes) -> None:
    """Write a message and its length."""
    file.write(len(content).to_bytes(_SIZE, "little") + content)
    file.flush()


def read_message(file: IO[bytes]) -> bytes | None:
    """The next message; null where the other side has ended."""
    head = file.read(_SIZE)
    size = int.from_bytes(head, "little")
    content = file.read(size) if len(head) == _SIZE else b""
    return content if len(head) == _SIZE and len(content) == size else None


class Workers:
    """Some processes that run the `main` of one module."""

    def __init__(self, module: str, count: int, *, news: Sequence[bytes], descriptors: Sequence[int] = ()) -> None:
        """Start them.

        Args:
            module: its `main` reads messages from its standard input; each of them is news, or is answered with one.
            count: of processes.
            news: what each is told first.
            descriptors: open files that each has under the same numbers.

        Raises:
            OSError: no process can be started.
        """
        self._news = list(news)
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        try:
            for _ in range(count):
                self._workers.append(_Worker(module, descriptors))
                self._idle.put(self._workers[-1])
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Workers:
        """Themselves."""
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self.close()

    def tell(self, news: bytes) -> None:
        """Something that each is told before its next question."""
        self._news.append(news)

    def answers(self, questions: Iterable[bytes]) -> Generator[bytes]:
        """The answer to each question, in their order; a few are asked ahead.

        Raises:
            DataError: a process ended before it had answered.
        """
        waiting: deque[Future[bytes]] = deque()
        with ThreadPoolExecutor(len(self._workers)) as pool:
            try:
                for question in questions:
                    waiting.append(pool.submit(self._ask, question))
                    if len(waiting) > 2 * len(self._workers):
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                if waiting:
                    # Nobody waits for these answers; a thread that does would keep the pool from ending.
                    pool.shutdown(wait=False, cancel_futures=True)
                    self.close()

    def close(self) -> None:
        """End all of them, whatever they are doing."""
        for worker in self._workers:
            worker.end()

    def _ask(self, question: bytes) -> bytes:
        worker = self._idle.get()
        try:
            return worker.ask(self._news, question)
        finally:
            self._idle.put(worker)


class _Worker:
    """One process."""

    def __init__(self, module: str, descriptors: Sequence[int]) -> None:
        self._told = 0
        # A group of its own: an interrupt from the keyboard is this process's to handle.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ENTRY, module, *sys.path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=descriptors, process_group=0,
            env={**os.environ, "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip

    def ask(self, news: Sequence[bytes], question: bytes) -> bytes:
        asked, answered = self._process.stdin, self._process.stdout
        if asked is None or answered is None:
            raise ValueError("a worker has pipes")
        with suppress(BrokenPipeError, ValueError):
            for each in news[self._told :]:
                write_message(asked, b"n" + each)
                self._told += 1
            write_message(asked, b"q" + question)
            if (answer := read_message(answered)) is not None:
                return answer
        raise DataError(
            f"A process that reads rows {_ending(self._process.wait())}. Perhaps the memory was full: give it more, or "
            "read in one process, with the environment variable ADAPTERKIT_WORKERS=1."
        )

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError, ValueError):
                    pipe.close()


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}; what it said stands above"
    return f"was ended by the signal {signal.Signals(-code).name}"
