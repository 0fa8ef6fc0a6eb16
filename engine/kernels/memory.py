# pyright: basic
# numba's intrinsics build LLVM IR: nothing in them has a Python type.
"""Loads, stores and prefetches that numba has no word for, as LLVM instructions; used inside kernels only.

`load64` and `store64` neither check bounds nor need alignment: the caller owns both facts.
`prefetch` never faults, so any index is allowed; it is how a kernel lets the cache misses of a block overlap.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.extending import register_jitable

_I8, _I32, _I64, _I128 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.IntType(128)
intrinsic: Any = extending.intrinsic
"""Untyped: the first parameter of what it decorates is numba's, not the caller's."""

ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


def _address(context, builder, array_type, array, index):
    """The address of element `index`, as i8*."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), cgutils.voidptr_t)


@intrinsic
def load64(typingctx, array, index):
    """The 8 bytes from `array[index]` on, as a little-endian word."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], *arguments)
        return builder.load(builder.bitcast(address, _I64.as_pointer()), align=1)

    return types.uint64(array, types.intp), generate


@intrinsic
def store64(typingctx, array, index, word):
    """Put a word into the 8 bytes from `array[index]` on."""

    def generate(context, builder, signature, arguments):
        *place, word = arguments
        address = _address(context, builder, signature.args[0], *place)
        builder.store(word, builder.bitcast(address, _I64.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.uint64), generate


@intrinsic
def prefetch(typingctx, array, index):
    """Ask for the cache line of `array[index]` and go on."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], *arguments)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [address, _I32(0), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@intrinsic
def fold(typingctx, a, b):
    """The 128-bit product of two words, its halves xored: the mixing step of wyhash."""

    def generate(context, builder, signature, arguments):
        wide = builder.mul(builder.zext(arguments[0], _I128), builder.zext(arguments[1], _I128))
        high = builder.trunc(builder.lshr(wide, _I128(64)), _I64)
        return builder.xor(high, builder.trunc(wide, _I64))

    return types.uint64(types.uint64, types.uint64), generate


@intrinsic
def multiply_high(typingctx, a, b):
    """The upper 64 bits of the unsigned 128-bit product."""

    def generate(context, builder, signature, arguments):
        wide = builder.mul(builder.zext(arguments[0], _I128), builder.zext(arguments[1], _I128))
        return builder.trunc(builder.lshr(wide, _I128(64)), _I64)

    return types.uint64(types.uint64, types.uint64), generate


@intrinsic
def trailing_zeros(typingctx, word):
    """How many zero bits a word other than 0 ends in."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.uint64(types.uint64), generate


@intrinsic
def byteswap(typingctx, word):
    """The word with its bytes reversed: bytes read little-endian then compare as text does."""

    def generate(context, builder, signature, arguments):
        return builder.bswap(arguments[0])

    return types.uint64(types.uint64), generate


@register_jitable
def load_tail(data, at, n):
    """The n <= 8 bytes from `data[at]` on as a little-endian word, zeros above; never reads beyond `data`.

    One load and a shift except in the last 8 bytes of the buffer: a loop over bytes would mispredict on mixed lengths.
    """
    if n == 0:
        return np.uint64(0)
    if at + 8 <= len(data):
        return load64(data, at) & (ONES >> np.uint64(64 - 8 * n))
    word = np.uint64(0)
    for k in range(n):
        word |= np.uint64(data[at + k]) << np.uint64(8 * k)
    return word


@register_jitable
def same_bytes(a, i, b, j, n):
    """Whether a[i:i+n] equals b[j:j+n]. O(n/8)."""
    while n > 8:
        if load64(a, i) != load64(b, j):
            return False
        i += 8
        j += 8
        n -= 8
    return load_tail(a, i, n) == load_tail(b, j, n)


@register_jitable
def copy_bytes(source, i, target, j, n):
    """target[j:j+n] = source[i:i+n]. O(n/8)."""
    while n >= 8:
        store64(target, j, load64(source, i))
        i += 8
        j += 8
        n -= 8
    for k in range(n):
        target[j + k] = source[i + k]


@register_jitable
def doubled(array):
    """The array with as many zeros after it. For Python and for kernels, of any number of dimensions."""
    return np.concatenate((array, np.zeros_like(array)))
