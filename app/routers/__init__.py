"""HTTP and websocket routes. Thin: they read a request, ask the engine in a thread, and shape the reply.

front      what every route is given: the database, the threads, the settings
datums     columns of a result -> rows of JSON values
sql        POST /api/sql
subscribe  ws /api/subscribe
webhook    POST /api/webhook/{database}/{schema}/{source}
ops        /health/live, /health/ready, /metrics
"""
