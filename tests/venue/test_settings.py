"""What a venue is started with: symbols, accounts and where their keys are, limits and signatures as functions."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys
from pathlib import Path

import pytest

from support.venue_lab import D
from tc.errors import InputError, NotFound, RefusedError
from tc.venue.account_file import read_accounts
from tc.venue.exchange.refusal import Refusal
from tc.venue.server.rate_limit import Limits, RateLimiter
from tc.venue.server.signing import Keyring, split_signature
from tc.venue.setting import AccountSetting, parse_symbol

ENTRY = "accounts: [{name: a, key_env: K, secret_env: S, deposit: '100'}]"


def test_a_symbol_takes_its_tick_from_the_dataset_unless_told() -> None:
    """Filters that were not given have documented defaults."""
    plain = parse_symbol("BTCUSDT=btc").symbol(1)
    assert (plain.tick, plain.lot, plain.base) == (D("0.1"), D("0.001"), "BTC")
    told = parse_symbol("ETHUSDT=eth,tick=0.01,lot=0.01,depth=5,maker=0").symbol(5)
    assert (told.tick, told.lot, told.depth_quantity, told.maker_fee) == (D("0.01"), D("0.01"), D(5), D(0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BTCUSDT", "expected SYMBOL=DATASET"),
        ("BTCEUR=x", "expected SYMBOL=DATASET"),
        ("BTCUSDT=x,colour=red", "is no filter"),
        ("BTCUSDT=x,tick=0", "above zero"),
        ("BTCUSDT=x,lot=many", "above zero"),
        ("BTCUSDT=x,depth=0.0005", "multiple of the lot"),
    ],
)
def test_a_wrong_symbol_is_refused_with_the_reason(text: str, expected: str) -> None:
    """The message says what was expected."""
    with pytest.raises(InputError, match=expected):
        parse_symbol(text)


def test_keys_come_from_the_environment_or_a_private_file(tmp_path: Path) -> None:
    """The accounts file names them; it never holds them."""
    path = tmp_path / "accounts.yaml"
    path.write_text(ENTRY)
    (account,) = read_accounts(path, {"K": "key", "S": "secret"})
    assert (account.api_key, account.secret, account.deposit, account.can_withdraw) == ("key", "secret", D(100), False)
    assert "secret" not in repr(account).replace("can_", "")
    with pytest.raises(InputError, match="variable S is not set"):
        read_accounts(path, {"K": "key"})
    path.write_text("accounts: [{name: a, key_file: k, secret_file: s}]")
    with pytest.raises(NotFound, match="mode 0600"):
        read_accounts(path, {})
    for name in ("k", "s"):
        (tmp_path / name).write_text(f"{name}{name}\n")
        (tmp_path / name).chmod(0o600)
    assert read_accounts(path, {})[0].secret == "ss"
    (tmp_path / "s").chmod(0o644)
    with pytest.raises(RefusedError, match="0644"):
        read_accounts(path, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "expected `accounts:`"),
        ("accounts: [1]", "no mapping"),
        ("accounts: [{name: a, key: k}]", "'key'"),
        ("accounts: [{name: a, key_env: K, key_file: k, secret_env: S}]", "either key_env or key_file"),
        (ENTRY.replace("'100'", "'-1'"), "deposit"),
        (ENTRY.replace("name: a", "name: a/b"), "plain name"),
        (f"{ENTRY[:-1]}, {ENTRY[11:-1]}]", "same name"),
        ("{", "YAML"),
    ],
)
def test_a_wrong_accounts_file_is_refused_with_the_reason(tmp_path: Path, text: str, expected: str) -> None:
    """The message says what was expected and never shows a value that may be a key."""
    path = tmp_path / "accounts.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=expected):
        read_accounts(path, {"K": "canary-key", "S": "canary-secret"})


def test_the_documented_signature_is_accepted() -> None:
    """The worked example of Binance's own documentation gives the signature that is written there."""
    secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"  # published, worth nothing
    order = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
    query = f"{order}&recvWindow=5000&timestamp=1591702613943"
    signature = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    assert hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest() == signature
    ring = Keyring([AccountSetting("a", "key", secret, D(0), can_withdraw=False)])
    found = ring.authenticate("key", split_signature(f"{query}&signature={signature}", ""), 1591702613943)
    assert not isinstance(found, Refusal)


@pytest.mark.parametrize(
    ("query", "body", "payload"),
    [
        ("a=1&signature=ff", "", b"a=1"),
        ("a=1", "b=2&signature=ff", b"a=1b=2"),
        ("a=1&signature=ff", "b=2", b"a=1b=2"),
        ("signature=ff", "", b""),
        ("a=1&signature=ff&b=2", "", b"a=1&signature=ff&b=2"),
    ],
)
def test_what_is_signed_is_what_stands_before_the_signature(query: str, body: str, payload: bytes) -> None:
    """Query and body are joined as they are; a signature that is not last is none."""
    assert split_signature(query, body).payload == payload


def test_windows_end_and_bans_end() -> None:
    """Weight is free again in the next minute, a ban lasts its time whatever the window."""
    limiter = RateLimiter(Limits(weight_1m=10, warnings=2, ban_s=90))
    assert limiter.admit("k", 10, 0, 0).refusal is None
    statuses = [getattr(limiter.admit("k", 1, 0, 1000).refusal, "status", 200) for _ in range(3)]
    assert statuses == [429, 429, 418]
    assert getattr(limiter.admit("k", 1, 0, 60_000).refusal, "status", 200) == 418
    assert limiter.admit("other", 1, 0, 60_000).refusal is None
    assert limiter.admit("k", 1, 0, 91_001).refusal is None


def test_orders_are_counted_in_ten_seconds_and_a_minute() -> None:
    """-1015 with the seconds to wait, and the counts in the headers."""
    limiter = RateLimiter(Limits(orders_10s=2, orders_1m=3))
    admissions = [limiter.admit("k", 0, 1, at) for at in (0, 1, 2, 10_000, 10_001)]
    assert [getattr(one.refusal, "code", 0) for one in admissions] == [0, 0, -1015, -1015, -1015]
    assert admissions[2].headers["Retry-After"] == "10"
    assert admissions[1].headers["X-MBX-ORDER-COUNT-10S"] == "2"


def test_help_costs_nothing() -> None:
    """`tc venue serve --help` loads neither a web server nor the engine nor an array library."""
    code = (
        "import sys; sys.argv=['tc','venue','serve','--help']\n"
        "from tc.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert not {'aiohttp','nautilus_trader','numpy','yaml','pydantic'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, stdout=subprocess.DEVNULL)
