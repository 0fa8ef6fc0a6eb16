"""What /metrics shows: counters and gauges by name, labels and value. docs/metrics.md has the same rows."""

from engine.connectors.ingest import Status
from engine.coordinator.coordinator import Coordinator

Metric = tuple[str, dict[str, str], float]


def metrics(coordinator: Coordinator) -> list[Metric]:
    """Every metric of the moment. Names end in their unit, counters in _total. O(operators)."""
    ticks, circuit = coordinator.ticks, coordinator.cluster.worker.circuit
    subscriptions = tuple(coordinator.subscriptions.values())
    found: list[Metric] = [
        ("tailrace_ticks_total", {}, float(ticks.count)),
        ("tailrace_tick_rows_total", {}, float(ticks.rows)),
        ("tailrace_tick_seconds_total", {}, ticks.seconds),
        ("tailrace_last_tick_ms", {}, float(coordinator.cluster.worker.upper)),
        ("tailrace_subscriptions", {}, float(len(subscriptions))),
        ("tailrace_subscription_pending_rows", {}, float(sum(s.pending_rows for s in subscriptions))),
        ("tailrace_heap_bytes", {}, float(coordinator.heap.bytes_held())),
        ("tailrace_heap_data", {}, float(len(coordinator.heap))),
    ]
    with coordinator.ticks.lock:
        found.append(("tailrace_state_bytes", {}, float(circuit.bytes_held())))
        found.append(("tailrace_operators", {}, float(circuit.operators)))
    catalog = coordinator.catalog
    for id, status in coordinator.ingest.status().items():
        name = str(catalog.items[id].name) if id in catalog.items else str(id)
        found += of_source(name, status)
    return found


def of_source(name: str, status: Status) -> list[Metric]:
    """A source's, and those of its partitions, where it has any, under the names that Materialize gave them."""
    found: list[Metric] = [
        ("tailrace_source_rows_total", {"source": name}, float(status.rows)),
        ("tailrace_source_waiting_rows", {"source": name}, float(status.waiting)),
    ]
    for key, at in status.progress.items():
        labels = {"source": name, "partition": at.partition}
        found += [
            ("mz_messages_ingested", labels, float(at.records)),
            ("mz_bytes_read_total", labels, float(at.bytes)),
            ("mz_partition_offset_received", labels, float(at.position)),
            ("mz_partition_offset_ingested", labels, float(status.offsets.get(key, 0))),
            ("mz_kafka_partition_offset_max", labels, float(at.known)),
        ]
    return found
