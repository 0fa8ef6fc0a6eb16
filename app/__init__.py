"""The front: what a client connects to. It enters the engine by one door, engine/database.py.

settings   every knob, read from flags and from TAILRACE_<NAME>
schemas    the shapes of JSON requests and replies, and how datums become JSON
routers    HTTP and websocket routes: thin
pgwire     PostgreSQL's protocol: codec, state machine without I/O, values, and a short asyncio shell
main       composition root: settings -> Database -> HTTP + pgwire under one lifespan
cli        the `tailrace` command: serve, sql, demo
console    the web page: static files
"""
