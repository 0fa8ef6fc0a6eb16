"""The shapes of JSON requests and replies, and so the OpenAPI and AsyncAPI documents.

strict      what all requests have in common
errors      an error as JSON: inside a result, and as problem+json
sql         POST /api/sql and ws /api/experimental/sql, in Materialize's shapes
formats     names, columns and formats
connectors  where rows come from and go to, and what connections are made of
objects     sources, sinks, tables, views, indexes, connections, secrets: to create, and as they are
rows        rows of a view, and rows for a table
live        the messages of ws /api/subscribe and of server-sent events
ops         health
"""
