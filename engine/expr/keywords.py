"""SQL's key words by where they may stand bare: the grammar reads by them, quote_ident writes by them."""

from typing import Final


def words(text: str) -> frozenset[str]:
    """The set of the words of `text`: how tables of key words are written."""
    return frozenset(text.split())


RESERVED: Final = words(
    """all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
    current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc
    distinct do else end except false fetch for foreign from grant group having in initially intersect into lateral
    leading limit localtime localtimestamp not null offset on only or order placing primary references returning select
    session_user some symmetric table then to trailing true union unique user using variadic when where window
    with"""
)
"""Words that are no names unless quoted: PostgreSQL's reserved key words."""

JOIN_WORDS: Final = words(
    """authorization binary collation concurrently cross current_schema freeze full ilike inner is isnull join left
    like natural notnull outer overlaps right similar tablesample verbose"""
)
"""Words that may name a function or a type but no column or table."""

COLUMN_WORDS: Final = words(
    """between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout int
    integer interval least national nchar none normalize nullif numeric out overlay position precision real row setof
    smallint substring time timestamp treat trim values varchar xmlattributes xmlconcat xmlelement xmlexists xmlforest
    xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable"""
)
"""Words that may name a column or a table but no function or type."""
