"""Where a venue listens on this machine, as a literal address that nobody looks up again, and the keys for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address

from tc.errors import RefusedError


def is_loopback(host: str) -> bool:
    """Tell whether `host` is a literal address of this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def require_loopback(host: str) -> None:
    """Raise RefusedError unless `host` is a literal address of this machine."""
    if not is_loopback(host):
        raise RefusedError(f"found the address {host}, but paper sends keys and orders to this machine only")


@dataclass(frozen=True)
class LoopbackEndpoint:
    """A literal address of this machine and a port.

    Raises:
        RefusedError: the address is no such one.
    """

    host: str
    port: int

    def __post_init__(self) -> None:
        require_loopback(self.host)

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def http(self) -> str:
        """Base URL of requests."""
        return f"http://{self.authority}"

    @property
    def ws(self) -> str:
        """Base URL of streams."""
        return f"ws://{self.authority}"


@dataclass(frozen=True)
class ApiKeys:
    """The API key of an account and its secret; neither is ever shown."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
