"""Sessions: the variables and the transaction of one client."""

from collections.abc import Iterator, Mapping, Sequence

from engine.coordinator.result import CopyOut, Result
from engine.coordinator.subscription import Subscription


class Session:
    """One client's conversation. Used by one thread at a time; `cancel` may come from any."""

    variables: Mapping[str, str]
    """Session variables as SHOW gives them: search_path, application_name, timezone, ..."""

    def run(
        self, sql: str, parameters: Sequence[str | None] = (), parameter_types: Sequence[int] = ()
    ) -> Iterator[Result | Subscription | CopyOut]:
        """Run the statements of `sql`; each is executed when its answer is asked for. An empty text yields nothing.

        `$n` is the text `parameters[n - 1]` (None: NULL), of the type with OID `parameter_types[n - 1]` if that is given
        and not 0: see engine/sql/parameters.py, `inline` and `literal`, which make them part of the text first.
        Raises SqlError, with positions counted in `sql` from 1; the statements behind the failed one are not run.
        """
        raise NotImplementedError

    def execute(self, sql: str) -> Result:
        """Run all statements; the answer of the last (tag "" for no statement). Subscriptions are an error: `subscribe`."""
        raise NotImplementedError

    def subscribe(self, sql: str) -> Subscription:
        """Run one SUBSCRIBE (or TAIL; a bare SELECT is taken as SUBSCRIBE (SELECT)), or COPY of one."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Fail the statement that is running, if any, with QueryCanceled (57014). From any thread."""
        raise NotImplementedError

    @property
    def transaction_status(self) -> str:
        """'I' outside a transaction, 'T' inside, 'E' inside a failed one."""
        raise NotImplementedError

    def close(self) -> None:
        """End the session: its transaction is rolled back, its subscriptions end. Idempotent."""
        raise NotImplementedError
