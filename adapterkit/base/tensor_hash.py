"""Hash tensors in memory on every core, while they are still being found.

Large tensors are hashed in pieces, so that one embedding does not keep a single core busy at the end; hashlib releases
the interpreter lock meanwhile. What is small is hashed where it is found: handing it over would cost more.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType

import torch

from adapterkit.base.canonical import Content, canonical_content, raw_content
from adapterkit.base.parallel import usable_cores

_PIECE = 1 << 22  # elements
_SMALL = 1 << 16  # bytes


class TensorHasher:
    """Records of named tensors: `dtype [shape] sha256`, and `strides (...)` after the shape of what is not contiguous.

    Of a tensor on a GPU, one piece for each core is on the host at once.

    Example:
        with TensorHasher() as hasher:
            for name, tensor in model.named_parameters():
                hasher.add(name, tensor)
        records = hasher.records()
    """

    def __init__(self) -> None:
        """Start no thread yet."""
        self._queue: SimpleQueue[tuple[str, int, torch.Tensor, Content] | None] = SimpleQueue()
        self._records: dict[str, str] = {}
        self._large: dict[str, tuple[str, int]] = {}
        self._found: dict[tuple[str, int], tuple[str, bytes]] = {}
        self._workers: list[Future[None]] = []

    def __enter__(self) -> TensorHasher:
        if torch.cuda.is_initialized():
            # Kernels on another stream may still be writing what is read here.
            torch.cuda.synchronize()
        self._pool = ThreadPoolExecutor(max(usable_cores() - 1, 1))
        self._workers = [self._pool.submit(self._work) for _ in range(usable_cores() - 1)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for _worker in range(len(self._workers) + 1):
            self._queue.put(None)
        if error is None:
            self._work()
        self._pool.shutdown()
        if error is None:
            for worker in self._workers:
                worker.result()

    def add(self, name: str, tensor: torch.Tensor, *, canonical: bool = True) -> None:
        """Hash one tensor, here or on another thread.

        Args:
            name: what to record it under.
            tensor: on any device, of any layout.
            canonical: whether a copy in a wider float dtype has the same record.
        """
        tensor = tensor.detach() if tensor.requires_grad else tensor
        content = canonical_content if canonical else raw_content
        if tensor.nbytes <= _SMALL:
            label, digest = _hash(tensor, content)
            self._records[name] = f"{label} {_form(tensor)} {digest.hex()}"
            return
        pieces = list(_pieces(tensor))
        self._large[name] = _form(tensor), len(pieces)
        for index, piece in enumerate(pieces):
            self._queue.put((name, index, piece, content))

    def records(self) -> dict[str, str]:
        """The records of all that was added; after the `with`."""
        return self._records | {name: self._joined(name, form, count) for name, (form, count) in self._large.items()}

    def _joined(self, name: str, form: str, count: int) -> str:
        found = [self._found[name, index] for index in range(count)]
        # Of several pieces the widest gives the name: bfloat16, float16, float32, as in the alphabet.
        widest = max(label for label, _ in found)
        tree = hashlib.sha256(b"".join(label.encode() + digest for label, digest in found))
        return f"{widest} {form} {found[0][1].hex() if count == 1 else tree.hexdigest()}"

    def _work(self) -> None:
        for name, index, piece, content in iter(self._queue.get, None):
            self._found[name, index] = _hash(piece, content)


def records_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """The record of every tensor of a table."""
    with TensorHasher() as hasher:
        for name, tensor in tensors.items():
            hasher.add(name, tensor)
    return hasher.records()


def _hash(tensor: torch.Tensor, content: Content) -> tuple[str, bytes]:
    here = tensor if tensor.is_cpu else tensor.cpu()
    label, bits = content(here if here.dim() == 1 and here.is_contiguous() else here.reshape(-1).contiguous())
    return label, hashlib.sha256(bits.data).digest()


def _form(tensor: torch.Tensor) -> str:
    return _text(tensor.shape) if tensor.is_contiguous() else f"{_text(tensor.shape)} strides {tensor.stride()}"


@functools.cache
def _text(shape: torch.Size) -> str:
    return str(list(shape))


def _pieces(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """Views of a tensor, row-major, none so large that making it contiguous would cost much."""
    if tensor.numel() <= _PIECE:
        yield tensor
    elif tensor.is_contiguous():
        yield from tensor.view(-1).split(_PIECE)
    else:
        rows = max(1, _PIECE * len(tensor) // tensor.numel())
        for part in tensor.split(rows) if len(tensor) > 1 else [tensor[0]]:
            yield from _pieces(part)
