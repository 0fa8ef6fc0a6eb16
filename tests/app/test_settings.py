"""Settings come from defaults, the environment and flags, in that order; docs/settings.md has a row for each."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from app.settings import Address, SettingError, Settings
from engine.database import Options

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def test_flags_override_the_environment_and_that_the_defaults():
    environment = {"TAILRACE_PG_LISTEN": "[::1]:7000", "TAILRACE_HTTP_LISTEN": ":7001", "OTHER": "1"}
    settings = Settings.read(environment, {"pg_listen": "127.0.0.1:7002", "command": "serve"})
    assert settings.pg_listen == Address("127.0.0.1", 7002)
    assert settings.http_listen == Address("127.0.0.1", 7001)
    assert settings.connections_max == Settings().connections_max
    assert Settings.read(environment).pg_listen == Address("::1", 7000)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"pg_listen": "6875"}, "--pg-listen: '6875' is not host:port"),
        ({"pg_listen": "localhost:99999"}, "--pg-listen"),
        ({"connections_max": "0"}, "--connections-max: 0 is not positive"),
        ({"connections_max": "many"}, "--connections-max"),
    ],
)
def test_bad_values_name_their_setting(flags, said):
    with pytest.raises(SettingError, match=re.escape(said)):
        Settings.read({}, flags)


def test_bad_variables_name_themselves():
    with pytest.raises(SettingError, match="TAILRACE_CONNECTIONS_MAX"):
        Settings.read({"TAILRACE_CONNECTIONS_MAX": "x"})


def rows(section):
    return {found[1]: found[0] for found in re.finditer(r"^\| `(\w+)` \|.*$", section, re.MULTILINE)}


def shown(value):
    return "unset" if value in (None, ()) else str(value)


def test_the_document_has_every_setting_with_its_default_and_no_other():
    settings, options = map(rows, DOCUMENT.read_text().split("## The engine"))
    assert set(settings) == {row.name for row in fields(Settings)}
    assert set(options) == {row.name for row in fields(Options)}
    for row in fields(Settings):
        assert f"| {shown(row.default)} | {row.metadata['unit']} | {row.metadata['reason']} |" in settings[row.name]
    for row in fields(Options):
        assert f"| {shown(row.default)} |" in options[row.name]
