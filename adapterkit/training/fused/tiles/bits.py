"""What compiled kernels are made of: bfloat16 as bits, pointers, and an exponential that vectorizes."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.extending import intrinsic

Job = types.CPointer(types.int64)
_Halves, _Floats = types.CPointer(types.uint16), types.CPointer(types.float32)
f32 = np.float32

# Sums may be reordered; NaN and infinity keep their meaning.
FAST = {"reassoc", "contract", "nsz"}


def _at(pointer: Any) -> Any:
    @intrinsic
    def at(_: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, __: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(pointer))

        return pointer(types.int64), generate

    return at


halves, floats, integers = _at(_Halves), _at(_Floats), _at(Job)
words, bytes_at = _at(types.CPointer(types.uint32)), _at(types.CPointer(types.uint8))


@intrinsic
def claim(_: Any, counter: Any) -> Any:
    """The number of the next piece that nobody has claimed."""

    def generate(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", arguments[0], ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(Job), generate


@intrinsic
def finished(_: Any, counter: Any) -> Any:
    """One piece more is done: whoever reads the counter sees what the piece has written."""

    def generate(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", arguments[0], ir.Constant(ir.IntType(64), 1), "seq_cst")

    return types.int64(Job), generate


@intrinsic
def seen(_: Any, counter: Any) -> Any:
    """What a counter stands at."""

    def generate(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
        return builder.load_atomic(arguments[0], "acquire", 8)

    return types.int64(Job), generate


@intrinsic
def rest(_: Any) -> Any:
    """Let the processor rest for a moment."""

    def generate(context: Any, builder: Any, __: Any, ___: Any) -> Any:
        takes = ir.FunctionType(ir.VoidType(), [])
        builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", (), takes), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def call(_: Any, function: Any) -> Any:
    """Call a function without arguments, given its address."""

    def generate(context: Any, builder: Any, __: Any, arguments: Any) -> Any:
        takes = ir.FunctionType(ir.IntType(32), []).as_pointer()
        builder.call(builder.inttoptr(arguments[0], takes), [])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def _bits(_: Any, value: Any) -> Any:
    return types.uint32(types.float32), lambda _, builder, __, values: builder.bitcast(values[0], ir.IntType(32))


@intrinsic
def real(_: Any, value: Any) -> Any:
    """The float32 of 32 bits."""
    return types.float32(types.uint32), lambda _, builder, __, values: builder.bitcast(values[0], ir.FloatType())


@njit(inline="always")
def load(half: Any) -> Any:
    """Float32 from the bits of a bfloat16."""
    return real(types.uint32(half) << types.uint32(16))


class _Bfloat(ir.Type):  # type: ignore[misc]
    """LLVM's bfloat, which llvmlite does not name."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bfloat)

    def __hash__(self) -> int:
        return hash(_Bfloat)


@intrinsic
def store(_: Any, value: Any) -> Any:
    """The bits of the nearest bfloat16, ties to even; NaN stays NaN."""

    def generate(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
        return builder.bitcast(builder.fptrunc(arguments[0], _Bfloat()), ir.IntType(16))

    return types.uint16(types.float32), generate


@intrinsic
def _nearest(_: Any, x: Any) -> Any:
    """The nearest integer, a float32."""

    def generate(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
        takes = ir.FunctionType(ir.FloatType(), [ir.FloatType()])
        return builder.call(builder.module.declare_intrinsic("llvm.rint", [ir.FloatType()], takes), arguments)

    return types.float32(types.float32), generate


@njit(inline="always")
def exp(x: Any) -> Any:
    """e^x for |x| <= 87, and as at the nearer end beyond; to 3e-7 of its value; NaN for NaN.

    2^n 2^f with a polynomial of degree 6 for 2^f, |f| <= 1/2 (Taylor's, whose next term is 1e-7).
    """
    x = f32(-87.0) if x < f32(-87.0) else x
    x = f32(87.0) if x > f32(87.0) else x
    z = x * f32(1.4426950408889634)
    n = _nearest(z)
    f = z - n
    p = f32(1.5403530393381608e-4) * f + f32(1.3333558146428443e-3)
    p = p * f + f32(9.618129107628477e-3)
    p = p * f + f32(5.550410866482158e-2)
    p = p * f + f32(2.402265069591007e-1)
    p = p * f + f32(6.931471805599453e-1)
    p = p * f + f32(1.0)
    return real(_bits(p) + (types.uint32(types.int32(n)) << types.uint32(23)))


@njit(inline="always")
def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    return f32(1.0) / (f32(1.0) + exp(-x))


@intrinsic
def larger(_: Any, x: Any, y: Any) -> Any:
    """The larger of two, NaN where one is: the only maximum that LLVM vectorizes without leave to forget NaN."""

    def generate(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
        takes = ir.FunctionType(ir.FloatType(), [ir.FloatType(), ir.FloatType()])
        return builder.call(builder.module.declare_intrinsic("llvm.maximum", [ir.FloatType()], takes), arguments)

    return types.float32(types.float32, types.float32), generate


@intrinsic
def product(
    _: Any, f: Any, m: Any, n: Any, k: Any, lda: Any, ldb: Any, ldc: Any, add: Any, a: Any, b: Any, c: Any
) -> Any:
    """C (m, n) = A (m, k) B (k, n), or C += A B with `add` 1: PyTorch's `brgemm`, whose address is `f`.

    Addresses and distances between rows; A is bfloat16, B the same with pairs of rows woven together
    (`weave`), C float32.
    """

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        takes = ir.FunctionType(ir.VoidType(), [word] * 11).as_pointer()
        builder.call(builder.inttoptr(arguments[0], takes), [*arguments[1:], ir.Constant(word, 1)])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 11), generate


@intrinsic
def release(_: Any, f: Any) -> Any:
    """Give the matrix unit of this thread back: PyTorch's `brgemm_release`, whose address is `f`."""

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        takes = ir.FunctionType(ir.VoidType(), [word]).as_pointer()
        builder.call(builder.inttoptr(arguments[0], takes), [ir.Constant(word, 1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def prefetch(_: Any, address: Any) -> Any:
    """Ask for the 64 bytes at an address, to be read soon."""

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        takes = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        called = builder.module.declare_intrinsic("llvm.prefetch", [byte], takes)
        constants = [ir.Constant(word, value) for value in (0, 3, 1)]
        builder.call(called, [builder.inttoptr(arguments[0], byte), *constants])
        return context.get_dummy_value()

    return types.void(types.int64), generate


def rounds_itself() -> bool:
    """Whether this processor turns float32 into bfloat16; for others LLVM would call a function that nobody brings."""
    return bool(binding.get_host_cpu_features().get("avx512bf16"))
