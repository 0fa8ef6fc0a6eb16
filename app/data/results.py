"""Statements in, results out, in the shapes of Materialize's HTTP API; a piece at a time."""

import json
from collections.abc import Iterator

from app.data.datums import description, encoded, rows
from app.schemas.errors import ErrorBody
from app.schemas.sql import ExtendedRequest, SimpleRequest
from engine.database import CopyOut, Notice, Result, Session, Subscription
from engine.errors import InvalidParameter, SqlError, Unsupported

Answer = Result | Subscription | CopyOut


def variables_of(options: str | None) -> dict[str, str]:
    """Session variables of `?options=`."""
    if options is None:
        return {}
    try:
        variables = json.loads(options)
    except (ValueError, RecursionError) as error:
        raise InvalidParameter(f"options is not JSON: {error}") from None
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise InvalidParameter("options is a JSON object of strings")
    return variables


def answers(session: Session, body: SimpleRequest | ExtendedRequest) -> Iterator[Answer]:
    """Each statement is run when its answer is asked for."""
    if isinstance(body, SimpleRequest):
        yield from session.run(body.query)
    else:
        for statement in body.queries:
            yield from session.run(statement.query, statement.params)


def reply(session: Session, body: SimpleRequest | ExtendedRequest, rows_max: int) -> Iterator[bytes]:
    """The results of all statements up to the first error, as JSON."""
    between = b'{"results":['
    try:
        for answer in answers(session, body):
            found = result(at_once(answer), rows_max)
            yield between
            yield from found
            between = b","
    except SqlError as error:
        yield between
        yield encoded({"error": ErrorBody.of(error).json_object(), "notices": []})
        between = b","
    yield b"]}" if between == b"," else between + b"]}"


def at_once(answer: Answer) -> Result:
    """The answer, unless it streams: Unsupported."""
    if isinstance(answer, Result):
        return answer
    source = answer.source if isinstance(answer, CopyOut) else answer
    if isinstance(source, Subscription):
        source.close()
    raise Unsupported("COPY and SUBSCRIBE are not supported over /api/sql", hint="Subscribe over ws /api/subscribe.")


def result(answer: Result, rows_max: int) -> Iterator[bytes]:
    """One element of `results`."""
    notices = [notice(each) for each in answer.notices]
    when: dict[str, int] = {} if answer.timestamp is None else {"timestamp": answer.timestamp}
    if answer.batch is None:
        yield encoded({"ok": answer.tag, "notices": notices, **when})
        return
    yield encoded({"tag": answer.tag})[:-1] + b',"rows":['
    for at in range(0, answer.row_count, rows_max):
        part = answer.part(at, at + rows_max, len(answer.columns))
        inner = encoded(rows(part.columns, part.text(), part.row_count))[1:-1]
        yield b"," + inner if at else inner
    yield b"]," + encoded({"desc": {"columns": description(answer.columns)}, "notices": notices, **when})[1:]


def notice(said: Notice) -> dict[str, str]:
    """schemas.sql.NoticeBody."""
    body = {"message": said.message, "code": said.sqlstate, "severity": said.severity}
    more = {"detail": said.detail, "hint": said.hint}
    return body | {key: value for key, value in more.items() if value is not None}
