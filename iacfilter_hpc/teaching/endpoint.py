"""Endpoint: chat completions of a server that speaks OpenAI's protocol, one request at a time.

The key comes from the environment and goes to this address alone: no redirect is followed. It
stands in no message, no file and no representation of an object.
Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from iacfilter_hpc.errors import UsageError
from iacfilter_hpc.teaching.verdicts import Completion, NoCompletion, read_completion

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Far beyond an answer: a body without end must not fill the memory."""
LATER = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 529))
"""States of HTTP after which the same request may succeed. 529: overloaded, at some providers."""
SHOWN = 200
"""Characters of a refusal that a message shows."""
CONNECT_SECONDS = 10.0
HIDDEN = "[key]"
SHORTEST_SECRET = 8
"""Characters of a key. A local server's may be EMPTY, which is no secret, and a word of answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Endpoint: its address up to /v1, the key that it wants, the seconds a request may take."""

    url: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 300.0

    @property
    def host(self) -> str:
        """Scheme, host and port, for people."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def is_open(self) -> bool:
        """Whether what is sent there can be read on its way: plain HTTP to another machine."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")

    def hide(self, text: str) -> str:
        """The text without the key: servers repeat it in their refusals."""
        secret = self.key if self.key and len(self.key) >= SHORTEST_SECRET else None
        return text.replace(secret, HIDDEN) if secret else text


def endpoint_of(url: str, key: str | None, timeout: float) -> Endpoint:
    """The endpoint at a URL.

    Raises:
        UsageError: it is no URL of one, or holds what belongs in the environment; or the key cannot
            be sent.
    """
    try:
        parts = urlsplit(url)
        httpx2.URL(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (ValueError, httpx2.InvalidURL):
        usable = False
    # not before the check below: what is wrong with it may be the key in it
    if not usable:
        raise UsageError("--url is no address of HTTP", hint="such as http://node7:8000/v1")
    if parts.username is not None or parts.query or parts.fragment or not url.isprintable():
        raise UsageError(
            "--url holds more than scheme, host, port and path",
            hint="a key belongs in the environment: see --key-env",
        )
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        raise UsageError("the key holds characters that no header can: is a line end among them?")
    return Endpoint(url=url.rstrip("/"), key=key, timeout=timeout)


class Refused(Exception):
    """The endpoint refuses this request, and would again."""


class Rejected(Refused):
    """It refuses every request: the address, the key or the model is wrong."""


class Later(Exception):
    """No answer this time; `wait` is for how many seconds the endpoint asks, if it does."""

    def __init__(self, problem: str, wait: float | None = None) -> None:
        super().__init__(problem)
        self.wait = wait


class Unreached(Later):
    """No connection came about: nothing answers there, now at least."""


class Unlike(Later):
    """What came is no chat completion."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Reply to a request: its body as it came, and what it says."""

    raw: str
    completion: Completion


class Client:
    """Client of an endpoint; a context manager."""

    def __init__(self, endpoint: Endpoint, parallel: int) -> None:
        self._endpoint = endpoint
        self._url = f"{endpoint.url}/chat/completions"
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if endpoint.key is not None:
            headers["Authorization"] = f"Bearer {endpoint.key}"
        self._http = httpx2.AsyncClient(
            headers=headers,
            # never: a redirect could lead the key elsewhere, even to http:// of the same host
            follow_redirects=False,
            # the whole request has its own limit, in `ask`: these start anew with each byte
            timeout=httpx2.Timeout(endpoint.timeout, connect=CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=parallel),
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, traceback)

    async def ask(self, body: Mapping[str, object]) -> Reply:
        """The reply to one request.

        Raises:
            Refused: it would be refused again; Rejected, so would any other.
            Later: the same request may succeed.
        """
        seconds = self._endpoint.timeout
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(json.dumps(body, ensure_ascii=False).encode())
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            said = self._endpoint.hide(str(error)) or "no connection came about in time"
            raise Unreached(f"cannot be reached{_detour(self._url)}: {said}") from error
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise Later(f"no answer within {seconds:g} s") from error
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            said = self._endpoint.hide(str(error)) or type(error).__name__
            raise Later(f"the connection broke off: {said}") from error

    async def _ask(self, content: bytes) -> Reply:
        async with self._http.stream("POST", self._url, content=content) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise Unlike(f"its answer is longer than {MAX_ANSWER_BYTES // 2**20} MiB")
        # what cannot be read is shown as it can be; of an answer that is kept, it is an error
        text = self._endpoint.hide(body.decode(errors="replace"))
        self._check(response, text)
        if "\ufffd" in text and b"\xef\xbf\xbd" not in body:
            raise Unlike("its answer is not UTF-8")
        try:
            return Reply(text, read_completion(text))
        except NoCompletion as error:
            raise Unlike(f"its answer is no chat completion: {error}") from error

    def _check(self, response: httpx2.Response, text: str) -> None:
        """Raise unless the state of HTTP says that it went well."""
        state = response.status_code
        if response.is_success:
            return
        if response.is_redirect:
            raise Rejected(
                f"it redirects to {_place(response.headers.get('location', ''))}, "
                "which is not followed"
            )
        problem = f"{state} {response.reason_phrase}: {_shown(text)}"
        if state in LATER:
            raise Later(problem, _wait(response.headers.get("retry-after")))
        raise (Rejected if state in (401, 403, 404, 405) else Refused)(problem)


def _detour(url: str) -> str:
    """The words for a proxy that the environment puts before an address; none without one."""
    parts = urlsplit(url)
    has_proxy = {parts.scheme, "all"} & getproxies().keys()
    if not has_proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return f" through the proxy of ${parts.scheme}_proxy (see $no_proxy)"


def _place(location: str) -> str:
    """Scheme and host of an address: the rest may hold what is secret."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "no address"
    host = f"{parts.scheme}://{parts.hostname}" if parts.hostname else "another path"
    return host if host.isprintable() else "no address"


def _shown(text: str) -> str:
    """The beginning of a refusal, on one line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 3]}..."


def _wait(header: str | None) -> float | None:
    """Seconds that Retry-After asks for, as a number or as a date; None if it is neither.

    Source: RFC 9110, section 10.2.3.
    """
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        then = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
