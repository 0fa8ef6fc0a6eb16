"""Which files of the host a client may have read, and which written: those below the roots of either, and of the data
directory not the log itself.

A path counts as what it leads to: `..` and symbolic links are followed first, and what is opened is what was checked.
Asked at each opening, not only when a source is made: a restart with other roots means those.
"""

import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from glob import escape, iglob
from pathlib import Path
from typing import Final

from engine.errors import ForbiddenFile, MissingFile, SourceError

WILD: Final = re.compile(r"[*?\[{]")
"""What makes a part of a path a pattern."""

BRACES: Final = re.compile(r"\{([^{}]*)\}")


def alternatives(pattern: str) -> Iterator[str]:
    """The patterns without braces that {a,b} stands for."""
    found = BRACES.search(pattern)
    if found is None:
        yield pattern
        return
    for each in found[1].split(","):
        yield from alternatives(pattern[: found.start()] + each + pattern[found.end() :])


@dataclass(frozen=True, slots=True)
class Roots:
    """`allowed`: directories; None: anywhere. `log`: the directory whose tailrace.db has secrets and passwords.
    `setting`: what the server calls them."""

    allowed: tuple[Path, ...] | None = None
    log: Path | None = None
    setting: str = "file_roots"

    def find(self, path: str) -> Path:
        """The regular file that the path leads to. ForbiddenFile when it is not below a root, there or not."""
        try:
            found = Path(path).resolve()
            self._check(path, found)
            mode = found.stat().st_mode  # one look: files come and go meanwhile
            if stat.S_ISREG(mode):
                return found
            if stat.S_ISDIR(mode):
                raise SourceError(
                    f'file "{path}" cannot be read: it is a directory', hint="Of a directory its files are read."
                )
            raise SourceError(f'file "{path}" cannot be read: it is no regular file')
        except (FileNotFoundError, NotADirectoryError):
            raise MissingFile(f'file "{path}" does not exist', hint="Paths are the server's.") from None
        except (OSError, RuntimeError, ValueError) as error:  # no permission; links that go round; a NUL in the path
            raise SourceError(f'file "{path}" cannot be read: {error}') from None

    def place(self, path: str) -> Path:
        """Where a file of that path is to be written: there is none, or a regular one that it takes the place of. A
        root is made when it is first written to."""
        try:
            found = Path(path).resolve()
            self._check(path, found)
            if found.parent in (root.resolve() for root in self.allowed or ()):
                found.parent.mkdir(parents=True, exist_ok=True)
            if found.exists() and not found.is_file():
                raise SourceError(f'file "{path}" cannot be written: it is no regular file')
            if not found.parent.is_dir():
                raise MissingFile(f'file "{path}" cannot be written: there is no directory "{found.parent}"')
        except (OSError, RuntimeError, ValueError) as error:
            raise SourceError(f'file "{path}" cannot be written: {error}') from None
        return found

    def find_all(self, path: str) -> tuple[Path, ...]:
        """Regular files, each once and in the order of their paths: the one at the path, those in the directory, or
        those that match its pattern (hidden ones only where the pattern says the dot)."""
        parts = Path(path).parts
        wild = next((i for i, part in enumerate(parts) if WILD.search(part)), len(parts))
        try:
            self._check(path, Path(*parts[:wild]).resolve())
            if Path(path).is_dir():
                patterns = [escape(path) + "/*"]
            elif wild == len(parts) or Path(path).exists():
                return (self.find(path),)
            else:
                patterns = list(alternatives(path))
                if any(".." in Path(each).parts[wild:] for each in patterns):
                    raise ForbiddenFile(f'pattern "{path}" has ".." behind a wildcard')
            matches = [each for pattern in patterns for each in iglob(pattern, recursive=True) if Path(each).is_file()]
        except (OSError, RuntimeError, ValueError) as error:
            raise SourceError(f'files "{path}" cannot be read: {error}') from None
        if not matches:
            raise MissingFile(f'no file is in or matches "{path}"', hint="Paths are the server's.")
        return tuple(sorted(set(self._those(matches))))

    def _those(self, paths: list[str]) -> Iterator[Path]:
        """The files that the paths lead to. One that has gone since it was seen is none."""
        for path in paths:
            with suppress(MissingFile):
                yield self.find(path)

    def _check(self, path: str, found: Path) -> None:
        if self.allowed is not None and not any(found.is_relative_to(root.resolve()) for root in self.allowed):
            allowed = ", ".join(str(root.resolve()) for root in self.allowed)
            flag, others = f"--{self.setting.replace('_', '-')}", f"others than {allowed}" if allowed else "some"
            raise ForbiddenFile(
                f'file "{path}" is not below a directory that {self.setting} allows',
                hint=f"Start the server with {flag} DIRECTORY,... to allow {others}.",
            )
        if self.log is not None and found.parent == self.log.resolve() and found.name.startswith("tailrace.db"):
            raise ForbiddenFile(f'file "{path}" is the log of the database itself, which {self.setting} never allows')


ANYWHERE: Final = Roots()
