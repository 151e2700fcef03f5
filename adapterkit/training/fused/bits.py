"""What compiled kernels are made of: bfloat16 as bits, pointers, and an exponential that vectorizes."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
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


@intrinsic
def claim(_: Any, counter: Any) -> Any:
    """The number of the next piece that nobody has claimed."""

    def generate(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", arguments[0], ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(Job), generate


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


@njit(inline="always")
def store(value: Any) -> Any:
    """The bits of the nearest bfloat16, ties to even; NaN stays NaN."""
    bits = _bits(value)
    rounded = bits + types.uint32(0x7FFF) + ((bits >> types.uint32(16)) & types.uint32(1))
    return types.uint16((rounded if value == value else types.uint32(0x7FC00000)) >> types.uint32(16))


@njit(inline="always")
def exp(x: Any) -> Any:
    """e^x for x <= 0, to 2 units in the last place (the polynomial of Cephes' expf); NaN for NaN."""
    x = f32(-87.0) if x < f32(-87.0) else x
    n = -types.int32(f32(0.5) - x * f32(1.4426950408889634))
    r = x - f32(n) * f32(0.693359375) + f32(n) * f32(2.12194440e-4)
    p = f32(1.9875691500e-4) * r + f32(1.3981999507e-3)
    p = p * r + f32(8.3334519073e-3)
    p = p * r + f32(4.1665795894e-2)
    p = p * r + f32(1.6666665459e-1)
    p = p * r + f32(5.0000001201e-1)
    return (p * r * r + r + f32(1.0)) * real(types.uint32(n + types.int32(127)) << types.uint32(23))


@njit(inline="always")
def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    e = exp(-x if x > f32(0.0) else x)
    return (f32(1.0) if x >= f32(0.0) else e) / (f32(1.0) + e)


@intrinsic
def larger(_: Any, x: Any, y: Any) -> Any:
    """The larger of two, NaN where one is: the only maximum that LLVM vectorizes without leave to forget NaN."""

    def generate(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
        takes = ir.FunctionType(ir.FloatType(), [ir.FloatType(), ir.FloatType()])
        return builder.call(builder.module.declare_intrinsic("llvm.maximum", [ir.FloatType()], takes), arguments)

    return types.float32(types.float32, types.float32), generate
