"""PostgreSQL's frontend/backend protocol, version 3.

messages   the codec: bytes <-> message values
protocol   which message may come when, as a table: bytes in, messages and replies out, no I/O
values     columns of a result -> DataRow and CopyData bytes, a column at a time
server     the asyncio shell: sockets, sessions, cancellation
"""
