"""How long a source waits for the rest of a transaction of the upstream, and what it says of that."""

import time
from datetime import UTC, datetime
from typing import Final

from engine.catalog.sources import TransactionTopic
from engine.connectors.kafka.gathering import Awaited
from engine.errors import SourceError

PATIENCE_SECONDS: Final = 5.0
"""Debezium writes the END behind the events, at once: what is not there by then is late, or was never written."""


class Waits:
    """See above. The reader's thread looks; a complaint is there as long as the same transaction is awaited."""

    def __init__(self, topic: TransactionTopic) -> None:
        self._topic: Final = topic
        self._awaited: Awaited | None = None
        self._began = 0.0  # by time.monotonic()
        self._since = ""

    def look(self, awaited: Awaited | None) -> None:
        """What is awaited; None: nothing."""
        if (awaited and awaited.id) != (self._awaited and self._awaited.id):
            self._began = time.monotonic()
            self._since = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        self._awaited = awaited

    def complaint(self) -> SourceError | None:
        if self._awaited is None or time.monotonic() < self._began + PATIENCE_SECONDS:
            return None
        id, there, events = self._awaited
        if events is None:
            return SourceError(
                f'transaction {id} has not ended: topic "{self._topic.topic}" has no END of it, awaited since '
                f"{self._since}",
                detail=f'{there} of its events of "{self._topic.collection}" wait for it.',
                hint="It goes on by itself when the transaction ends. If it will not, drop the source, make it anew.",
            )
        return SourceError(
            f'transaction {id} has {there} of its {events} events of "{self._topic.collection}": the rest is awaited '
            f"since {self._since}",
            detail=f'What came after it waits too, in all sources of transactions of "{self._topic.topic}".',
            hint="It goes on by itself when they come. If they are lost, drop the source and make it again.",
        )
