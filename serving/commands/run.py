"""Processes: serve, work, and what makes a machine ready for them."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Annotated

import typer

from rightrep.clock import SystemClock
from rightrep.domain.ids import new_id
from rightrep.errors import InvalidInput
from rightrep.settings import Settings
from serving.commands.common import opened
from serving.observe import log_as_json
from serving.schedule import Scheduler
from serving.usecases.context import Context
from serving.usecases.jobs import handlers
from serving.webhooks import Sender
from serving.worker import Worker


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(worker)
    app.command()(migrate)
    app.command()(warm)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8000,
    jobs: Annotated[
        bool, typer.Option(help="Start a worker for jobs and webhooks beside it.")
    ] = True,
) -> None:
    """Serve the API and the pages."""
    require_port(host, port)
    log_as_json()
    context, _ = opened()
    run_server(context, host=host, port=port, jobs=jobs)


def worker(
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="Stop when standard input ends.")
    ] = False,
) -> None:
    """Do jobs and send webhooks, without serving."""
    log_as_json()
    context, _ = opened()
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    if until_eof:
        watch = threading.Thread(target=_stop_at_eof, args=(stop,), daemon=True)
        watch.start()
    threads = start_work(context, stop)
    while not stop.wait(1.0):
        pass
    for thread in threads:
        thread.join()


def _stop_at_eof(stop: threading.Event) -> None:
    """Stop when the process that started this one is gone."""
    sys.stdin.buffer.read()
    stop.set()


def migrate() -> None:
    """Bring the database up to date; safe to run again."""
    context = Context.of(Settings())
    context.store.migrate()
    typer.echo("The database is up to date.")


def warm() -> None:
    """Compile the kernels, so that no request has to wait for it."""
    from optimizer.warming import warm as warm_optimizer
    from training.scoring import warm as warm_scoring

    warm_scoring()
    warm_optimizer()
    typer.echo("The kernels are compiled.")


def require_port(host: str, port: int) -> None:
    """Refuse a port that somebody else has.

    Raises:
        InvalidInput: It is taken, or may not be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InvalidInput(
                f"Cannot listen on {host}:{port}: {error.strerror}.",
                field="--port",
                remedy="Choose another one with --port.",
            ) from error


def run_server(context: Context, *, host: str, port: int, jobs: bool) -> None:
    """Serve until told to stop."""
    import uvicorn

    from serving.app import create_app

    with worker_process() if jobs else nullcontext():
        uvicorn.run(
            create_app(context),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
        )


@contextmanager
def worker_process() -> Iterator[None]:
    """A worker beside the server, which stops with it, even when it is killed.

    A process of its own: training and solving then take no time from requests, and
    the server never imports what only training needs.
    """
    command = [sys.executable, "-m", "serving.cli", "worker", "--until-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:  # noqa: S603
        try:
            yield
        finally:
            process.communicate()


def start_work(context: Context, stop: threading.Event) -> list[threading.Thread]:
    """Start the threads that do jobs, send webhooks and ask for recurring work."""
    name = f"{socket.gethostname()}.{os.getpid()}.{new_id(SystemClock().now())[-6:]}"
    doing = Worker(context.store, handlers(context), clock=context.clock, name=name)
    sending = Sender(
        context.store,
        clock=context.clock,
        allow_private=context.settings.webhooks_allow_private,
    )
    asking = Scheduler(context.store, context.clock)
    threads = [
        threading.Thread(target=part, args=(stop,), name=does, daemon=True)
        for does, part in (
            ("jobs", doing.run),
            ("hooks", sending.run),
            ("schedule", asking.run),
        )
    ]
    for thread in threads:
        thread.start()
    return threads
