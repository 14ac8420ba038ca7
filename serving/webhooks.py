"""Events on their way out: signed, sent at least once, never into our own network.

A webhook address is a wish of a stranger to have this server call something. So it is
resolved here, refused where it points into a private or local network, and the very
address that was checked is the one connected to (no second look-up in between).
"""

import ipaddress
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import orjson
import structlog
from standardwebhooks import Webhook

from rightrep.clock import Clock
from rightrep.domain.event import Delivery
from rightrep.errors import InvalidInput, RightRepError
from rightrep.store import outbox
from rightrep.store.engine import Store

CLAIM_FOR = timedelta(seconds=60)
TIMEOUT_SECONDS = 10.0
AT_ONCE = 20

log = structlog.get_logger()

Resolve = Callable[[str, int], list[str]]
"""Addresses of a host."""


def resolve_host(host: str, port: int) -> list[str]:
    """Addresses of a host, as the operating system finds them.

    Raises:
        OSError: It has none.
    """
    found = socket.getaddrinfo(host, port, proto=socket.IPPROTO_TCP)
    return [str(entry[4][0]) for entry in found]


def checked_address(
    url: str, *, allow_private: bool = False, resolve: Resolve = resolve_host
) -> str:
    """An address that this URL's host has and that may be called.

    Args:
        url: An ``https`` URL; ``http`` only where private networks are allowed.
        allow_private: Let private and local networks be called.
        resolve: Finds the host's addresses.

    Raises:
        InvalidInput: The URL is not one, or points where we do not call.
    """
    parts = urlsplit(url)
    schemes = {"https", "http"} if allow_private else {"https"}
    if parts.scheme not in schemes or not parts.hostname or parts.username:
        raise InvalidInput(
            "A webhook URL starts with https:// and names a host.", field="url"
        )
    try:
        addresses = resolve(parts.hostname, _port(url))
    except (OSError, UnicodeError, ValueError):
        raise InvalidInput("The webhook's host is not found.", field="url") from None
    for address in addresses:
        if not allow_private and not ipaddress.ip_address(address).is_global:
            raise InvalidInput(
                "The webhook's host is in a private network.",
                field="url",
                remedy="Give an address that can be reached from the internet.",
            )
    return addresses[0]


class Sender:
    """Sends what is due to every tenant's endpoints."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        allow_private: bool = False,
        resolve: Resolve = resolve_host,
    ) -> None:
        self._store = store
        self._clock = clock
        self._allow_private = allow_private
        self._resolve = resolve

    def run(self, stop: threading.Event, *, idle_seconds: float = 1.0) -> None:
        """Send until told to stop; a database that is away is asked again."""
        while not stop.is_set():
            try:
                sent = self.send_once()
            except RightRepError as error:
                log.warning("sender waits", error=type(error).__name__)
                sent = 0
            if not sent:
                stop.wait(idle_seconds)

    def send_once(self) -> int:
        """Try every delivery that is due; returns how many were tried."""
        with self._store.system() as session:
            due = outbox.claim_deliveries(
                session, at=self._clock.now(), claim_for=CLAIM_FOR, limit=AT_ONCE
            )
        for delivery in due:
            status, error = self._send(delivery)
            with self._store.write(delivery.tenant_id) as write:
                if error is None and status is not None:
                    outbox.mark_delivered(
                        write, delivery, at=self._clock.now(), answer=status
                    )
                else:
                    outbox.mark_failed(
                        write,
                        delivery,
                        at=self._clock.now(),
                        error=error or "no answer",
                        answer=status,
                    )
        return len(due)

    def _send(self, delivery: Delivery) -> tuple[int | None, str | None]:
        try:
            address = checked_address(
                delivery.url, allow_private=self._allow_private, resolve=self._resolve
            )
            request = self._request(delivery, address)
            with httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False) as http:
                answer = http.send(request)
        except (InvalidInput, httpx.HTTPError, ValueError) as error:
            return None, f"{type(error).__name__}: {error}"[:300]
        if answer.is_success:
            return answer.status_code, None
        return answer.status_code, f"The receiver answered {answer.status_code}."

    def _request(self, delivery: Delivery, address: str) -> httpx.Request:
        body = orjson.dumps(delivery.event.envelope()).decode()
        at = self._clock.now()
        signatures = [
            Webhook(secret).sign(delivery.event.event_id, at, body)
            for secret in delivery.secrets
        ]
        url = httpx.URL(delivery.url)
        host = f"[{address}]" if ":" in address else address
        return httpx.Request(
            "POST",
            url.copy_with(host=host),
            content=body,
            headers={
                "host": url.netloc.decode(),
                "content-type": "application/json",
                "user-agent": "RightRep",
                "webhook-id": delivery.event.event_id,
                "webhook-timestamp": str(int(at.timestamp())),
                "webhook-signature": " ".join(signatures),
            },
            extensions={"sni_hostname": url.host},
        )


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)
