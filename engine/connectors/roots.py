"""Which files of the host a client may have read: those below the roots, and of the data directory not the log itself.

A path counts as what it leads to: `..` and symbolic links are followed first, and what is opened is what was checked.
Asked at each opening, not only when a source is made: a restart with other roots means those.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import ForbiddenFile, MissingFile, SourceError


@dataclass(frozen=True, slots=True)
class Roots:
    """`allowed`: directories; None: anywhere. `log`: the directory whose tailrace.db has secrets and passwords."""

    allowed: tuple[Path, ...] | None = None
    log: Path | None = None

    def find(self, path: str) -> Path:
        """The regular file that the path leads to. ForbiddenFile when it is not below a root, there or not."""
        try:
            found = Path(path).resolve()
            self._check(path, found)
            if found.is_file():
                return found
            if found.is_dir():
                raise SourceError(f'file "{path}" cannot be read: it is a directory')
            if found.exists():
                raise SourceError(f'file "{path}" cannot be read: it is no regular file')
        except (OSError, RuntimeError, ValueError) as error:  # no permission; links that go round; a NUL in the path
            raise SourceError(f'file "{path}" cannot be read: {error}') from None
        raise MissingFile(f'file "{path}" does not exist', hint="Paths are the server's.")

    def _check(self, path: str, found: Path) -> None:
        if self.allowed is not None and not any(found.is_relative_to(root.resolve()) for root in self.allowed):
            allowed = ", ".join(str(root.resolve()) for root in self.allowed)
            raise ForbiddenFile(
                f'file "{path}" is not below a directory that file_roots allows',
                hint=f"Start the server with --file-roots DIRECTORY,... to allow others than {allowed}.",
            )
        if self.log is not None and found.parent == self.log.resolve() and found.name.startswith("tailrace.db"):
            raise ForbiddenFile(f'file "{path}" is the log of the database itself, which file_roots never allows')


ANYWHERE: Final = Roots()
