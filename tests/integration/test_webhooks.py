"""Events reach those who asked: signed, at least once, and never our own network."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from rightrep.clock import SystemClock
from rightrep.domain.event import DeliveryState
from rightrep.domain.roles import Role
from rightrep.errors import InvalidInput
from rightrep.store.engine import Store
from rightrep.store.outbox import list_deliveries
from serving.webhooks import Sender, checked_address
from tests.serving_parts import ACME, Served, serve


class Receiver:
    """A CRM that listens, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.failures = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if receiver.failures > 0:
                    receiver.failures -= 1
                    self.send_response(500)
                else:
                    headers = {k.lower(): v for k, v in self.headers.items()}
                    receiver.got.append((headers, body))
                    self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/in"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    listening = Receiver()
    yield listening
    listening.server.shutdown()
    listening.server.server_close()


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return serve(store, tmp_path)


def ask_to_be_told(served: Served, receiver: Receiver) -> tuple[str, str]:
    """Add the receiver; gives its endpoint id and secret."""
    body = {"url": receiver.url, "types": ["rightrep.lead.assigned"]}
    answer = served.post("/v1/webhooks", body, role=Role.ADMIN)
    assert answer.status_code == 201, answer.text
    return answer.json()["endpoint_id"], answer.json()["secret"]


def send(served: Served) -> int:
    store, clock = served.context.store, served.clock
    return Sender(store, clock=clock, allow_private=True).send_once()


def test_an_assignment_is_told_once_and_signed(
    served: Served, receiver: Receiver
) -> None:
    _, secret = ask_to_be_told(served, receiver)
    served.clock.move(SystemClock().now() - served.clock.now())
    served.add_reps("r1")
    (lead_id,) = served.add_leads("l1")
    served.next("l1")

    tried = send(served)

    assert (tried, send(served)) == (1, 0)
    ((headers, body),) = receiver.got
    told = Webhook(secret).verify(body, headers)
    assert told["type"] == "rightrep.lead.assigned"
    assert told["data"]["lead_id"] == lead_id
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)


def test_a_receiver_that_fails_is_tried_again_later(
    served: Served, receiver: Receiver
) -> None:
    endpoint_id, _ = ask_to_be_told(served, receiver)
    receiver.failures = 1
    served.add_reps("r1")
    served.add_leads("l1")
    served.next("l1")

    assert send(served) == 1
    assert send(served) == 0
    served.clock.move(timedelta(minutes=10))
    assert send(served) == 1

    assert len(receiver.got) == 1
    with served.context.store.read(ACME) as session:
        (delivery,) = list_deliveries(session, endpoint_id)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 2)


def test_a_refused_decision_is_told_to_nobody(
    served: Served, receiver: Receiver
) -> None:
    ask_to_be_told(served, receiver)
    served.add_reps("r1", holding_limit=0)
    served.add_leads("l1")

    assert served.next("l1").json()["rep_id"] is None
    assert send(served) == 0


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://crm.example/in", ["93.184.216.34"]),
        ("ftp://crm.example/in", ["93.184.216.34"]),
        ("https://user:secret@crm.example/", ["93.184.216.34"]),
        ("https:///nobody", ["93.184.216.34"]),
        ("https://crm.example/", ["10.0.0.5"]),
        ("https://crm.example/", ["127.0.0.1"]),
        ("https://crm.example/", ["169.254.169.254"]),
        ("https://crm.example/", ["93.184.216.34", "192.168.0.1"]),
        ("https://crm.example/", ["::1"]),
        ("https://crm.example/", ["fd00::1"]),
        ("https://crm.example:99999/", ["93.184.216.34"]),
    ],
)
def test_an_address_in_our_own_network_is_refused(
    url: str, addresses: list[str]
) -> None:
    with pytest.raises(InvalidInput):
        checked_address(url, resolve=lambda _host, _port: addresses)


def test_a_public_address_is_the_one_that_was_checked() -> None:
    found = checked_address(
        "https://crm.example/in", resolve=lambda _host, _port: ["93.184.216.34"]
    )

    assert found == "93.184.216.34"
