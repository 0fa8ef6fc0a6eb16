"""Data frames: ADBC, pandas and polars read and write."""

from datetime import UTC, datetime

import adbc_driver_postgresql.dbapi
import pandas as pd
import polars as pl
import psycopg
import sqlalchemy as sa

AT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_adbc(url: str):
    with adbc_driver_postgresql.dbapi.connect(url, autocommit=True) as session, session.cursor() as cursor:
        for copy in ("true", "false"):
            cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": copy})
            cursor.execute("SELECT id, shop, tags, at FROM sales ORDER BY id")
            found = cursor.fetch_arrow_table().to_pydict()
            assert found == {"id": [1, 2], "shop": ["north", "south"], "tags": [["new"], None], "at": [AT, None]}
        assert [field.name for field in session.adbc_get_table_schema("sales")] == [
            "id", "shop", "amount", "tags", "at",
        ]  # fmt: skip
        assert session.adbc_get_objects(depth="tables").read_all().num_rows > 0


def test_pandas(url: str):
    bind = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None], "c": [0.5, 1.5, 2.5]})
    frame.to_sql("pandas_t", bind, index=False, if_exists="replace")
    back = pd.read_sql("SELECT * FROM pandas_t ORDER BY a", bind)
    assert back["c"].tolist() == [0.5, 1.5, 2.5]
    assert pd.read_sql_table("pandas_t", bind)["a"].sum() == 6
    bind.dispose()


def test_polars(url: str):
    with psycopg.connect(url) as session:
        frame = pl.read_database("SELECT id, shop FROM sales ORDER BY id", session)
    assert frame.to_dict(as_series=False) == {"id": [1, 2], "shop": ["north", "south"]}
    uri = pl.read_database_uri("SELECT shop, orders, total FROM totals ORDER BY shop", url, engine="adbc")
    assert uri["shop"].to_list() == ["north", "south"]
    assert uri["orders"].to_list() == [1, 1]
