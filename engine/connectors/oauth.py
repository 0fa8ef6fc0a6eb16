"""A token for OAUTHBEARER: given, or asked for with client credentials (RFC 6749, section 4.4)."""

import json
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from typing import Final

from engine.catalog.connections import Sasl, Setting
from engine.errors import SourceError

SECONDS_MAX: Final = 10


def token_of(sasl: Sasl, resolve: Callable[[Setting], str]) -> str:
    """The token to say who we are with. Blocks; SourceError when none is to be had."""
    if sasl.token is not None:
        return resolve(sasl.token)
    assert sasl.token_url is not None
    assert sasl.username is not None
    assert sasl.password is not None
    credentials = b64encode(f"{resolve(sasl.username)}:{resolve(sasl.password)}".encode()).decode()
    request = urllib.request.Request(
        sasl.token_url,
        data=urllib.parse.urlencode({"grant_type": "client_credentials"}).encode(),
        headers={"Authorization": f"Basic {credentials}", "Accept": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_MAX) as reply:
            return str(json.load(reply)["access_token"])
    except urllib.error.HTTPError as error:
        with error:
            raise SourceError(f"no token from {sasl.token_url}: {error.code} {error.reason}") from None
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(f"no token from {sasl.token_url}: {error}") from None
