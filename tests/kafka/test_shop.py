"""The example with everything wired: the shop's events, its views, and what Grafana asks of them."""

import asyncio
import json
from collections import Counter
from itertools import islice
from pathlib import Path

from engine.database import Database
from examples.shop.demo import SHOWN, picture
from examples.shop.producer import CUSTOMERS, customer, events, produce
from tests.kafka.broker import Broker
from tests.kafka.waiting import until

SHOP = Path(__file__).parents[2] / "examples" / "shop"
EVENTS = 600


def test_the_shop_is_answered(broker: Broker) -> None:
    with Database.in_memory() as db:
        for part in (EVENTS // 3, EVENTS - EVENTS // 3):  # the shop is closed in between
            asyncio.run(produce(broker.address, 1e6, part))
        db.execute((SHOP / "shop.sql").read_text().replace("broker:9092", broker.address))
        told = [(topic, value) for topic, _, value in islice(events(), EVENTS)]
        orders = [value for topic, value in told if topic == "orders"]
        homes = {id: customer(id, 0)["city"] for id in range(CUSTOMERS)}
        homes |= {value["after"]["id"]: value["after"]["city"] for topic, value in told if topic == "customers"}
        totals, counts = Counter(), Counter()
        for order in orders:
            totals[homes[order["customer"]]] += order["quantity"] * order["price"]
            counts[homes[order["customer"]]] += 1
        expected = sorted((city, counts[city], totals[city]) for city in totals)
        until(db, "SELECT city, orders, total FROM sales_by_city", expected)
        clicks = Counter(value["page"] for topic, value in told if topic == "clicks")
        until(db, "SELECT page, clicks FROM recent_pages", sorted(clicks.items()))
        dashboard = json.loads((SHOP / "grafana" / "dashboards" / "shop.json").read_text())
        queries = [
            target["rawSql"] for panel in dashboard["panels"] for target in panel["targets"] if "rawSql" in target
        ]
        for query in [*queries, *SHOWN.values()]:
            assert db.execute(query).row_count > 0, query
        assert picture(db).renderables
