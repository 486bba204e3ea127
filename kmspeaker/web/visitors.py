"""Who asks: the address that a visitor's turns are counted by, behind proxies too.

Anybody can write ``X-Forwarded-For``, so it is read from its end, where the nearest proxy wrote,
and only as far as the hops before it are known to be proxies: the visitor is the first that is not.
Where no proxy is trusted nothing of it is read.
"""

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fastapi
import gradio as gr

from kmspeaker.errors import InputError

PRIVATE = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
"""What ``private`` stands for: networks from which only one's own machines can come."""
HEADER = "x-km-visitor"
"""By it a visitor's address survives the page's calls to itself, as MCP makes them."""
_IPV6_BITS = 64
"""Of an IPv6 address that name a visitor's network; every machine there has the rest to itself."""
_MOST_HOPS = 32

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class TrustedProxies:
    """The proxies whose word on where a request comes from is taken."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def read(cls, text: str | None) -> "TrustedProxies":
        """Of addresses and networks with commas between, or the word ``private``.

        Raises:
            InputError: One of them is neither.
        """
        words = [word.strip() for word in (text or "").split(",") if word.strip()]
        networks: list[Network] = []
        for word in words:
            try:
                names = PRIVATE if word == "private" else (word,)
                networks += [ipaddress.ip_network(name, strict=False) for name in names]
            except ValueError as error:
                raise InputError(
                    f"Got --trusted-proxies {word!r}; give addresses or networks of your proxies, "
                    "such as 10.0.0.0/8, or private for all networks of one's own."
                ) from error
        return cls(tuple(networks))

    def __contains__(self, address: Address) -> bool:
        """Whether a proxy of ours has it."""
        return any(address in network for network in self.networks)

    def visitor(self, peer: str, forwarded: Sequence[str] = ()) -> str:
        """Whose request it is: the last hop that is no trusted proxy.

        Args:
            peer: Who opened the connection.
            forwarded: Every ``X-Forwarded-For`` of the request, in order.

        Returns:
            An address; of IPv6 its network. ``peer`` as it is where that is no address.
        """
        last = _address(peer)
        if last is None:
            return peer
        hops = ",".join(forwarded).split(",")[-_MOST_HOPS:]
        while last in self and hops:
            hop = _address(hops.pop())
            if hop is None:  # no address: a proxy that hides it, or a forged one
                break
            last = hop
        return _name(last)


class KnowVisitors:
    """ASGI middleware: ``request.client`` becomes the visitor."""

    def __init__(self, app: Any, trusted: TrustedProxies, secret: str | None = None) -> None:
        """Around ``app``.

        Args:
            app: What serves the request.
            trusted: Whose word is taken.
            secret: By which the page knows its own calls; one that nobody knows where None.
        """
        self._app = app
        self._trusted = trusted
        self._secret = secret or secrets.token_hex(16)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request under its visitor's name."""
        if scope["type"] in ("http", "websocket"):
            host, port = scope.get("client") or ("unknown", 0)
            ours = HEADER.encode()
            kept = [(key, value) for key, value in scope["headers"] if key != ours]
            own = next((v.decode("latin-1") for k, v in scope["headers"] if k == ours), "")
            mark, _, name = own.partition(" ")
            if not (name and secrets.compare_digest(mark.encode(), self._secret.encode())):
                forwarded = [v.decode("latin-1") for k, v in kept if k == b"x-forwarded-for"]
                name = self._trusted.visitor(host, forwarded)
            header = (ours, f"{self._secret} {name}".encode("latin-1"))
            scope = {**scope, "client": (name, port), "headers": [*kept, header]}
        await self._app(scope, receive, send)


def visitor(request: gr.Request) -> str:
    """Whose turns are counted: an address, whatever pages it has open."""
    inner = request.request
    return visitor_of(inner, request.session_hash)


def visitor_of(request: fastapi.Request | None, session: str | None) -> str:
    """The same of a request in the queue."""
    client = getattr(request, "client", None)
    return client.host if client is not None else session or "unknown"


def _address(text: str) -> Address | None:
    """Of ``1.2.3.4``, ``1.2.3.4:80``, ``::1`` or ``[::1]:80``; None of anything else."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _name(address: Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, _IPV6_BITS), strict=False).network_address)
