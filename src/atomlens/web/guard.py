"""Who may ask the application, and how much: host, token and size, before anything is read.

The application listens on this machine alone, but so can every page that is open in a browser of
this machine ask it. Hence a random token in each request, and a check of the name under which the
browser believes to have found us: a page of a stranger whose name was pointed at 127.0.0.1 sends
its own name as ``Host``.
"""

import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, final
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN_HEADER = "x-atomlens-token"
_NAMES = frozenset(("127.0.0.1", "localhost", "::1"))
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


@final
class Guard:
    """Answers strangers itself, and hands everything else to the application.

    A wrong host or origin gives 403, a wrong token 401, a body of more than ``most_bytes`` 413,
    each with one sentence as ``detail``.
    """

    def __init__(self, app: Application, *, token: str, most_bytes: int) -> None:
        self.app = app
        self.token = token.encode()
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        problem = self._problem(scope, headers)
        if problem is not None:
            await _refuse(send, *problem)
            return
        await self._bounded(scope, receive, send)

    def _problem(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        host = headers.get(b"host", b"").decode("latin-1")
        if _name_of(host) not in _NAMES:
            return 403, "This application answers to 127.0.0.1 and localhost only."
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin.decode("latin-1")).netloc != host:
            return 403, "This application answers its own page only."
        given = headers.get(TOKEN_HEADER.encode())
        if given is None:
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
            given = query.get("token", [""])[0].encode("latin-1", errors="replace")
        if not secrets.compare_digest(given, self.token):
            return 401, (
                "The token is missing or wrong; open the address that `atomlens view` has printed."
            )
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.most_bytes:
            return 413, self._too_large()
        return None

    def _too_large(self) -> str:
        return (
            f"This is more than the {self.most_bytes / 1e6:.0f} MB that are taken at once; give "
            "fewer files, or use `atomlens predict`."
        )

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application on a body of unknown length, which is cut off beyond the bound."""
        seen, beyond, answered = 0, False, False

        async def counted() -> Message:
            nonlocal seen, beyond
            message = await receive()
            seen += len(message.get("body", b""))
            beyond = beyond or seen > self.most_bytes
            return {"type": "http.disconnect"} if beyond else message

        async def answer(message: Message) -> None:
            nonlocal answered
            if beyond and not answered:
                answered = True
                await _refuse(send, 413, self._too_large())
            if beyond:
                return
            if message["type"] == "http.response.start":
                answered = True
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        try:
            await self.app(scope, counted, answer)
        except Exception:
            if not beyond:
                raise
        if beyond and not answered:
            await _refuse(send, 413, self._too_large())


def _name_of(host: str) -> str:
    """Return the name in a Host header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def _refuse(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"detail": sentence}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *_HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
