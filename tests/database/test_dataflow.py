"""The running graph as relations: operators are there once, whoever shares them, and say what they hold and gave."""

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
