"""Real server processes for tests: started, asked, killed, started again."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

PATIENCE_SECONDS = 90.0


class Server:
    """One ``rightrep serve`` process.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, database_url: str, home: Path, *, tenant: str) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = {
            **os.environ,
            "RIGHTREP_DATABASE_URL": database_url,
            "RIGHTREP_HOME": str(home),
            "RIGHTREP_TENANT": tenant,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        command = [sys.executable, "-m", "serving.cli", "serve", "--no-jobs"]
        self._process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            env=self._env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + PATIENCE_SECONDS
        # One client: each makes its own TLS context, which takes longer than asking.
        with httpx.Client(timeout=5) as client:
            while time.monotonic() < until:
                try:
                    if client.get(f"{self.url}/readyz").is_success:
                        return
                except httpx.HTTPError:
                    time.sleep(0.1)
        raise TimeoutError("The server did not get ready.")

    def kill(self) -> None:
        """End the process as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running(
    database_url: str, home: Path, *, tenant: str, count: int = 1
) -> Iterator[list[Server]]:
    """Some servers on one database."""
    servers = [Server(database_url, home, tenant=tenant) for _ in range(count)]
    try:
        for server in servers:
            server.start()
        yield servers
    finally:
        for server in servers:
            server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
