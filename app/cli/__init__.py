"""The `tailrace` command.

command    the arguments, and which module runs them
serve      tailrace serve: the server until a signal
compiling  the progress line while kernels compile, once a machine
sql        tailrace sql: one text, a file, or a shell
client     a conversation with a server over pgwire
embedded   the same conversation with a database in this process
statements where a statement ends in what was typed
display    answers as psql shows them
demo       tailrace demo: live views in the terminal
openapi    tailrace openapi: the document behind openapi/openapi.json
"""
