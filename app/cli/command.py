"""The arguments of `tailrace`, and which module runs them.

A command's module is imported when it is asked for: `tailrace sql` against a server answers in a tenth of the time
that the engine takes to load.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from importlib import import_module

from app.settings import SettingError, Settings

EPILOG = "Each flag may also be given as TAILRACE_<NAME>, e.g. TAILRACE_PG_LISTEN=127.0.0.1:6875."


def parser() -> argparse.ArgumentParser:
    tailrace = argparse.ArgumentParser(prog="tailrace", description="Answers to SQL queries, kept up to date.")
    commands = tailrace.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the server", epilog=EPILOG)
    for row in fields(Settings):
        flag = "--" + row.name.replace("_", "-")
        reason = row.metadata["reason"].replace("%", "%%")
        default = "" if row.default in (None, ()) else f" (default: {row.default})"
        serve.add_argument(flag, dest=row.name, metavar=row.metadata["unit"].upper(), help=reason + default)
    sql = commands.add_parser("sql", help="run SQL, or a shell for it", epilog=EPILOG)
    sql.add_argument("statements", nargs="?", help="SQL to run; none: a shell, or what stdin holds")
    sql.add_argument("-f", "--file", help="run the statements of this file")
    where = sql.add_mutually_exclusive_group()
    where.add_argument("--server", metavar="HOST:PORT", help="the server to talk to (default: TAILRACE_PG_LISTEN)")
    where.add_argument("--embedded", action="store_true", help="run in this process, in memory")
    commands.add_parser("demo", help="live views over generated data, in the terminal")
    openapi = commands.add_parser("openapi", help="print the OpenAPI document")
    openapi.add_argument(
        "--messages", action="store_true", help="print the AsyncAPI document of the websockets instead"
    )
    return tailrace


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, 1 for what failed, 2 for arguments that make no sense."""
    asked = parser().parse_args(arguments)
    try:
        return import_module(f"app.cli.{asked.command}").run(asked)
    except SettingError as error:
        print(f"tailrace: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
