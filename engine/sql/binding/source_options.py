"""The options of sources and connections, taken one by one; what nobody takes is refused by name."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from engine.catalog.connections import ConnectionDescription, FileRef, SecretRef, Setting
from engine.catalog.items import Connection, Secret, kind
from engine.errors import InvalidParameter, SyntaxError_, WrongObjectType
from engine.expr.interval_text import parse_interval
from engine.sql.binding.context import Context
from engine.sql.statement.parts import Option
from engine.sql.syntax import Name


class Options:
    """The options of a statement by name; whoever takes all that it knows ends with `done`."""

    def __init__(self, what: str, options: Iterable[Option], reads: "Reads") -> None:
        self._what = what
        self._reads = reads
        self._left: dict[str, Option] = {}
        for option in options:
            if option.name in self._left:
                raise SyntaxError_(f'option "{option.name}" is given twice', position=option.at)
            self._left[option.name] = option

    def take(self, *names: str) -> Option | None:
        """The option that bears one of the names."""
        found = [self._left.pop(name) for name in names if name in self._left]
        if len(found) > 1:
            raise SyntaxError_(f'option "{found[1].name}" means the same as "{found[0].name}"', position=found[1].at)
        return found[0] if found else None

    def peek(self, name: str) -> Option | None:
        """The option of that name, which stays to be taken."""
        return self._left.get(name)

    def text(self, *names: str) -> str | None:
        option = self.take(*names)
        if option is None:
            return None
        if not isinstance(option.value, str):
            raise InvalidParameter(f'option "{option.name}" must be a string', position=option.at)
        return option.value

    def integer(self, name: str, low: int, high: int) -> int | None:
        option = self.take(name)
        if option is None:
            return None
        value = option.value
        if isinstance(value, str) and value.removeprefix("-").isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise InvalidParameter(
                f'option "{option.name}" must be an integer between {low} and {high}', position=option.at
            )
        return value

    def milliseconds(self, name: str, high: int) -> int | None:
        """An interval, as ms up to `high`."""
        option = self.take(name)
        if option is None:
            return None
        interval = parse_interval(str(option.value))
        total = interval.days * 86_400_000 + interval.microseconds // 1000
        if interval.months or not 0 <= total <= high:
            raise InvalidParameter(
                f"{name.upper()} must be an interval from 0 to {high / 3_600_000:g} hours, without months",
                position=option.at,
            )
        return total

    def number(self, name: str, least: float) -> float | None:
        """A number above `least`."""
        option = self.take(name)
        if option is None:
            return None
        if not isinstance(option.value, int | float) or isinstance(option.value, bool) or option.value <= least:
            raise InvalidParameter(f'option "{option.name}" must be a number above {least}', position=option.at)
        return float(option.value)

    def setting(self, name: str, file: str | None = None) -> Setting | None:
        """A value in the open, SECRET name, or (under the name `file`) a path of the server."""
        if file is not None:
            path = self.text(file)
            if path is not None:
                return FileRef(path)
        option = self.take(name)
        if option is None:
            return None
        if isinstance(option.value, Name):
            return self._reads.secret(option.value)
        if not isinstance(option.value, str):
            raise InvalidParameter(f'option "{option.name}" must be a string or SECRET name', position=option.at)
        return option.value

    def content(self, name: str) -> Setting | None:
        """SECRET name, or the path of a file of the server."""
        option = self._left.get(name)
        value = self.setting(name)
        if isinstance(value, str) and option is not None:
            return FileRef(value)
        return value

    def name(self, *names: str) -> Name | None:
        """The name of an object, perhaps qualified."""
        option = self.take(*names)
        if option is None:
            return None
        if not isinstance(option.value, Name):
            raise InvalidParameter(f'option "{option.name}" must be a name', position=option.at)
        return option.value

    def hidden(self, name: str, file: str | None = None) -> Setting | None:
        """As `setting`, of a value that nobody may see: it cannot stand in the open, for the statement is in the
        catalog. One that an older log has is taken."""
        option = self._left.get(name)
        value = self.setting(name, file)
        if isinstance(value, str) and not self._reads.context.restoring:
            raise InvalidParameter(
                f"{name.upper()} in the open would be in the catalog for all to read",
                hint=f"CREATE SECRET name AS '...'; then {name.upper()} = SECRET name",
                position=None if option is None else option.at,
            )
        return value

    def url(self, name: str) -> str | None:
        """A URL without a password in it."""
        value = self.text(name)
        return None if value is None else without_password(value, self._reads)

    def flag(self, name: str) -> bool | None:
        """NAME alone is true."""
        option = self.take(name)
        if option is None:
            return None
        if option.value is not None and not isinstance(option.value, bool):
            raise InvalidParameter(f'option "{option.name}" is either true or false', position=option.at)
        return option.value is not False

    def done(self) -> None:
        for option in self._left.values():
            raise InvalidParameter(f'unrecognized {self._what} option "{option.name}"', position=option.at)


def without_password(url: str, reads: "Reads") -> str:
    """The URL, if there is no password in it, which the catalog would show."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return url  # whoever wants a URL there says that it is none
    if password is not None and not reads.context.restoring:
        raise InvalidParameter(
            "a URL with a password in it would be in the catalog for all to read",
            hint="CREATE SECRET name AS '...'; then PASSWORD = SECRET name",
        )
    return url


class Reads:
    """The secrets and connections that a statement names."""

    def __init__(self, context: Context) -> None:
        self.context: Final = context
        self.ids: Final[set[int]] = set()

    def secret(self, name: Name) -> SecretRef:
        item = self.context.resolve(name)
        if not isinstance(item, Secret):
            raise WrongObjectType(f'"{name}" is a {kind(item)}, not a secret', position=name.at)
        self.ids.add(item.id)
        return SecretRef(item.id)

    def connection(self, name: Name) -> ConnectionDescription:
        item = self.context.resolve(name)
        if not isinstance(item, Connection):
            raise WrongObjectType(f'"{name}" is a {kind(item)}, not a connection', position=name.at)
        self.ids.add(item.id)
        return item.description
