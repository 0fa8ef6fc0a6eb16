"""How much room objects take, and where they are."""

from collections.abc import Mapping, Sequence
from typing import Final

from engine.catalog.system import describe
from engine.catalog.system.answers.names import Answer, Make, MakeNow, Moment, Names, constant
from engine.expr.text_forms import RawValue


def _sizes(names: Moment, ids: Sequence[int]) -> int:
    return sum(names.around.runtime.bytes.get(id_, 0) for id_ in ids)


def _relation_size(names: Moment) -> Answer:
    def answer(oid: int, fork: str = "main") -> RawValue:
        if oid not in names.catalog.items:
            return None
        return _sizes(names, [oid]) if fork == "main" else 0

    return answer


def _with_indexes(own: bool) -> MakeNow:
    def make(names: Moment) -> Answer:
        def answer(oid: int) -> RawValue:
            if oid not in names.catalog.items:
                return None
            indexes = [index.id for index in names.catalog.indexes(oid)]
            return _sizes(names, [*indexes, oid] if own else indexes)

        return answer

    return make


def _database_size(names: Moment) -> Answer:
    def answer(on: int | str) -> RawValue:
        name = names.database(on)
        items = names.catalog.items.values()
        return _sizes(names, [item.id for item in items if item.name.database == name])

    return answer


def _all_sizes(names: Moment) -> Answer:
    return lambda on: _sizes(names, list(names.catalog.items))


def _filenode(names: Names) -> Answer:
    return lambda oid: oid if oid in names.catalog.items else None


def _replica_identity(names: Names) -> Answer:
    def answer(oid: int) -> RawValue:
        catalog = names.catalog
        for index in catalog.indexes(oid):
            key = describe.key_of(index, catalog)
            if key is not None and key.primary:
                return index.id
        return None

    return answer


ANSWERS: Final[Mapping[str, Make]] = {
    "pg_tablespace_location": constant(""),
    "pg_relation_filenode": _filenode,
    "pg_relation_filepath": constant(None),
    "pg_sequence_last_value": constant(None),
    "pg_get_replica_identity_index": _replica_identity,
    "pg_stat_get_numscans": constant(0),
}

NOW: Final[Mapping[str, MakeNow]] = {
    "pg_relation_size": _relation_size,
    "pg_table_size": _relation_size,
    "pg_indexes_size": _with_indexes(False),
    "pg_total_relation_size": _with_indexes(True),
    "pg_database_size": _database_size,
    "pg_tablespace_size": _all_sizes,
}  # fmt: skip
