"""Who asks: the address that turns are counted by, whatever a request says of itself."""

import asyncio
from typing import Any

import pytest

from kmspeaker.errors import InputError
from kmspeaker.web.visitors import HEADER, KnowVisitors, TrustedProxies

PROXY, OTHER_PROXY, VISITOR = "10.0.0.7", "10.0.0.8", "203.0.113.5"
FORGED = "198.51.100.66"


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "whose"),
    [
        (None, VISITOR, [], VISITOR),
        (None, VISITOR, [FORGED], VISITOR),
        (None, "127.0.0.1", [FORGED], "127.0.0.1"),
        ("private", VISITOR, [FORGED], VISITOR),
        ("private", PROXY, [VISITOR], VISITOR),
        ("private", PROXY, [f"{FORGED}, {VISITOR}"], VISITOR),
        ("private", PROXY, [FORGED, VISITOR], VISITOR),
        ("private", PROXY, [f"{FORGED}, {VISITOR}, {OTHER_PROXY}"], VISITOR),
        ("private", PROXY, [f"{VISITOR}, {FORGED}, {OTHER_PROXY}"], FORGED),
        ("private", PROXY, [], PROXY),
        ("private", PROXY, ["not an address"], PROXY),
        ("private", PROXY, [f"{FORGED}, unknown"], PROXY),
        ("private", PROXY, [f"{FORGED}, unknown, {OTHER_PROXY}"], OTHER_PROXY),
        (PROXY, PROXY, [f"{FORGED}, {OTHER_PROXY}"], OTHER_PROXY),
        ("10.0.0.0/8, 192.0.2.1", "192.0.2.1", [VISITOR], VISITOR),
        ("private", PROXY, [f"{VISITOR}:4711"], VISITOR),
        ("private", "::ffff:10.0.0.7", [VISITOR], VISITOR),
        ("private", PROXY, ["[2001:db8:1:2:3:4:5:6]:443"], "2001:db8:1:2::"),
        (None, "2001:db8:1:2:9:9:9:9", [], "2001:db8:1:2::"),
        (None, "testclient", [VISITOR], "testclient"),
        ("private", PROXY, [", ".join([FORGED] * 5000)], FORGED),
    ],
)
def test_the_visitor_is_the_last_hop_that_is_no_trusted_proxy(
    trusted: str | None, peer: str, forwarded: list[str], whose: str
):
    assert TrustedProxies.read(trusted).visitor(peer, forwarded) == whose


@pytest.mark.parametrize("text", ["1", "proxy.example", "10.0.0.0/99", "private, x"])
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(InputError, match="--trusted-proxies"):
        TrustedProxies.read(text)


def served(middleware: type, **options: Any):
    """What the app behind it is told, for a request's headers."""

    def ask(peer: str | None, headers: dict[str, str]) -> dict[str, Any]:
        told: dict[str, Any] = {}

        async def app(scope: Any, receive: Any, send: Any) -> None:
            told.update(scope)

        scope = {
            "type": "http",
            "client": (peer, 4711) if peer else None,
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }
        asyncio.run(middleware(app, **options)(scope, None, None))
        return told

    return ask


def test_what_serves_the_request_sees_the_visitor_as_its_client():
    ask = served(KnowVisitors, trusted=TrustedProxies.read("private"))
    told = ask(PROXY, {"x-forwarded-for": f"{FORGED}, {VISITOR}", "accept": "a/b"})
    assert told["client"] == (VISITOR, 4711)
    assert (b"accept", b"a/b") in told["headers"]
    assert ask(VISITOR, {"x-forwarded-for": FORGED})["client"] == (VISITOR, 4711)
    assert ask(None, {})["client"][0] == "unknown"


def test_the_pages_calls_to_itself_keep_the_visitor_and_nobody_else_can_claim_to_be_one():
    ask = served(KnowVisitors, trusted=TrustedProxies(), secret="ours")
    outer = dict(ask(VISITOR, {})["headers"])[HEADER.encode()].decode()
    assert ask("127.0.0.1", {HEADER: outer})["client"][0] == VISITOR
    for forged in (f"guessed {FORGED}", FORGED, f" {FORGED}", "ours", "ours ", ""):
        assert ask(VISITOR, {HEADER: forged})["client"][0] == VISITOR
