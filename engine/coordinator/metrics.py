"""What /metrics shows: counters and gauges by name, labels and value. docs/metrics.md has the same rows."""

from typing import Final, TypeAlias

from engine.catalog.items import Source
from engine.catalog.sources import KafkaSource
from engine.connectors.ingest import Status
from engine.connectors.postgres.reader import LSN
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.runtime import Durations
from engine.coordinator.sink_states import Status as SinkStatus
from engine.durable.log import Log

Metric: TypeAlias = tuple[str, dict[str, str], float]

BUCKETS: Final = range(14, 38, 2)
"""Of durations: up to 2**n nanoseconds each, from 16 us to 69 s, four times the one before."""


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
    found.append(("mz_arrangement_maintenance_seconds_total", {}, circuit.maintained_ns / 1e9))
    catalog = coordinator.catalog

    def name_of(id: int) -> str:
        return str(catalog.items[id].name) if id in catalog.items else str(id)

    for id, source in coordinator.ingest.status().items():
        item = catalog.items.get(id)
        kafka = isinstance(item, Source) and isinstance(item.description, KafkaSource)
        found += of_source(name_of(id), source, coordinator.cluster.worker.upper, kafka)
    queued = coordinator.sinks.queued()
    for id, sink in coordinator.sinks.status().items():
        found += of_sink(name_of(id), sink, queued.get(id, 0))
    for statement, failed, durations in coordinator.commands.all():
        found += of_command(statement, failed, durations)
    if coordinator.log is not None:
        found += of_log(coordinator.log)
    return found


def of_command(statement: str, failed: bool, durations: Durations) -> list[Metric]:
    """A histogram of how long statements of one kind took; the counts of its buckets include those below."""
    labels = {"command": statement, "status": "error" if failed else "success"}
    count = float(durations.count)
    buckets = [(f"{2**bits / 1e9:.9g}", float(durations.up_to(bits))) for bits in BUCKETS]
    return [
        ("mz_query_count", {"statement_type": statement, "status": labels["status"]}, count),
        *(("mz_command_durations_bucket", {**labels, "le": le}, upto) for le, upto in [*buckets, ("+Inf", count)]),
        ("mz_command_durations_sum", labels, durations.total_ns / 1e9),
        ("mz_command_durations_count", labels, count),
    ]


def of_sink(name: str, status: SinkStatus, queued: int) -> list[Metric]:
    labels = {"sink": name}
    return [
        ("mz_kafka_messages_sent_total", labels, float(status.records)),
        ("mz_kafka_sink_rows_queued", labels, float(queued)),
        ("tailrace_sink_bytes_total", labels, float(status.bytes)),
        ("tailrace_sink_transactions_total", labels, float(status.transactions)),
        ("tailrace_sink_timestamp_ms", labels, float(status.timestamp)),
    ]


def of_log(log: Log) -> list[Metric]:
    return [
        ("mz_persist_commits_total", {}, float(log.commits)),
        ("mz_persist_commit_seconds_total", {}, log.commit_ns / 1e9),
        ("mz_persist_written_bytes_total", {}, float(log.bytes_written)),
        ("mz_persist_size_bytes", {}, float(log.size())),
    ]


def of_source(name: str, status: Status, upper: int, kafka: bool) -> list[Metric]:
    """A source's, and those of its partitions, where it has any, under the names that Materialize gave them. How far
    the input goes has such a name only for Kafka."""
    known = "mz_kafka_partition_offset_max" if kafka else "tailrace_source_offset_known"
    found: list[Metric] = [
        ("tailrace_source_rows_total", {"source": name}, float(status.rows)),
        ("tailrace_source_waiting_rows", {"source": name}, float(status.waiting)),
        ("tailrace_source_errors_let_go_total", {"source": name}, float(status.errors_let_go)),
        ("tailrace_source_stalled_seconds", {"source": name}, status.stalled_seconds),
    ]
    for key, at in status.progress.items():
        labels = {"source": name, "partition": at.partition}
        found += [
            ("mz_messages_ingested", labels, float(at.records)),
            ("mz_bytes_read_total", labels, float(at.bytes)),
            ("mz_partition_offset_received", labels, float(at.position)),
            ("mz_partition_offset_ingested", labels, float(status.offsets.get(key, 0))),
            (known, labels, float(at.known)),
            ("mz_partition_closed_ts", labels, float(upper)),
        ]
        if key == LSN:
            found += [
                ("mz_postgres_per_source_messages", {"source": name}, float(at.records)),
                ("mz_postgres_per_source_lsn", {"source": name}, float(at.position)),
            ]
    return found
