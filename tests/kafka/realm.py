"""A Kerberos realm of its own: a real KDC from Debian's packages, in a folder, on a port, as whoever runs the tests."""

import importlib.util
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from tests.kafka.broker import Process, free_ports

NAME: Final = "TAILRACE.TEST"
CLIENT: Final = f"tester@{NAME}"
HASTY: Final = f"hasty@{NAME}"
"""A principal whose tickets end within a second."""
START_SECONDS_MAX: Final = 20
PROGRAMS: Final = {"kdb5_util": "/usr/sbin/kdb5_util", "kadmin": "/usr/sbin/kadmin.local", "kdc": "/usr/sbin/krb5kdc"}
MISSING: Final = (
    "there is no Kerberos: apt-get install -y krb5-kdc krb5-admin-server libkrb5-dev; "
    ".venv/bin/pip install -e '.[kerberos]'"
)


def available() -> bool:
    """Whether this machine can run a realm, and we speak to one."""
    return importlib.util.find_spec("gssapi") is not None and all(map(shutil.which, PROGRAMS.values()))


class Realm:
    """`config` is what KRB5_CONFIG is to name; `keytab` has CLIENT's keys, `hasty` those of HASTY, `broker` those of
    kafka/localhost."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._port = free_ports(1)[0]
        self.config = folder / "krb5.conf"
        self.config.write_text(
            f"[libdefaults]\ndefault_realm = {NAME}\ndns_lookup_kdc = false\ndns_lookup_realm = false\n"
            f"dns_canonicalize_hostname = false\nrdns = false\nudp_preference_limit = 1\n"
            f"[realms]\n{NAME} = {{\n kdc = 127.0.0.1:{self._port}\n}}\n"
        )
        (folder / "kdc.conf").write_text(
            f"[kdcdefaults]\nkdc_listen = 127.0.0.1:{self._port}\nkdc_tcp_listen = 127.0.0.1:{self._port}\n"
            f"[realms]\n{NAME} = {{\n database_name = {folder / 'principal'}\n"
            f" key_stash_file = {folder / 'stash'}\n}}\n"
            f"[logging]\nkdc = FILE:{folder / 'kdc.log'}\n"
        )
        self._run("kdb5_util", "-r", NAME, "create", "-s", "-P", "master")
        self.keytab = self._principal("tester")
        self.hasty = self._principal("hasty", "-maxlife 1sec")
        self.broker = self._principal("kafka/localhost")
        self._process: Process | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {"KRB5_CONFIG": str(self.config), "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf")}

    def start(self) -> None:
        """Returns when it takes connections."""
        command = ["env", *(f"{name}={value}" for name, value in self.environment.items()), PROGRAMS["kdc"], "-n",
                   "-r", NAME]  # fmt: skip
        self._process = Process(command, self.folder / "kdc.out", self.folder)
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            self._process.check()
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "the KDC does not start"
                time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def _principal(self, name: str, options: str = "") -> Path:
        keytab = self.folder / f"{name.replace('/', '-')}.keytab"
        for query in (f"addprinc {options} -randkey {name}", f"ktadd -k {keytab} {name}"):
            self._run("kadmin", "-r", NAME, "-q", query)
        return keytab

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([PROGRAMS[program], *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True,
                       env=self.environment)  # fmt: skip
