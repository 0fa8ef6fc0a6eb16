"""Files of the host: only what is below the roots is read, whatever leads there, and never the log."""

from pathlib import Path

import pytest

from engine.database import Database, Options
from engine.errors import SqlError


def refused(db: Database, path: Path | str) -> SqlError:
    with pytest.raises(SqlError) as failure:
        db.execute(f"CREATE SOURCE s FROM FILE '{path}' FORMAT TEXT")
    return failure.value


def test_only_what_is_below_the_roots_is_read(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "in-beside"
    for each in (inside, outside):
        each.mkdir()
        (each / "a.txt").write_text("a\n")
    (inside / "link.txt").symlink_to(outside / "a.txt")
    (inside / "folder").symlink_to(outside)
    (outside / "back.txt").symlink_to(inside / "a.txt")
    with Database.in_memory(Options(roots=(inside,))) as db:
        for path in (
            outside / "a.txt",
            inside / ".." / "in-beside" / "a.txt",
            inside / "link.txt",
            inside / "folder" / "a.txt",
            outside / "nowhere.txt",  # whether it is there is not told either
        ):
            error = refused(db, path)
            assert error.sqlstate == "42501", path
            assert "file_roots" in error.message
            assert "--file-roots" in (error.hint or "")
        assert refused(db, inside / "nowhere.txt").sqlstate == "58P01"
        for path in (outside, outside / "*", f"{tmp_path}/{{in,in-beside}}/*", f"{inside}/{{..,a}}/in-beside/*"):
            assert refused(db, path).sqlstate == "42501", path
        assert refused(db, inside / "n*").sqlstate == "58P01"
        assert refused(db, inside).sqlstate == "42501"  # one of its files is a link that leads out
        db.execute(f"CREATE SOURCE s FROM FILE '{inside / 'a.txt'}' FORMAT TEXT")
        db.execute(f"CREATE SOURCE t FROM FILE '{outside / 'back.txt'}' FORMAT TEXT")


def test_the_log_of_the_database_is_no_source(tmp_path):
    (tmp_path / "a.txt").write_text("a\n")
    with Database.open(tmp_path, Options(roots=(tmp_path,))) as db:
        for name in ("tailrace.db", "tailrace.db-wal"):
            assert refused(db, tmp_path / name).sqlstate == "42501"
        db.execute(f"CREATE SOURCE s FROM FILE '{tmp_path / 'a.txt'}' FORMAT TEXT")
