"""TLS to brokers and registries: whom we trust, and who we say we are."""

import ssl
import tempfile

from engine.catalog.connections import Tls
from engine.connectors.feed import Resolve
from engine.errors import SourceError


def tls_context(tls: Tls, resolve: Resolve) -> ssl.SSLContext:
    """What a connection checks. SourceError for certificates that are none."""
    password = tls.key_password
    try:
        context = ssl.create_default_context(cadata=None if tls.authority is None else resolve(tls.authority))
        if tls.certificate is not None:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # the library reads them from files only
                file.write(resolve(tls.certificate) + "\n" + ("" if tls.key is None else resolve(tls.key)))
                file.flush()
                # Never None: a key with a password would have the library ask for one at the terminal.
                context.load_cert_chain(file.name, password="" if password is None else resolve(password))
    except ssl.SSLError as error:
        raise SourceError(f"the certificates of the connection cannot be used: {error.reason or error}") from None
    return context
