"""A kernel is compiled anew when any source that went into it changed, and only then."""

from pathlib import Path

import pytest

from engine.kernels import cached


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cached, "FOLDER", tmp_path)
    (tmp_path / "a.py").write_text("from engine.kernels.b import (\n    f,\n)\nfrom numba import njit\n")
    (tmp_path / "b.py").write_text("from engine.kernels import c, a\n")
    (tmp_path / "c.py").write_text("ONE = 1\n")
    (tmp_path / "d.py").write_text("TWO = 2\n")
    return tmp_path


def stamp(name: str) -> str:
    cached.stamp.cache_clear()
    return cached.stamp(name)


def test_what_went_into_a_kernel_is_what_its_stamp_is_of(folder: Path) -> None:
    before = {name: stamp(name) for name in "abcd"}
    (folder / "c.py").write_text("ONE = 3\n")
    assert {name for name in before if stamp(name) != before[name]} == {"a", "b", "c"}


def test_the_kernels_are_kept_by_it(folder: Path) -> None:
    locator = cached.Beside.from_function(stamp, str(folder / "a.py"))
    assert locator is not None
    assert locator.get_source_stamp() == stamp("a")
