# pyright: basic
# numba's locators are untyped.
"""Where compiled kernels are kept between runs, and until when they are good.

Law: a kernel is as old as the newest source that went into it. numba asks only for the file that it is written in; ours
inline functions of other files (`register_jitable`, kernels that call kernels), and what was compiled from them before
they changed would go on answering as before. So the stamp of a kernel is of the text of its file and of every file of
this folder that it imports, all the way down.
"""

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from numba import config
from numba.core.caching import InTreeCacheLocator, UserProvidedCacheLocator, UserWideCacheLocator

FOLDER: Final = Path(__file__).parent
IMPORTED: Final = re.compile(r"^from engine\.kernels\.(\w+) import|^from engine\.kernels import (.+)$", re.MULTILINE)


def _reached(name: str, seen: set[str]) -> Iterator[Path]:
    """The files that a file of this folder is made of: itself, and those that it imports, each once."""
    path = FOLDER / f"{name}.py"
    if name in seen or not path.exists():
        return
    seen.add(name)
    yield path
    for module, modules in IMPORTED.findall(path.read_text()):
        for each in (module, *modules.split(",")):
            yield from _reached(each.split(" as ")[0].strip(" ()"), seen)


@cache
def stamp(name: str) -> str:
    """What the source of a file's kernels comes to. The files do not change under a running process."""
    texts = (path.read_bytes() for path in _reached(name, set()))
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def _stamp_of(file):
    path = Path(file)
    assert path.parent == FOLDER, "the kernels are all in one folder"
    return stamp(path.stem)


class Beside(InTreeCacheLocator):
    """The cache beside the sources."""

    def get_source_stamp(self):
        return _stamp_of(self._py_file)


class Wherever(UserProvidedCacheLocator):
    """The cache in the folder that NUMBA_CACHE_DIR names."""

    def get_source_stamp(self):
        return _stamp_of(self._py_file)


class AtHome(UserWideCacheLocator):
    """The cache of the user, where the sources may not be written beside."""

    def get_source_stamp(self):
        return _stamp_of(self._py_file)


def use() -> None:
    """Have numba ask here, in this process, for where a kernel is kept."""
    classes = ",".join(f"{__name__}.{each.__name__}" for each in (Wherever, Beside, AtHome))
    config.CACHE_LOCATOR_CLASSES = classes  # pyright: ignore[reportAttributeAccessIssue]
