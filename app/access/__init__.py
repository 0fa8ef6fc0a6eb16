"""Who may talk to the server, how much, and what is written down of it.

identity    basic auth and bearer tokens against the database's roles
guard       ASGI middleware: request ids, hosts and origins, limits per client, limits of bodies, the access log
problems    errors as replies
logs        structured log lines, without secrets
"""
