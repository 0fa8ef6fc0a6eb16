"""The hash that chooses a record's partition is the one of kafka_murmur2(), which is that of Kafka's own clients."""

import numpy as np
from aiokafka.partitioner import murmur2 as of_aiokafka

from engine.connectors.records import Spans
from engine.expr.functions.checksums import murmur2
from engine.kernels.murmur import murmur2_of


def test_murmur2():
    dice = np.random.default_rng(5)
    keys = [dice.bytes(size) for size in range(40)] + [b"", b"a", b"\xff" * 7, "é".encode()]
    spans = Spans.of(keys)
    found = murmur2_of(spans.data, spans.begins, spans.ends).tolist()
    assert found == [murmur2(key) & 0x7FFFFFFF for key in keys]
    assert found == [of_aiokafka(key) & 0x7FFFFFFF for key in keys]
