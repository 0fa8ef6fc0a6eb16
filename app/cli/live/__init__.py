"""What `tailrace demo` is made of.

views   the SQL: sources, views, and the queries that the screen shows
feed    the writer that appends orders to the tailed file
watch   the state of the screen: answers, which cells changed, rows a second, freshness
screen  that state as live tables, or as plain lines where there is no terminal
"""
