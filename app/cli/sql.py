"""tailrace sql: one text, a file, or a shell, for people without psql.

It talks to the server that TAILRACE_PG_LISTEN (or --server) names. If none listens there, and none was asked for by
name, it runs in memory in this process and says so: `tailrace sql "SELECT 1"` always has an answer.
"""

import argparse
import signal
import sys
from importlib import import_module
from pathlib import Path

from app.cli.client import Client
from app.cli.display import Conversation, Display, Failure
from app.cli.statements import split
from app.settings import Address, SettingError, Settings

HISTORY = Path("~/.tailrace_history").expanduser()
HELP = """\
Statements end in a semicolon and may take several lines.
  \\q  leave       \\?  this page
Ctrl-C ends the statement that runs, or forgets what was typed."""


def embedded() -> Conversation:
    return import_module("app.cli.embedded").Embedded()


def connected(asked: argparse.Namespace) -> Conversation:
    if asked.embedded:
        return embedded()
    address = Settings.read().pg_listen
    if asked.server is not None:
        try:
            address = Address.parse(asked.server)
        except ValueError as error:
            raise SettingError(f"--server: {error}") from None
        return Client.connect(address)
    try:
        return Client.connect(address)
    except OSError:
        print(f"no server at {address} (`tailrace serve` starts one): running in memory", file=sys.stderr)
        return embedded()


def run(asked: argparse.Namespace) -> int:
    try:
        conversation = connected(asked)
    except OSError as error:
        print(f"tailrace: cannot connect to {asked.server}: {error}", file=sys.stderr)
        return 1
    try:
        if asked.file is not None:
            return each(conversation, Path(asked.file).read_text())
        if asked.statements is not None:
            return 0 if answered(conversation, asked.statements) else 1
        if not sys.stdin.isatty():
            return each(conversation, sys.stdin.read())
        return shell(conversation)
    except OSError as error:
        print(f"tailrace: {error}", file=sys.stderr)
        return 1
    finally:
        conversation.close()


def answered(conversation: Conversation, sql: str) -> bool:
    """Show the answers to `sql`; whether all statements succeeded. Ctrl-C ends the one that runs."""
    display = Display(sys.stdout, sys.stderr)
    succeeded = True
    before = signal.signal(signal.SIGINT, lambda *_: conversation.cancel())
    try:
        for piece in conversation.run(sql):
            display.show(piece, sql)
            succeeded = succeeded and not isinstance(piece, Failure)
    finally:
        signal.signal(signal.SIGINT, before)
    return succeeded


def each(conversation: Conversation, text: str) -> int:
    """A file's statements one by one, up to the first that fails."""
    statements, rest = split(text)
    if rest.strip():
        statements.append(rest)
    return 0 if all(answered(conversation, statement) for statement in statements) else 1


def shell(conversation: Conversation) -> int:
    """Read, answer, repeat, until \\q or the end of input."""
    readline = import_module("readline")
    if HISTORY.exists():
        readline.read_history_file(HISTORY)
    readline.set_history_length(1000)
    print("tailrace: \\? for help, \\q to leave")
    typed = ""
    try:
        while True:
            try:
                typed += input("tailrace-> " if typed.strip() else "tailrace=> ") + "\n"
            except EOFError:
                print()
                return 0
            except KeyboardInterrupt:
                print()
                typed = ""
                continue
            if typed.strip() in ("\\q", "quit", "exit"):
                return 0
            if typed.strip() in ("\\?", "help"):
                print(HELP)
                typed = ""
                continue
            statements, typed = split(typed)
            for statement in statements:
                answered(conversation, statement)
            if not typed.strip():
                typed = ""
    finally:
        readline.write_history_file(HISTORY)
