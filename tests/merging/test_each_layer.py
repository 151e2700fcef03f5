"""Layers on several threads: the bits are those of one, and torch's own number of threads is left as it was."""

from __future__ import annotations

import time
from contextlib import closing

import pytest
import torch

from adapterkit.errors import UsageError
from adapterkit.merging.each_layer import each_layer
from adapterkit.merging.merge import MergeOptions, merge
from tests.merging.sources import change


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def wide():
    return [{f"layer{number}": change(16, 1200, 1000, seed=10 * source + number) for number in range(3)}
            for source in range(3)]  # fmt: skip


@pytest.mark.parametrize("method", ["average", "slerp", "ties", "dare_ties"])
def test_the_bits_depend_on_no_number_of_threads(method, monkeypatch):
    found = []
    for threads, cores in ((1, 1), (2, 1), (2, 3)):
        monkeypatch.setattr("adapterkit.merging.each_layer.usable_cores", lambda cores=cores: cores)
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        found.append(merge(wide(), MergeOptions(method, (1.0,) * 3, density=0.3)))
        torch.set_num_threads(before)
    first = found[0]
    for other in found[1:]:
        assert other.errors == first.errors
        assert list(other.modules) == list(first.modules)
        for name, factors in first.modules.items():
            assert torch.equal(other.modules[name].a, factors.a)
            assert torch.equal(other.modules[name].b, factors.b)


def test_one_thread_within_a_layer_and_as_many_as_before_afterwards(threads):
    with closing(each_layer(lambda _: torch.get_num_threads(), range(9))) as inside:
        assert set(inside) == {1}
    assert torch.get_num_threads() == threads


def test_an_error_in_a_layer_ends_all_of_them(threads):
    done = []

    def layer(number):
        done.append(number)
        if number == 3:
            raise UsageError("no such layer")
        if number > 3:
            time.sleep(0.001)  # else they may all be done before whoever waits for the fourth is woken
        return number

    with pytest.raises(UsageError, match="no such layer"), closing(each_layer(layer, range(10_000))) as layers:
        list(layers)
    assert len(done) < 10_000
    assert torch.get_num_threads() == threads


def test_whoever_watches_may_end_it(threads):
    started = []

    def watched(done, of):
        assert of == 400
        raise KeyboardInterrupt

    class Counted(dict):
        def get(self, name):
            started.append(name)
            return super().get(name)

    source = Counted({f"layer{number}": change(1, 6, 5) for number in range(400)})
    with pytest.raises(KeyboardInterrupt):
        merge([source], MergeOptions("average", (1.0,)), layer_done=watched)
    assert len(started) < 400
    assert torch.get_num_threads() == threads
