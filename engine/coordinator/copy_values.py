# pyright: basic, reportAttributeAccessIssue=false
# pyarrow ships no types and makes the functions of pyarrow.compute at import: strict would report every expression.
"""COPY ... FROM STDIN: a column of fields as a column of words, in text or in the binary format.

Law   A field is read as its column's type; one that is none has an error in its row, and never another value. Nothing
      but the values themselves is interned, so the data leave no garbage in the heap.
"""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine import types
from engine.collection.vector import Vector
from engine.coordinator.copy_cut import Block, Cutter
from engine.errors import SqlError
from engine.expr import binary_forms
from engine.expr.binary_forms import EPOCH_DAYS, EPOCH_MICROS
from engine.expr.columns import failing, floats, pack
from engine.expr.evaluate import Context
from engine.expr.functions.casts import cast_function
from engine.expr.functions.text_casts import parsed
from engine.kernels import copy as kernels
from engine.types import CastContext, Category, Column, Physical, SqlType

INTEGER_BYTES: Final = {
    types.SMALLINT: 2, types.INTEGER: 4, types.BIGINT: 8, types.DATE: 4, types.TIME: 8, types.TIMESTAMP: 8,
    types.TIMESTAMPTZ: 8, types.OID: 4, **dict.fromkeys(types.REGISTERED, 4),
}  # fmt: skip
"""How long the binary form of each type of whole numbers is."""
UNSIGNED: Final = (types.OID, *types.REGISTERED)
EPOCHS: Final = {types.DATE: EPOCH_DAYS, types.TIMESTAMP: EPOCH_MICROS, types.TIMESTAMPTZ: EPOCH_MICROS}
"""What the binary form counts from, in the units and from the zero of the words."""
BAD_UTF8: Final = 'invalid byte sequence for encoding "UTF8"'


class Fields:
    """The fields of one column that are not NULL."""

    def __init__(self, block: Block, column: int, cutter: Cutter) -> None:
        marks = block.marks[:, column]
        absent: NDArray[np.bool_] = marks == kernels.NULL
        self.nulls: Final = absent if absent.any() else None
        rows = slice(None) if self.nulls is None else ~self.nulls
        self.begins = np.ascontiguousarray(block.begins[rows, column])
        self.ends = np.ascontiguousarray(block.ends[rows, column])
        self.marks = np.ascontiguousarray(marks[rows])
        self.sizes: Final = self.ends - self.begins
        self._data = block.data
        self._cutter = cutter

    def __len__(self) -> int:
        return len(self.begins)

    def raw(self) -> pa.LargeBinaryArray:
        """Their bytes, without quotes and escapes."""
        cutter = self._cutter
        offsets, data = kernels.values_of(self._data, self.begins, self.ends, self.marks, cutter.quote, cutter.escape)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(self), buffers)

    def texts(self) -> tuple[pa.LargeStringArray, NDArray[np.bool_] | None]:
        """As text, and those that are none (they are given as '')."""
        array = self.raw()
        if np.frombuffer(array.buffers()[2], np.uint8).all():  # no byte is 0, which no text has
            try:
                return array.cast(pa.large_string()), None
            except pa.ArrowInvalid:
                pass  # some are not UTF-8
        good: list[str] = []
        bad = np.zeros(len(self), np.bool_)
        for i, value in enumerate(array.to_pylist()):
            try:
                good.append(value.decode())
                bad[i] = "\0" in good[-1]
            except UnicodeDecodeError:
                good.append("")
                bad[i] = True
        return pa.array(good, pa.large_string()), bad

    def integers(self, size: int) -> NDArray[np.int64]:
        """Each as an integer of so many bytes in network order; 0 where it has another size."""
        good = self.sizes == size
        if good.all():
            return kernels.integers_of(self._data, self.begins, size)
        out = np.zeros(len(self), np.int64)
        out[good] = kernels.integers_of(self._data, self.begins[good], size)
        return out


def column_of(block: Block, column: int, cutter: Cutter, given: Column, context: Context) -> Vector:
    """One column of a block as its type."""
    fields = Fields(block, column, cutter)
    read = in_binary if cutter.form.binary else in_text
    found = read(fields, given.type, context)
    if fields.nulls is None:
        return found
    n, alive = len(block.lines), ~fields.nulls
    words = np.zeros(n, np.uint64)
    words[alive] = found.words
    errors = None
    if found.errors is not None:
        errors = np.zeros(n, np.uint64)
        errors[alive] = found.errors
    return Vector(words, fields.nulls, errors)


def in_text(fields: Fields, type: SqlType, context: Context) -> Vector:
    """Fields of the text and the CSV format."""
    array, bad = fields.texts()
    if type.category is Category.STRING:
        found = interned(array, type, context)
    else:
        found = parsed(array, type, context)
    return found if bad is None else failing(found.words, bad, context, "22021", BAD_UTF8, found.errors)


def interned(array: pa.LargeStringArray, type: SqlType, context: Context) -> Vector:
    """Strings of a string type: a name is cut, and char loses the blanks at its end."""
    words = Vector(context.heap.intern_arrow(array))
    if type in (types.TEXT, types.VARCHAR):
        return words
    function = cast_function(types.TEXT, type, CastContext.EXPLICIT)
    assert function is not None, type
    return function.kernel(context, [words], type)


def in_binary(fields: Fields, type: SqlType, context: Context) -> Vector:
    """Fields of the binary format."""
    if type in INTEGER_BYTES:
        return _integers(fields, type, context)
    match type.physical:
        case _ if type.nesting is not None:
            return _one_by_one(fields, type, context)
        case Physical.BOOLEAN:
            words = (fields.integers(1) != 0).astype(np.uint64)
            return _sized(words, fields, 1, type, context)
        case Physical.FLOAT if type == types.DOUBLE:
            return _sized(floats(fields.integers(8).view(np.float64)), fields, 8, type, context)
        case Physical.FLOAT:
            single = fields.integers(4).astype(np.int32).view(np.float32)
            return _sized(floats(single.astype(np.float64)), fields, 4, type, context)
        case Physical.BYTES if type in (types.TEXT, types.VARCHAR, types.CHAR):
            array, bad = fields.texts()
            found = interned(array, type, context)
            return found if bad is None else failing(found.words, bad, context, "22021", BAD_UTF8, found.errors)
        case Physical.BYTES if type == types.BYTEA:
            return Vector(context.heap.intern_arrow(fields.raw()))
        case Physical.BYTES if type == types.UUID:
            return _sized(context.heap.intern_arrow(fields.raw()), fields, 16, type, context)
        case _:
            return _one_by_one(fields, type, context)


def _sized(words: NDArray[np.uint64], fields: Fields, size: int, type: SqlType, context: Context) -> Vector:
    """The words, failed where a field is not so many bytes long."""
    return failing(words, fields.sizes != size, context, "22P03", _incorrect(type))


def _incorrect(type: SqlType) -> str:
    return f"incorrect binary data format for type {type.name}"


def _integers(fields: Fields, type: SqlType, context: Context) -> Vector:
    values = fields.integers(INTEGER_BYTES[type])
    if type in UNSIGNED:
        values &= 0xFFFF_FFFF
    found = _sized(values.view(np.uint64), fields, INTEGER_BYTES[type], type, context)
    epoch = EPOCHS.get(type)
    if epoch is None:
        return found
    beyond = values > np.iinfo(np.int64).max - epoch
    words = np.where(beyond, 0, values + epoch).view(np.uint64)
    if found.errors is not None:
        words[found.errors != 0] = 0
    return failing(words, beyond, context, "22008", f"{type.name} out of range", found.errors)


def _one_by_one(fields: Fields, type: SqlType, context: Context) -> Vector:
    """Forms with parts of their own: numeric, interval, jsonb, arrays, lists."""
    values: list[binary_forms.RawValue] = []
    errors = np.zeros(len(fields), np.uint64)
    for i, data in enumerate(fields.raw().to_pylist()):
        try:
            values.append(binary_forms.receive(data, type))
        except SqlError as error:
            errors[i] = context.error(error.sqlstate, error.message)
            values.append(None)
    words = pack(values, type, context)
    return Vector(words, None, errors if errors.any() else None)
