"""make demo-kafka: the broker of the tests, a server, the shop, and its views in the terminal. DEMO_SECONDS ends it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic

from rich.columns import Columns
from rich.console import Console
from rich.live import Live
from rich.table import Column, Table

from app.cli.compiling import progress

with progress():
    from app.main import in_background
from app.settings import Address, Settings
from engine.database import Database
from tests.kafka.broker import MISSING, Broker, available

HERE = Path(__file__).parent
SHOWN = {
    "sales_by_city": "SELECT city, orders, total FROM sales_by_city ORDER BY total DESC",
    "best_customers": "SELECT name, city, level, total FROM best_customers ORDER BY total DESC, name",
    "recent_pages": "SELECT page, clicks FROM recent_pages ORDER BY clicks DESC",
}


def picture(database: Database) -> Columns:
    """The views, as many beside one another as there is room for."""
    tables = []
    for name, query in SHOWN.items():
        result = database.execute(query)
        table = Table(*(Column(column.name, no_wrap=True) for column in result.columns), title=name)
        for row in result.rows():
            table.add_row(*map(str, row))
        tables.append(table)
    return Columns(tables, padding=(0, 3))


def main() -> None:
    if not available():
        sys.exit(f"the demo with Kafka starts a broker of its own: {MISSING}")
    seconds = float(os.environ.get("DEMO_SECONDS", "inf"))
    console = Console()
    with TemporaryDirectory(prefix="tailrace-shop-") as folder:
        console.print("starting Apache Kafka (its jars come from Maven, once) ...")
        broker = Broker(Path(folder))
        broker.start()
        anywhere = Address("127.0.0.1", 0)
        settings = replace(Settings.read(), data_directory=None, pg_listen=anywhere, http_listen=anywhere)
        try:
            with in_background(settings) as server:
                shop = subprocess.Popen([sys.executable, "-m", "examples.shop.producer", "--broker", broker.address])
                try:
                    show(server.database, broker.address, console, seconds, f"{server.pg}", f"{server.http}")
                finally:
                    shop.terminate()
                    shop.wait()
        finally:
            broker.stop()


def show(database: Database, broker: str, console: Console, seconds: float, pg: str, http: str) -> None:
    """Create the sources and views, then draw them until the time is up."""
    session = database.session()
    for statement in session.run((HERE / "shop.sql").read_text().replace("broker:9092", broker)):
        del statement
    host, port = pg.rsplit(":", 1)
    console.print(f"psql -h {host} -p {port} -U materialize\nhttp://{http}/    Ctrl-C ends it")
    until, tick = monotonic() + seconds, Event()
    try:
        if console.is_terminal:
            with Live(console=console, auto_refresh=False) as live:
                while monotonic() < until:
                    live.update(picture(database), refresh=True)
                    tick.wait(0.25)
        else:
            tick.wait(max(0.0, until - monotonic()))
            console.print(picture(database))
    except KeyboardInterrupt:
        pass
    session.close()
