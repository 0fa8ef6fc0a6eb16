"""The demo's state as live tables, or as plain lines where there is no terminal."""

from time import monotonic

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.cli.live.watch import Row, Watch, Watched
from app.settings import Address

MARK = "bold black on yellow"
RANKED_GROUPS = 3


def invitation(pg: Address, http: Address) -> list[str]:
    """What to type beside the demo."""
    return [
        f"psql:  psql -h {pg.host} -p {pg.port} -U materialize -c 'SELECT * FROM bids_by_item'",
        f"live:  psql -h {pg.host} -p {pg.port} -U materialize -c 'COPY (SUBSCRIBE bids_by_item) TO STDOUT'",
        f"HTTP:  http://{http}  e.g. curl http://{http}/api/sql --json "
        """'{"query": "SELECT * FROM bids_by_item"}'""",
    ]


def status(watch: Watch) -> str:
    fresh = "waiting for orders" if watch.freshness_ms is None else f"{watch.freshness_ms:.0f} ms from file to view"
    return f"{watch.rows:,} rows in, {watch.rows_per_second:,.0f} rows/s, {watch.orders:,} orders, freshness {fresh}"


def picture(watch: Watch, pg: Address, http: Address) -> RenderableType:
    """The whole screen."""
    now = monotonic()
    tables = [table_of(watched, now) for watched in watch.views[:2]]
    ranked = watch.views[2]
    groups = sorted({str(row[0]) for row in ranked.rows})[:RANKED_GROUPS]
    ranks = [group_of(ranked, group, now) for group in groups]
    return Group(
        Text("Tailrace", style="bold") + Text(f"  {status(watch)}", style="green"),
        Columns(tables),
        Text(ranked.view.title, style="bold"),
        Columns(ranks),
        *(Text(line, style="cyan", overflow="ellipsis", no_wrap=True) for line in invitation(pg, http)),
        Text("Ctrl-C ends it.", style="dim"),
    )


def table_of(watched: Watched, now: float) -> Table:
    table = Table(title=watched.view.title, title_justify="left", title_style="bold")
    for name in watched.view.columns:
        table.add_column(name)
    for row in watched.rows:
        table.add_row(*cells(watched, row, now))
    return table


def group_of(watched: Watched, group: str, now: float) -> Table:
    """The rows of one group, without the column that names it."""
    table = Table(title=group, title_justify="left")
    for name in watched.view.columns[1:]:
        table.add_column(name)
    for row in watched.rows:
        if row[0] == group:
            table.add_row(*cells(watched, row, now)[1:])
    return table


def cells(watched: Watched, row: Row, now: float) -> list[Text]:
    return [
        Text(value or "", style=MARK if watched.marked(row, column, now) else "") for column, value in enumerate(row)
    ]


def print_plain(watch: Watch, console: Console) -> None:
    """The answers as plain lines: what remains of the demo in a log."""
    for watched in watch.views:
        console.print(f"\n{watched.view.title}")
        console.print("  " + " | ".join(watched.view.columns))
        for row in watched.rows[:10]:
            console.print("  " + " | ".join(value or "" for value in row), soft_wrap=True)
