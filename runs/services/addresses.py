"""Where an account may send us: which hosts, which schemes, which network addresses, and the socket to them."""

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from .base import Refused, UnexpectedAnswer
from .failures import Passing

# `is_global` calls these global, yet they lead into private networks: NAT64, 6to4, and Azure's own host address.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "168.63.129.16/32")
)
_PORTS = {"https": 443, "http": 80}


class AddressRefused(Refused):
    """The account's address may not be called; nothing was sent."""


class Origin(NamedTuple):
    scheme: str
    host: str
    port: int


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet: global, not multicast, no tunnel into another network."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return (
        ip.is_global and not ip.is_multicast and not any(ip in net for net in _NOT_PUBLIC if net.version == ip.version)
    )


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port of an absolute http(s) URL; None for others, with user info, or ambiguous to parsers."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or parts.netloc.endswith(":"):
        return None
    return Origin(parts.scheme, parts.hostname.lower(), _PORTS[parts.scheme] if port is None else port)


class Gate:
    """The hosts that one account's calls may reach: the provider's own (https, public addresses), and listed extras.

    `hosts`: exact names, or "*.example.com" for any one label and "*.*.example.com" for any two. `extra_hosts`: "host"
    or "host:port"; these may be plain http, at any port (or the one named), and at private addresses, because whoever
    runs Plimsoll listed them.
    """

    def __init__(self, provider: str, hosts: Iterable[str], extra_hosts: Iterable[str] = ()):
        self.provider = provider
        self.hosts = tuple(host.lower() for host in hosts)
        self._extra = [_host_and_port(entry) for entry in extra_hosts]

    def is_extra(self, host: str, port: int) -> bool:
        return any(host == name and wanted in (None, port) for name, wanted in self._extra)

    def is_own(self, host: str) -> bool:
        return host in self.hosts or any(_fits(host, pattern) for pattern in self.hosts if pattern.startswith("*."))

    def check(self, url: str) -> Origin:
        """The URL's origin if it may be called, else AddressRefused with a sentence for whoever set up the account."""
        origin = origin_of(url)
        if origin is None:
            raise AddressRefused(
                f"The address of this {self.provider} account is not one we can call. Enter it as https://host, "
                "without a user name, a query or spaces."
            )
        if self.is_extra(origin.host, origin.port):
            return origin
        if not self.is_own(origin.host):
            raise AddressRefused(
                f"{origin.host} is not a host of {self.provider}. Correct the account's address, or have the host "
                "added to PROVIDER_HOSTS."
            )
        if origin.scheme != "https" or origin.port != 443:
            raise AddressRefused(f"{self.provider} is called over https at its usual port only. Correct the address.")
        return origin

    def allows(self, origin: Origin, address: str) -> bool:
        """Whether a connection to this network address may be opened for this origin."""
        if self.is_extra(origin.host, origin.port):
            return True
        return origin.scheme == "https" and origin.port == 443 and self.is_own(origin.host) and is_public(address)


def same_origin(url: str, base: Origin, provider: str) -> str:
    """`url`, when it stays at `base`; else UnexpectedAnswer: links to elsewhere are never followed with credentials."""
    if origin_of(url) != base:
        raise UnexpectedAnswer(
            f"{provider} sent a link to another host, and it was not followed. If this lasts, report it to Plimsoll's "
            "maintainers."
        )
    return url


def open_socket(
    gate: Gate, origin: Origin, resolve: Callable[..., list[tuple]], left: Callable[[], float]
) -> socket.socket:
    """A TCP connection to the host of `origin`, at an address the gate allows. `left`: the seconds left for it.

    The address is vetted between the look-up and the connection, so no second look-up can slip in another.
    """
    found = _look_up(gate, origin, resolve, left())
    # One bad address refuses all: a name that answers with both is exactly what a rebinding attack looks like.
    if not all(gate.allows(origin, address[4][0]) for address in found):
        raise AddressRefused(
            f"The host {origin.host} leads to a network that {gate.provider} accounts may not reach; nothing was sent. "
            "Correct the account's address, or have the host added to PROVIDER_HOSTS."
        )
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(left())
            sock.connect(address)
        except OSError:
            sock.close()
            continue
        return sock
    raise Passing(
        f"{gate.provider} could not be reached at {origin.host}: no connection. Check that the address is right and "
        "reachable from this server, then try again."
    )


def _look_up(gate: Gate, origin: Origin, resolve: Callable[..., list[tuple]], seconds: float) -> list[tuple]:
    """The addresses of a host, within some seconds: the system's own look-up waits for as long as it likes."""
    answer: list[list[tuple]] = []

    def look_up() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            answer.append(resolve(origin.host, origin.port, type=socket.SOCK_STREAM))

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(seconds)
    if not answer or not answer[0]:
        raise Passing(
            f"The host {origin.host} of {gate.provider} could not be found. Check the account's address and this "
            "server's name service (DNS), then try again."
        )
    return answer[0]


def _fits(host: str, pattern: str) -> bool:
    """Whether a host has just the labels of a pattern, any at its leading "*"s, and none of them empty."""
    rest = pattern.lstrip("*.")
    free = pattern.removesuffix(rest).count("*")
    labels = host.split(".", free)
    return len(labels) == free + 1 and all(labels) and labels[-1] == rest


def _host_and_port(entry: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit("//" + entry.strip())
        return (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "", None
