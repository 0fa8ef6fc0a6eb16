"""The server's file_roots: the working and the data directory unless it says others; and file_write_roots: nothing but
the data directory's `out`."""

import pytest

from app.main import opened
from app.settings import Settings
from engine.database import Database
from engine.errors import ForbiddenFile


def reads(db: Database, path) -> bool:
    try:
        db.execute(f"CREATE SOURCE s FROM FILE '{path}' FORMAT TEXT")
    except ForbiddenFile:
        return False
    db.execute("DROP SOURCE s")
    return True


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ({}, [True, False, False]),
        ({"data_directory": "data"}, [True, True, False]),
        ({"file_roots": "{folder}/other"}, [False, False, True]),
        ({"file_roots": "{folder}/other,{folder}/data"}, [False, True, True]),
    ],
)
def test_what_the_server_lets_clients_read(tmp_path, monkeypatch, flags, wanted):
    folders = [tmp_path / name for name in ("work", "data", "other")]
    for folder in folders:
        folder.mkdir()
        (folder / "a.txt").write_text("a\n")
    monkeypatch.chdir(folders[0])
    if "data_directory" in flags:
        flags = {"data_directory": str(folders[1])}
    settings = Settings.read({}, {name: text.format(folder=tmp_path) for name, text in flags.items()})
    with opened(settings) as db:
        assert [reads(db, folder / "a.txt") for folder in folders] == wanted


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ({}, []),
        ({"data_directory": "{folder}/data"}, ["data/out"]),
        ({"data_directory": "{folder}/data", "file_write_roots": "{folder}/other"}, ["other", "other/within"]),
        ({"file_roots": "{folder}/other"}, []),
    ],
)
def test_what_the_server_lets_clients_write(tmp_path, monkeypatch, flags, wanted):
    for name in ("work", "data", "other/within"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    settings = Settings.read({}, {name: text.format(folder=tmp_path) for name, text in flags.items()})
    folders = ["work", "data", "data/out", "other", "other/within", "."]
    with opened(settings) as db:
        for folder in folders:
            path = tmp_path / folder / "a.csv"
            if folder in wanted:
                db.execute(f"COPY (SELECT 1) TO '{path}'")
                assert path.read_text() == "1\n"
            else:
                with pytest.raises(ForbiddenFile, match="file_write_roots") as failure:
                    db.execute(f"COPY (SELECT 1) TO '{path}'")
                assert "--file-write-roots" in (failure.value.hint or "")
                assert not path.exists()
