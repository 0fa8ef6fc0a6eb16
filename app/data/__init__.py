"""Between JSON and the engine: what requests stand for in SQL, and results in the form that the client wants.

names        a relation's name in a path or a message
statements   a typed body -> the statement that makes the object
connectors   what of a body tells where rows come from and go to -> that part of the statement
selection    filters, order and a cursor -> a SELECT, and its rows -> a page with the next cursor
described    what the engine knows of an item -> its JSON
datums       columns of a result -> rows of JSON values
results      statements -> results in Materialize's shapes
reply        a reply that is made while it is sent
media        which media type a client wants; results as JSON, NDJSON, CSV and Arrow streams, a piece at a time
"""
