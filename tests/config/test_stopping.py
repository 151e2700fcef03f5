"""SIGTERM ends a command as Ctrl-C does: what was begun is taken back."""

import os
import signal
import threading

import pytest

from adapterkit.config.stopping import stoppable


def test_what_was_begun_is_taken_back_and_the_handler_is_put_back():
    before, undone = signal.getsignal(signal.SIGTERM), []

    @stoppable
    def work():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            undone.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert undone == [True]
    assert signal.getsignal(signal.SIGTERM) is before


def test_another_thread_works_all_the_same():
    found = []
    thread = threading.Thread(target=stoppable(lambda: found.append(1)))
    thread.start()
    thread.join()
    assert found == [1]
