"""Every error that a client can cause, as one tree; `sqlstate` is a class attribute.

    SqlError                            what the client sees: message, detail, hint, position, where
    ├── SyntaxError_                    42601  text that is no statement of ours, with its position
    ├── NameError_                      names that do not resolve, with the nearest one as a hint
    │   ├── UndefinedTable              42P01
    │   ├── UndefinedColumn             42703
    │   ├── UndefinedFunction           42883  also: no operator for these types
    │   ├── UndefinedObject             42704  schemas have 3F000, databases 3D000
    │   ├── AmbiguousColumn             42702
    │   └── AmbiguousFunction           42725
    ├── DuplicateObject                 42710  relations have 42P07, columns 42701
    ├── DependentObjects                2BP01  DROP of what others use
    ├── TypeMismatch                    42804
    ├── GroupingError                   42803
    ├── WindowingError                  42P20  a window function where none may stand, or a frame that is none
    ├── WrongObjectType                 42809
    ├── Unsupported                     0A000  known SQL that Tailrace does not run
    ├── InvalidParameter                22023
    ├── DataError                       22000  a row failed to evaluate
    │   ├── LostInput                   58030  what a source feeds is not what it reads any more
    │   ├── AssertedNull                23502  a NULL where a view asserts that there is none
    │   ├── DivisionByZero              22012
    │   ├── OutOfRange                  22003
    │   ├── InvalidText                 22P02
    │   ├── CardinalityViolation        21000
    │   ├── EncodeError                 22P03  a value that the format of a sink has no form for
    │   └── UnknownName                 42704  of a relation 42P01, of a function 42883 ...
    ├── InsufficientPrivilege           42501
    ├── ConstraintViolation             23502
    ├── TransactionState                25P02
    │   └── ReadOnlyTransaction         25006
    ├── ActiveTransaction               25001  what cannot run inside a transaction block
    ├── InvalidAuthorization            28P01  whoever it is did not show that it is
    ├── QueryCanceled                   57014
    ├── SessionTerminated               57P01  by pg_terminate_backend()
    ├── ObjectInUse                     55006  a durable subscription has another reader by now
    ├── LockNotAvailable                55P03  an advisory lock, for longer than lock_timeout
    ├── DeadlockDetected                40P01  of advisory locks
    ├── RaisedError                     P0001  what RAISE EXCEPTION says
    ├── LimitExceeded                   53400  names the setting that limits
    └── SourceError                     58030  a file or broker that cannot be read

`assert` is for our bugs, `SqlError` for the client's mistakes. Only a session's loop turns anything else into XX000.
"""

from typing import ClassVar


class SqlError(Exception):
    """What was wrong and what to do next. `position` counts characters of the statement text from 1; `where` says what
    data it was about, where the statement does not."""

    sqlstate: ClassVar[str] = "XX000"

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        position: int | None = None,
        where: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint
        self.position = position
        self.where = where


class SyntaxError_(SqlError):
    sqlstate = "42601"


class NameError_(SqlError):
    sqlstate = "42704"


class UndefinedTable(NameError_):
    sqlstate = "42P01"


class UndefinedColumn(NameError_):
    sqlstate = "42703"


class UndefinedFunction(NameError_):
    sqlstate = "42883"


class UndefinedObject(NameError_):
    sqlstate = "42704"


class UndefinedSchema(UndefinedObject):
    sqlstate = "3F000"


class UndefinedDatabase(UndefinedObject):
    sqlstate = "3D000"


class AmbiguousColumn(NameError_):
    sqlstate = "42702"


class AmbiguousFunction(NameError_):
    sqlstate = "42725"


class DuplicateObject(SqlError):
    sqlstate = "42710"


class DuplicateRelation(DuplicateObject):
    sqlstate = "42P07"


class DuplicateColumn(DuplicateObject):
    sqlstate = "42701"


class DuplicateAlias(DuplicateObject):
    sqlstate = "42712"


class DependentObjects(SqlError):
    sqlstate = "2BP01"


class TypeMismatch(SqlError):
    sqlstate = "42804"


class CannotCoerce(TypeMismatch):
    sqlstate = "42846"


class GroupingError(SqlError):
    sqlstate = "42803"


class WindowingError(SqlError):
    sqlstate = "42P20"


class InvalidFrameOffset(SqlError):
    sqlstate = "22013"


class InvalidLimit(SqlError):
    sqlstate = "2201W"


class InvalidOffset(SqlError):
    sqlstate = "2201X"


class MissingFrameOffset(SqlError):
    sqlstate = "22004"


class InvalidTableDefinition(SqlError):
    sqlstate = "42P16"


class InvalidColumnReference(SqlError):
    sqlstate = "42P10"


class WrongObjectType(SqlError):
    sqlstate = "42809"


class InsufficientPrivilege(SqlError):
    sqlstate = "42501"


class Unsupported(SqlError):
    sqlstate = "0A000"


class InvalidParameter(SqlError):
    sqlstate = "22023"


class DataError(SqlError):
    """A row failed to evaluate. `of` rebuilds the error that evaluation put into an error stream."""

    sqlstate = "22000"

    @staticmethod
    def of(text: str) -> "DataError":
        """The error behind one datum of an error stream: '<sqlstate> <message>'."""
        sqlstate, _, message = text.partition(" ")
        error = DATA_ERRORS.get(sqlstate, DataError)(message)
        return error


class LostInput(DataError):
    """What a source feeds is not what it reads any more."""

    sqlstate = "58030"


class NotRefreshed(DataError):
    """What a view is as of its last refresh, before the first."""

    sqlstate = "55000"


class AssertedNull(DataError):
    """A NULL where a view asserts that there is none."""

    sqlstate = "23502"


class DivisionByZero(DataError):
    sqlstate = "22012"


class OutOfRange(DataError):
    sqlstate = "22003"


class DatetimeOverflow(DataError):
    sqlstate = "22008"


class InvalidText(DataError):
    sqlstate = "22P02"


class InvalidDatetime(DataError):
    sqlstate = "22007"


class InvalidWidth(DataError):
    """Of width_bucket."""

    sqlstate = "2201G"


class InvalidBounds(DataError):
    """Of a range: flags that are none."""

    sqlstate = "42601"


class InvalidUnicodeEscape(DataError):
    """Of unistr(): what stands for no character."""

    sqlstate = "42601"


class InvalidTemplate(DataError):
    """Of to_char and its inverses: keywords that do not go together."""

    sqlstate = "42601"


class ArraySubscript(DataError):
    sqlstate = "2202E"


class ArrayTooLarge(DataError):
    sqlstate = "54000"


class NoCharacter(DataError):
    """A code that no character has."""

    sqlstate = "54000"


class InvalidArgument(DataError):
    sqlstate = "22023"


class InvalidEncoding(DataError):
    sqlstate = "22021"


class Untranslatable(DataError):
    """A character that another encoding does not have."""

    sqlstate = "22P05"


class IntervalOverflow(DataError):
    """A field of an interval."""

    sqlstate = "22015"


class InvalidBinary(DataError):
    """Of a client's datum in the binary format."""

    sqlstate = "22P03"


class NullNotAllowed(DataError):
    sqlstate = "22004"


class InvalidRegex(DataError):
    sqlstate = "2201B"


class StringTooLong(DataError):
    sqlstate = "22001"


class SubstringError(DataError):
    sqlstate = "22011"


class InvalidEscape(DataError):
    sqlstate = "22025"


class UnsupportedValue(DataError):
    """A value for which a function that exists is not defined (PostgreSQL's feature_not_supported at run time)."""

    sqlstate = "0A000"


class InvalidLogarithm(DataError):
    sqlstate = "2201E"


class InvalidPower(DataError):
    sqlstate = "2201F"


class InvalidTiles(DataError):
    sqlstate = "22014"


class InvalidNumber(DataError):
    """Of nth_value."""

    sqlstate = "22016"


class CardinalityViolation(DataError):
    sqlstate = "21000"


class UnknownName(DataError):
    """A text that is read as the name of something that there is not: 'x'::regtype."""

    sqlstate = "42704"


class UnknownRelation(UnknownName):
    sqlstate = "42P01"


class UnknownFunction(UnknownName):
    sqlstate = "42883"


class UnknownSchema(UnknownName):
    sqlstate = "3F000"


class UnknownDatabase(UnknownName):
    sqlstate = "3D000"


class AmbiguousName(UnknownName):
    sqlstate = "42725"


DATA_ERRORS: dict[str, type[DataError]] = {
    error.sqlstate: error
    for error in (
        DataError, LostInput, NotRefreshed, AssertedNull, DivisionByZero, OutOfRange, DatetimeOverflow, InvalidText,
        InvalidDatetime,
        InvalidArgument, InvalidRegex, StringTooLong, SubstringError, InvalidEscape, UnsupportedValue, InvalidLogarithm,
        InvalidPower, InvalidTiles, InvalidNumber, CardinalityViolation, ArraySubscript, ArrayTooLarge,
        InvalidWidth, NullNotAllowed,
        InvalidEncoding, Untranslatable, IntervalOverflow, InvalidTemplate, InvalidBinary, UnknownName, UnknownRelation,
        UnknownFunction, UnknownSchema,
        UnknownDatabase, AmbiguousName,
    )
}  # fmt: skip


class ConstraintViolation(SqlError):
    sqlstate = "23000"


class NotNullViolation(ConstraintViolation):
    sqlstate = "23502"


class UniqueViolation(ConstraintViolation):
    sqlstate = "23505"


class UndefinedStatement(SqlError):
    sqlstate = "26000"


class ObjectNotInState(SqlError):
    sqlstate = "55000"


class ObjectInUse(SqlError):
    sqlstate = "55006"


class UndefinedCursor(SqlError):
    sqlstate = "34000"


class DuplicateStatement(SqlError):
    sqlstate = "42P05"


class DuplicateCursor(SqlError):
    sqlstate = "42P03"


class UndefinedSavepoint(SqlError):
    sqlstate = "3B001"


class NoTransaction(SqlError):
    sqlstate = "25P01"


class TransactionState(SqlError):
    sqlstate = "25P02"


class ActiveTransaction(SqlError):
    sqlstate = "25001"


class SerializationFailure(SqlError):
    sqlstate = "40001"


class ReadOnlyTransaction(TransactionState):
    sqlstate = "25006"


class InvalidAuthorization(SqlError):
    sqlstate = "28P01"


class QueryCanceled(SqlError):
    sqlstate = "57014"


class SessionTerminated(SqlError):
    sqlstate = "57P01"


class LockNotAvailable(SqlError):
    sqlstate = "55P03"


class DeadlockDetected(SqlError):
    sqlstate = "40P01"


class EncodeError(DataError):
    sqlstate = "22P03"


class LimitExceeded(SqlError):
    sqlstate = "53400"


class SourceError(SqlError):
    sqlstate = "58030"


class MissingFile(SourceError):
    sqlstate = "58P01"


class DiskFull(SourceError):
    """A file of ours has no room for what waits in it."""

    sqlstate = "53100"


class ForbiddenFile(SourceError):
    """A file of the host that no setting lets clients read."""

    sqlstate = "42501"


class RaisedError(SqlError):
    sqlstate = "P0001"


class MalformedCopy(SqlError):
    sqlstate = "22P04"


class MalformedSource(SourceError):
    sqlstate = "22P04"
