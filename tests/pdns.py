"""A real PowerDNS on loopback, with its HTTP API and its zones in SQLite."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from pathlib import Path

import requests
from fakedns import Data
from knot import free_port, zone_text

API_KEY = "Zaun-Laterne-44"
SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")


class PowerDns:
    """Starts pdns_server with its files in `folder`; ends by its pid."""

    def __init__(self, folder: Path) -> None:
        self.port, self.api_port = free_port(["127.0.0.1"]), free_port(["127.0.0.1"])
        self.url = f"http://127.0.0.1:{self.api_port}"
        database = sqlite3.connect(folder / "zones.sqlite")
        database.executescript(SCHEMA.read_text())
        database.close()
        self.log = folder / "log"
        options = {
            "config-dir": folder, "socket-dir": folder, "daemon": "no", "guardian": "no",
            "launch": "gsqlite3", "gsqlite3-database": folder / "zones.sqlite",
            "local-address": "127.0.0.1", "local-port": self.port, "api": "yes",
            "api-key": API_KEY, "webserver": "yes", "webserver-address": "127.0.0.1",
            "webserver-port": self.api_port, "cache-ttl": 0, "query-cache-ttl": 0,
            "negquery-cache-ttl": 0, "zone-cache-refresh-interval": 0, "security-poll-suffix": "",
            "receiver-threads": 1, "distributor-threads": 1,
        }  # fmt: skip
        self.process = subprocess.Popen(
            ["/usr/sbin/pdns_server", *(f"--{key}={value}" for key, value in options.items())],
            stdout=self.log.open("w"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + 20
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError(self.log.read_text())
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/zones").ok
        except requests.ConnectionError:
            return False

    def ask(self, method: str, path: str, data: object = None) -> requests.Response:
        url = f"{self.url}/api/v1/servers/localhost{path}"
        return requests.request(method, url, json=data, headers={"X-API-Key": API_KEY}, timeout=5)

    def serve(self, zone: str, data: Data) -> None:
        """Serve the zone anew with these data."""
        self.ask("DELETE", f"/zones/{zone}.")
        made = {"name": f"{zone}.", "kind": "Native", "zone": zone_text(zone, data)}
        self.ask("POST", "/zones", made).raise_for_status()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
