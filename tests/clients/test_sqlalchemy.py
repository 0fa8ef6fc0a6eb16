"""SQLAlchemy 2: Core, the ORM, and reflection, over three drivers."""

import asyncio
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

DRIVERS = ("psycopg", "psycopg2", "pg8000")


def engine(url: str, driver: str) -> sa.Engine:
    return sa.create_engine(url.replace("postgresql:", f"postgresql+{driver}:"))


@pytest.mark.parametrize("driver", DRIVERS)
def test_reflection(url: str, driver: str):
    bind = engine(url, driver)
    inspector = sa.inspect(bind)
    assert {"other", "public"} <= set(inspector.get_schema_names())
    assert "sales" in inspector.get_table_names()
    assert inspector.get_table_names("other") == ["Odd name"]
    assert inspector.get_view_names() == ["big"]
    assert inspector.get_materialized_view_names() == ["totals"]
    columns = {column["name"]: column for column in inspector.get_columns("sales")}
    assert [str(column["type"]) for column in columns.values()] == [
        "BIGINT", "VARCHAR(10)", "NUMERIC(10, 2)", "ARRAY", "TIMESTAMP",
    ]  # fmt: skip
    assert [column["nullable"] for column in columns.values()] == [False, True, False, True, True]
    assert columns["shop"]["default"] == "'north'"
    assert columns["shop"]["comment"] == "where"
    assert inspector.get_pk_constraint("sales")["constrained_columns"] == ["id"]
    assert [key["column_names"] for key in inspector.get_unique_constraints("Odd name", "other")] == [["a"]]
    assert [index["column_names"] for index in inspector.get_indexes("totals")] == [["shop"]]
    assert inspector.get_foreign_keys("sales") == inspector.get_check_constraints("sales") == []
    assert inspector.get_table_comment("sales") == {"text": "what was sold"}
    assert "WHERE amount > 10" in inspector.get_view_definition("big")
    assert not inspector.has_table("nothing")
    metadata = sa.MetaData()
    metadata.reflect(bind, schema="other")
    assert list(metadata.tables) == ["other.Odd name"]
    bind.dispose()


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(sa.String(20))
    score: Mapped[Decimal | None]


@pytest.mark.parametrize("driver", DRIVERS)
def test_orm(url: str, driver: str):
    bind = engine(url, driver)
    Base.metadata.drop_all(bind)
    Base.metadata.create_all(bind)
    with Session(bind) as session:
        session.add_all(Person(id=i, name=f"n{i}", score=Decimal(i) / 4) for i in range(6))
        session.commit()
        first = session.get(Person, 1)
        assert first is not None
        first.name = "renamed"
        session.delete(session.get(Person, 2))
        with session.begin_nested() as inner:
            session.add(Person(id=10, name="never"))
            session.flush()
            inner.rollback()
        session.commit()
        names = session.scalars(sa.select(Person.name).where(Person.score > 0).order_by(Person.id)).all()
        assert names == ["renamed", "n3", "n4", "n5"]
    Base.metadata.drop_all(bind)
    bind.dispose()


def test_core(url: str):
    bind = engine(url, "psycopg")
    sales = sa.Table("sales", sa.MetaData(), autoload_with=bind)
    with bind.connect() as session:
        query = sa.select(sales.c.shop, sa.func.sum(sales.c.amount)).group_by(sales.c.shop).order_by(sales.c.shop)
        assert session.execute(query).all() == [("north", Decimal("12.5")), ("south", Decimal(3))]
        limited = sa.select(sales.c.id).where(sales.c.shop.in_(["north", "south"])).limit(1).offset(1)
        assert len(session.execute(limited).all()) == 1
    bind.dispose()


def test_asyncpg(url: str):
    async def conversation() -> list[str]:
        bind = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
        async with bind.connect() as session:
            assert (await session.execute(sa.text("SELECT id FROM sales ORDER BY id"))).all() == [(1,), (2,)]
            found = await session.run_sync(lambda sync: sa.inspect(sync).get_columns("sales"))
        await bind.dispose()
        return [column["name"] for column in found]

    assert asyncio.run(conversation()) == ["id", "shop", "amount", "tags", "at"]
