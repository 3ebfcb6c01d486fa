"""Socket Mode as Slack does it: connections by ticket, envelopes over them and their acknowledgements, on a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

from aiohttp import WSMsgType, web

from tests.doubles.slack_methods import Call
from tests.doubles.slack_workspace import APP, Json, fresh

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


@dataclass
class Sent:
    """An envelope that was sent: when, when it was acknowledged, and with what."""

    envelope: Json
    at: float
    acked_at: float | None = None
    answer: Json = field(default_factory=dict)
    acks: int = 0
    done: threading.Event = field(default_factory=threading.Event, repr=False)

    def ack(self, within: float = 3.0) -> Json:
        """Wait for the acknowledgement; what came with it, {} when nothing did."""
        assert self.done.wait(within), f"not acknowledged within {within} s: {self.envelope['type']}"
        return self.answer

    @property
    def seconds(self) -> float:
        """How long the acknowledgement took."""
        self.ack()
        assert self.acked_at is not None
        return self.acked_at - self.at


class Wire:
    """A server on loopback, on a thread of its own; a context manager. `journal` has every call of the Web API."""

    def __init__(self) -> None:
        self.journal: list[Call] = []
        self.sent: list[Sent] = []
        self._links: list[tuple[web.WebSocketResponse, asyncio.Transport]] = []
        self._tickets: set[str] = set()
        self._waiting: dict[str, list[Sent]] = {}  # by envelope: one that is sent twice is acknowledged twice
        self._changed = threading.Condition()
        self._turn = 0
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    # --- life --------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def routes(self, app: web.Application) -> None:
        """Add what is answered to the server."""
        app.router.add_get("/link/", self._link)

    async def _start(self) -> None:
        app = web.Application(client_max_size=32 << 20)
        self.routes(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        for link, _ in [*self._links]:
            await link.close()
        await self._runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the gateway's loop, from any other thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def see(self, what: Callable[[], T]) -> T:
        """Look at what the gateway's loop works on, while it does not."""

        async def look() -> T:  # it runs on the loop
            return what()

        return self.run(look())

    @property
    def root(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    # --- what was said -----------------------------------------------------------------------------

    def calls(self, method: str, **args: object) -> list[Call]:
        """The calls of a method so far, with these arguments."""
        return [c for c in [*self.journal] if c.method == method and all(c.args.get(k) == v for k, v in args.items())]

    def until(self, what: Callable[[], T | None], within: float = 10.0, why: str | Callable[[], str] = "") -> T:
        """Wait until something is so, and return it; it is looked at whenever the gateway hears something."""
        end = time.monotonic() + within
        while True:
            if found := what():
                return found
            left = end - time.monotonic()
            if left <= 0:
                told = "\n".join(f"  {c.method} {c.answer.get('error', 'ok')}" for c in self.journal[-12:])
                what_for = why if isinstance(why, str) else why()
                raise AssertionError(f"not within {within} s: {what_for}; the last calls:\n{told}")
            with self._changed:
                self._changed.wait(min(left, 0.02))

    def connected(self, number: int = 1, within: float = 10.0) -> None:
        """Wait until there are so many connections."""
        self.until(lambda: len(self._links) >= number, within, f"{number} connections")

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._links)

    def note(self, call: Call | None = None) -> None:
        """Write a call down, and wake whoever waits for something."""
        if call is not None:
            self.journal.append(call)
        with self._changed:
            self._changed.notify_all()

    # --- connections -------------------------------------------------------------------------------

    def ticket(self) -> str:
        """A new address for one connection."""
        ticket = fresh("ticket-")
        self._tickets.add(ticket)
        return f"ws://127.0.0.1:{self._port}/link/?ticket={ticket}&app_id={APP}"

    def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every connection to make a new one, and close it soon after, as Slack does every few hours."""
        self.run(self._disconnect(reason))

    async def _disconnect(self, reason: str) -> None:
        gone, self._links = self._links, []
        for link, _ in gone:
            with suppress(ConnectionError):
                await link.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink"}})
        self._loop.call_later(0.3, lambda: [asyncio.ensure_future(link.close()) for link, _ in gone])

    def cut(self) -> None:
        """Cut every connection without a word."""
        self.see(self._cut)

    def _cut(self) -> None:
        gone, self._links = self._links, []
        for _, transport in gone:
            transport.abort()

    def send(self, kind: str, payload: Json, *, within: float = 10.0, envelope_id: str = "", retry: int = 0) -> Sent:
        """Send an envelope over the next connection of the ring; waits for one where there is none."""
        self.connected(1, within)
        return self.run(self.post(envelope(kind, payload, envelope_id, retry)))

    async def post(self, said: Json) -> Sent:
        """Send an envelope, from the gateway's own loop."""
        for _ in range(len(self._links)):
            self._turn += 1
            link, _ = self._links[self._turn % len(self._links)]
            sent = Sent(said, time.monotonic())
            self._waiting.setdefault(said["envelope_id"], []).append(sent)
            try:
                await link.send_json(said)
            except ConnectionError:  # gone, and its own task has not seen it yet
                continue
            self.sent.append(sent)
            return sent
        raise AssertionError("no connection took the envelope: Slack would say dispatch_failed")

    async def _link(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403, text="the ticket was used, or is none")
        self._tickets.remove(ticket)
        link = web.WebSocketResponse()
        await link.prepare(request)
        assert isinstance(request.transport, asyncio.Transport)
        mine = (link, request.transport)
        self._links.append(mine)
        hello: Json = {"type": "hello", "num_connections": len(self._links), "connection_info": {"app_id": APP}}
        hello["debug_info"] = {"host": "applink", "build_number": 1, "approximate_connection_time": 18060}
        await link.send_json(hello)
        self.note()
        try:
            async for message in link:
                if message.type is WSMsgType.TEXT:
                    self._heard(json.loads(message.data))
        finally:
            if mine in self._links:
                self._links.remove(mine)
            self.note()
        return link

    def _heard(self, said: Json) -> None:
        waiting = self._waiting.get(said.get("envelope_id", ""), [])
        if not waiting:
            return
        sent = next((one for one in waiting if not one.acks), waiting[-1])
        sent.acks += 1
        call = None
        if sent.acked_at is None:
            sent.acked_at, sent.answer = time.monotonic(), said.get("payload") or {}
            if sent.answer:
                call = Call(sent.acked_at, "ack", sent.answer, "", {"ok": True}, 200)
        sent.done.set()
        self.note(call)


def envelope(kind: str, payload: Json, envelope_id: str = "", retry: int = 0) -> Json:
    """What goes over a connection; `retry` counts how often its delivery was tried before."""
    made: Json = {"envelope_id": envelope_id or str(uuid.uuid4()), "type": kind, "payload": payload}
    made["accepts_response_payload"] = kind != "events_api"
    if kind == "events_api":
        made |= {"retry_attempt": retry, "retry_reason": "timeout" if retry else ""}
    return made
