"""The running graph as relations: operators are there once, whoever shares them, and say what they hold and gave."""

from threading import Event, Thread

from engine.database import Database

JOINED = "SELECT c.region, o.amount FROM o JOIN c ON o.cid = c.id"


def test_operators_are_shown_with_who_shares_them():
    with Database.in_memory() as db:
        db.execute("CREATE TABLE c (id bigint, region text)")
        db.execute("CREATE TABLE o (cid bigint, amount bigint)")
        db.execute(f"CREATE MATERIALIZED VIEW s AS SELECT region, sum(amount) FROM ({JOINED}) GROUP BY region")
        db.execute(f"CREATE MATERIALIZED VIEW m AS SELECT region, max(amount) FROM ({JOINED}) GROUP BY region")
        db.write("c", [(1, "north"), (2, "south")])
        db.write("o", [(1, 10), (1, 20), (2, 5)])
        db.execute("SELECT * FROM s, m")  # they have hydrated
        operators = db.execute("SELECT id, name, plan, records, changes FROM mz_internal.mz_dataflow_operators").rows()
        channels = db.execute("SELECT * FROM mz_internal.mz_dataflow_channels").rows()
        named = "mz_internal.mz_dataflow_exports e JOIN mz_objects o ON o.id = e.object_id"
        exports = db.execute(f"SELECT o.name, e.operator_id FROM {named}").rows()
        by_id = {row[0]: row for row in operators}
        made = {name: by_id[operator] for name, operator in exports}
        assert made.keys() == {"c", "o", "s", "m"}
        assert made["s"][1] == made["m"][1] == "Reduce"
        assert made["s"][3] == made["m"][3] == 2, "a row a region"
        assert made["o"][3] == 3
        assert made["s"][2].startswith("Reduce key=(#0)")
        joins = [row[0] for row in operators if row[1] == "DeltaJoin"]
        readers = {target for source, target, _ in channels if source in joins}
        assert len(joins) == 1, "one join for both views"
        assert readers == {made["s"][0], made["m"][0]}
        assert all(source in by_id and source < target for source, target, _ in channels)
        before = made["s"][4]
        db.write("o", [(2, 6)])
        (after,) = db.execute(f"SELECT changes FROM mz_internal.mz_dataflow_operators WHERE id = {made['s'][0]}").rows()
        assert after[0] == before + 2, "the row before, the row after"


def test_histories_are_measured_while_ticks_run():
    """A reader of sizes and the ticks that change them do not wait for one another."""
    with Database.in_memory() as db:
        db.execute("CREATE TABLE t (v bigint)")
        db.execute("CREATE MATERIALIZED VIEW n AS SELECT v, count(*) FROM t GROUP BY v")
        query = "SELECT bytes FROM mz_internal.mz_arrangement_sizes WHERE name = 'n'"
        sizes = []
        for i in range(200):
            db.write("t", [(i,)])
            sizes.append(db.execute(query).rows()[0][0])
        assert min(sizes) > 0


KEYED = {
    "by_cid": "SELECT o.id, c.region FROM o JOIN c ON o.cid = c.id",
    "by_amount": "SELECT o.id, p.id AS other FROM o JOIN o AS p ON o.amount = p.amount",
    "by_both": "SELECT o.id, c.region FROM o JOIN c ON o.cid = c.id AND o.amount = c.least",
}


def bytes_of(db: Database, name: str) -> int:
    held = db.execute(f"SELECT bytes FROM mz_internal.mz_arrangement_sizes WHERE name = '{name}'").rows()[0][0]
    assert isinstance(held, int)
    return held


def test_a_joined_table_keeps_each_row_once():
    """Its rows are arranged by one more key for each join that asks for another: a word a row and a table of groups."""
    rows = [(i, i, i, "a", "b", "c", "d") for i in range(50_000)]
    with Database.in_memory() as db:
        db.execute("CREATE TABLE o (id bigint, cid bigint, amount bigint, w text, x text, y text, z text)")
        db.execute("CREATE TABLE c (id bigint, region text, least bigint)")
        db.write("o", rows)
        alone = bytes_of(db, "o")
        db.execute("CREATE MATERIALIZED VIEW one AS SELECT o.w, c.region FROM o JOIN c ON o.cid = c.id")
        db.execute("SELECT * FROM one")
        once = bytes_of(db, "o")
        assert alone < once < 1.6 * alone
        db.execute("CREATE MATERIALIZED VIEW two AS SELECT o.z, c.least FROM o JOIN c ON o.cid = c.id")
        db.execute("SELECT * FROM two")
        assert bytes_of(db, "o") == once, "the second join by the same key adds nothing"
        db.execute("DROP MATERIALIZED VIEW one")
        db.execute("DROP MATERIALIZED VIEW two")
        assert bytes_of(db, "o") < once
        assert db.execute("SELECT count(*), sum(id) FROM o").rows() == [(50_000, sum(range(50_000)))]


def test_views_arrange_a_table_by_other_keys_while_it_is_written():
    """Each view that comes finds the table as the others have left it, and leaves it so when it goes."""
    with Database.in_memory() as db:
        db.execute("CREATE TABLE c (id bigint, region text, least bigint)")
        db.execute("CREATE TABLE o (id bigint, cid bigint, amount bigint)")
        db.write("c", [(i, f"r{i % 3}", i // 2 + 10) for i in range(20)] + [(None, "nowhere", None)])
        done = Event()

        def rows(start: int, end: int) -> list[tuple[int, int | None, int | None]]:
            return [(i, i % 20 if i % 7 else None, i // 2 if i % 5 else None) for i in range(start, end)]

        db.write("o", rows(0, 400))

        def write() -> None:
            at = 400
            while not done.is_set():
                db.write("o", rows(at, at + 50))
                db.write("o", rows(at + 10, at + 20), [-1] * 10)
                at += 50

        writer = Thread(target=write)
        writer.start()
        try:
            for _ in range(3):
                for name, query in KEYED.items():
                    db.execute(f"CREATE MATERIALIZED VIEW {name} AS {query}")
                db.execute("CREATE INDEX o_amount ON o (amount)")
                with db.session() as session:
                    session.execute("BEGIN")
                    for name, query in KEYED.items():
                        kept = session.execute(f"SELECT * FROM {name}").rows()
                        assert kept, name
                        assert sorted(kept) == sorted(session.execute(query).rows()), name
                    session.execute("COMMIT")
                db.execute("DROP INDEX o_amount")
                for name in KEYED:
                    db.execute(f"DROP MATERIALIZED VIEW {name}")
        finally:
            done.set()
            writer.join()
