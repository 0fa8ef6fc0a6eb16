"""COPY to and from files of the server, by a client that only hears how many rows they were."""

from pathlib import Path

import psycopg
import pytest

from app.main import Running


def test_a_client_gets_the_tag_and_no_data(server: Running, tmp_path: Path) -> None:
    with psycopg.connect(host=server.pg.host, port=server.pg.port, user="materialize", autocommit=True) as client:
        client.execute("CREATE TABLE cf (a int, b text)")
        client.execute("INSERT INTO cf VALUES (1, 'x'), (2, NULL)")
        for prepare in (False, True):
            told = client.execute(f"COPY cf TO '{tmp_path}/out.csv' (FORMAT csv)", prepare=prepare)
            assert told.statusmessage == "COPY 2"
            assert (tmp_path / "out.csv").read_text() == "1,x\n2,\n"
        assert client.execute(f"COPY cf FROM '{tmp_path}/out.csv' (FORMAT csv)").statusmessage == "COPY 2"
        (tmp_path / "bad.csv").write_text("1,x\ny,z\n")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation) as failure:
            client.execute(f"COPY cf FROM '{tmp_path}/bad.csv' (FORMAT csv)")
        assert failure.value.diag.context == f'COPY cf, line 2, column a: "y", of file {tmp_path}/bad.csv'
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute("COPY cf TO '/etc/nowhere'")
        with client.transaction(force_rollback=True):
            client.execute(f"COPY cf FROM '{tmp_path}/out.csv' (FORMAT csv)")
            assert client.execute("SELECT count(*) FROM cf").fetchone() == (6,)
        assert client.execute("SELECT count(*) FROM cf").fetchone() == (4,)
