"""Workers: who holds the dataflows.

command.py    Command and Response: all that crosses a worker's boundary, as values
worker.py     Worker.handle(command) -> responses: collections, hydration, peeks, subscriptions; no clock, no thread
exchange.py   which worker owns a row, by the content of its key: the seam between shards
local.py      the workers of this process, the tick lock and the hydration thread
"""
