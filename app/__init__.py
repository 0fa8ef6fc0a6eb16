"""The front: what a client connects to. It enters the engine by one door, engine/database.py.

settings   every knob, read from flags and from TAILRACE_<NAME>
schemas    the shapes of JSON requests, replies and messages
access     who may talk to the server, how much, and what is logged of it
front      what every route is given
data       requests -> SQL, results -> JSON, NDJSON, CSV and Arrow
live       websockets and server-sent events: views that move, and outlive a lost connection
routers    HTTP and websocket routes: thin
static     what browsers fetch: the client for live views
pgwire     PostgreSQL's protocol: codec, state machine without I/O, values, and a short asyncio shell
main       composition root: settings -> Database -> HTTP + pgwire under one lifespan
cli        the `tailrace` command: serve, sql, demo
console    the web page: static files
"""
