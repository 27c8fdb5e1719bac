"""Who is asking: API key, signature over the raw query, and the time window."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from tc.venue.exchange import refusal
from tc.venue.exchange.refusal import Refusal
from tc.venue.setting import AccountSetting

KEY_HEADER = "X-MBX-APIKEY"
RECV_WINDOW_MS = 5_000
RECV_WINDOW_MS_MAX = 60_000
AHEAD_MS_MAX = 1_000
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_SIGNATURE = "signature="


@dataclass(frozen=True, slots=True)
class Signed:
    """What a request carries: its parameters without the signature, and the bytes that were signed."""

    parameters: Mapping[str, str]
    payload: bytes
    signature: str


def split_signature(query: str, body: str) -> Signed:
    """Return the parameters of a raw query string and a raw form body, and what the signature covers.

    The signature is the last parameter of the body, or of the query where the body has none. What was signed
    is everything before it, as it came: encoding it again would change it.
    """
    signature = ""
    if body:
        body, signature = _cut(body)
        if not signature:
            query, signature = _cut(query)
    else:
        query, signature = _cut(query)
    pairs = parse_qsl(query, keep_blank_values=True) + parse_qsl(body, keep_blank_values=True)
    return Signed(dict(pairs), (query + body).encode(), signature)


class Keyring:
    """The accounts by their API key."""

    def __init__(self, accounts: Iterable[AccountSetting]) -> None:
        self._accounts = {account.api_key: account for account in accounts}

    def known(self, api_key: str | None) -> AccountSetting | Refusal:
        """Return whose key this is."""
        if not api_key or not _KEY.fullmatch(api_key):
            return refusal.BAD_KEY_FORMAT
        return self._accounts.get(api_key) or refusal.BAD_KEY

    def authenticate(self, api_key: str | None, signed: Signed, now_ms: int) -> AccountSetting | Refusal:
        """Return whose signed request this is, or why it is nobody's."""
        account = self.known(api_key)
        if isinstance(account, Refusal):
            return account
        expected = hmac.new(account.secret.encode(), signed.payload, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signed.signature.encode()):
            return refusal.BAD_SIGNATURE
        return _judge_time(signed.parameters, now_ms) or account


def _judge_time(parameters: Mapping[str, str], now_ms: int) -> Refusal | None:
    try:
        timestamp = int(parameters["timestamp"])
    except (KeyError, ValueError):
        return refusal.missing("timestamp")
    try:
        window = int(parameters.get("recvWindow", RECV_WINDOW_MS))
    except ValueError:
        return refusal.missing("recvWindow")
    if not 0 < window <= RECV_WINDOW_MS_MAX:
        return refusal.missing("recvWindow")
    is_inside = timestamp < now_ms + AHEAD_MS_MAX and now_ms - timestamp <= window
    return None if is_inside else refusal.OUTSIDE_RECV_WINDOW


def _cut(text: str) -> tuple[str, str]:
    if text.startswith(_SIGNATURE):
        return "", text.removeprefix(_SIGNATURE)
    payload, found, signature = text.rpartition(f"&{_SIGNATURE}")
    return (payload, signature) if found and "&" not in signature else (text, "")
