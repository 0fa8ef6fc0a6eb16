"""Names, columns and formats: what the bodies that make sources and sinks have in common.

A format is told apart by its `type`.
"""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator

from app.schemas.strict import Strict

Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=400,
        description="name, schema.name or database.schema.name, exact; a part with a dot in it stands in double quotes",
        examples=["orders"],
    ),
]
SqlTypeName = Annotated[
    str, Field(max_length=200, description="A type of SQL", examples=["bigint", "numeric(12, 2)", "text[]"])
]


class ColumnSpec(Strict):
    """A column to make."""

    name: str = Field(min_length=1, max_length=200, examples=["id"])
    type: SqlTypeName
    nullable: bool = True
    default: str | None = Field(default=None, description="An expression of SQL; only in tables", examples=["now()"])


class JsonFormat(Strict):
    """One JSON object a line; members go to the columns of their names. Without columns: one column `data` jsonb."""

    type: Literal["json"]


class TextFormat(Strict):
    """Each line is a row of one column, `text`."""

    type: Literal["text"]


class BytesFormat(Strict):
    """Each line is a row of one column, `data` bytea."""

    type: Literal["bytes"]


class CsvFormat(Strict):
    """Records. Without a header the number of columns is given here or by the source's columns."""

    type: Literal["csv"]
    header: bool = Field(default=False, description="The first line names the columns; not of records of Kafka")
    names: list[str] = Field(default=[], max_length=1600, description="What the header has to say")
    width: int | None = Field(default=None, ge=1, le=1600, description="How many columns, where there is no header")
    delimiter: str = Field(default=",", min_length=1, max_length=1)


class RegexFormat(Strict):
    """The groups of a match are columns, by their names if they have any."""

    type: Literal["regex"]
    pattern: str = Field(min_length=1, max_length=10_000, examples=["(?P<k>\\w+)=(?P<v>.*)"])


class AvroFormat(Strict):
    """Either the schema or the connection to a registry that has it. `framed`: data with a schema given here begin with
    a registry's header all the same."""

    type: Literal["avro"]
    framed: bool = True
    definition: str | None = Field(default=None, alias="schema", min_length=1, description="The reader's, as JSON")
    registry: Name | None = None
    schema_id: int | None = Field(default=None, ge=1, le=2**31 - 1, description="Of the registry; else the latest")

    @model_validator(mode="after")
    def one_of_them(self) -> Self:
        if self.schema_id is not None and self.registry is None:
            raise ValueError("schema_id needs a registry")
        return of_one(self, schema=self.definition, registry=self.registry)


class ProtobufFormat(Strict):
    """Either a FileDescriptorSet or the connection to a registry."""

    type: Literal["protobuf"]
    message: str | None = Field(default=None, min_length=1, max_length=400, examples=["shop.Order"])
    descriptors: str | None = Field(default=None, pattern="^([0-9a-fA-F]{2})+$", description="In hexadecimal")
    registry: Name | None = None

    @model_validator(mode="after")
    def one_of_them(self) -> Self:
        return of_one(self, descriptors=self.descriptors, registry=self.registry)


M = TypeVar("M", bound=Strict)


def of_one(model: M, **given: object) -> M:
    """The model, of which exactly one of these members is given."""
    if sum(bool(value) for value in given.values()) != 1:
        raise ValueError(f"exactly one of {' and '.join(given)} is needed")
    return model


class ParquetFormat(Strict):
    """The columns of the file, or those of the source by name; one that a file lacks is null."""

    type: Literal["parquet"]


class OcfFormat(Strict):
    """Avro's container files. Without a schema that of the first file is the reader's."""

    type: Literal["avro ocf"]
    definition: str | None = Field(default=None, alias="schema", min_length=1, description="The reader's, as JSON")


Compatibility = Literal[
    "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE", "NONE"
]


class AvroOutput(Strict):
    """The schema is registered under the topic's name. Without a format of its own the key is as the value is, but for
    the record's name."""

    type: Literal["avro"]
    registry: Name
    fullname: str | None = Field(
        default=None, min_length=1, max_length=400, description="The record's name; by default row or envelope"
    )
    compatibility: Compatibility | None = Field(default=None, description="What the registry holds the subject to")
    null_defaults: bool = Field(default=False, description="Whether the default of fields that may be null is null")
    doc: str | None = Field(default=None, max_length=10_000, description="The row's")
    column_docs: dict[str, str] = Field(default_factory=dict, max_length=1600, description="By column")


FileFormat = Annotated[
    JsonFormat | TextFormat | BytesFormat | CsvFormat | RegexFormat | ParquetFormat | OcfFormat,
    Field(discriminator="type"),
]
RecordFormat = Annotated[
    JsonFormat | TextFormat | BytesFormat | CsvFormat | RegexFormat | AvroFormat | ProtobufFormat,
    Field(discriminator="type"),
]
SinkFormat = Annotated[JsonFormat | TextFormat | BytesFormat | AvroOutput, Field(discriminator="type")]
