"""A paper run as users start it: `tc run` with a venue and a node of its own, ended, killed, and closed."""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from support.paper_lab import CANARY, Paper, ended
from support.venue_process import VenueProcess, until
from tc.durable import read_entries
from tc.runs.reconcile import reconcile_run
from tc.store.run_directory import INPUTS, JOURNAL

pytestmark = pytest.mark.whole_run


@pytest.fixture
def paper(tmp_path: Path) -> Paper:
    """Return a paper run of eight seconds."""
    return Paper(tmp_path, "8s")


def saved_count(path: Path) -> int:
    """Return what the strategy had counted when it was saved."""
    return int(base64.b64decode(json.loads(path.read_bytes())["strategies"]["ping-pong"]["n"]))


def test_a_paper_run_trades_over_real_sockets_and_venue_engine_and_journal_agree(paper: Paper) -> None:
    """A paper run fills orders at its own venue, is sealed, and its three books agree; its keys are nowhere."""
    code, facts, words = ended(paper.start())

    assert (code, facts["status"], facts["reconciliation"]) == (0, "completed", "matched"), words
    assert facts["metrics"]["fills"] >= 4
    checks = json.loads(paper.run.file("reconciliation_result.json").read_bytes())["checks"]
    assert {"position", "order", "fill", "balance"} <= {check["break_class"] for check in checks}
    assert {"portfolio.json", "equity.json", "risk_state.json"} <= {
        path.name for path in paper.run.file("state").iterdir()
    }
    assert paper.run.document("connectivity_readiness.json")["state"] == "configured"
    assert paper.run.document("connectivity_probe.json")["found"] == "reachable"
    assert all(CANARY.encode() not in data for _, data in paper.texts())
    assert CANARY not in words
    verified = paper.verified()
    assert verified.is_equal, verified.difference
    assert verified.decisions >= 8


def test_a_node_that_is_killed_goes_on_where_it_was_and_loses_nothing(paper: Paper) -> None:
    """After a SIGKILL of the node the same run goes on in a new one; orders, fills and wallet equal the venue's."""
    process = paper.start()
    paper.until_entries(60)
    os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
    code, facts, words = ended(process)

    assert (code, facts["status"], facts["reconciliation"]) == (0, "completed", "matched"), words
    assert paper.counts()["NodeStarted"] == 2
    assert "is started again (2)" in words
    verified = paper.verified()  # both starts, the second from what the first left
    assert verified.is_equal, verified.difference


def test_a_node_that_cannot_begin_again_is_tried_again_and_what_it_holds_is_not_left(tmp_path: Path) -> None:
    """A venue that lets a node in, but not its user stream, for longer than a start may take, does not end the run."""
    paper = Paper(tmp_path, "75s")
    process = paper.start()
    paper.until_entries(60)
    paper.control("POST", "/fault", {"kind": "refuse", "target": "user"})
    os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
    paper.until_counted("NodeStarted", 3)  # the second gave up
    paper.control("POST", "/fault", {"kind": "clear"})
    code, facts, words = ended(process)

    assert (code, facts["status"], facts["reconciliation"]) == (0, "completed", "matched"), words
    assert "did not start within 25 s" in words
    verified = paper.verified()
    assert verified.is_equal, verified.difference


def test_a_node_that_is_asked_to_stop_while_it_starts_again_lets_go_of_what_the_run_holds(tmp_path: Path) -> None:
    """It starts, for nobody else can let go; `on_stop` is obeyed before the run is sealed."""
    paper = Paper(tmp_path, "10m")
    paper.trade("stuck.py:Stuck", "mode: nothing", 300)
    process = paper.start()
    paper.until_counted("OrderAccepted", 2)
    os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
    paper.until_counted("NodeStarted", 2)  # it takes requests to stop from here on, and does not run yet
    process.send_signal(signal.SIGTERM)
    code, facts, words = ended(process)
    assert (code, facts["status"], facts["reconciliation"]) == (0, "interrupted", "matched"), words
    assert not paper.fold().positions_open
    last = [e.payload() for e in read_entries(paper.run.file(JOURNAL)) if e.type == "VenueStateRecorded"][-1]
    assert (last["orders"], last["positions"]) == ([], {})


def test_decisions_at_timers_on_denials_and_on_history_are_replayed_and_state_is_kept(tmp_path: Path) -> None:
    """What a strategy decides at timers, by its clock, on a denial, on past bars is repeated; its state is sealed."""
    for mode, speed in (("timer", 1), ("history", 300)):
        paper = Paper(tmp_path / mode, "5s", mode)
        paper.trade("odd.py:Odd", f"mode: {mode}", speed)
        code, facts, words = ended(paper.start())
        verified = paper.verified()

        assert (code, facts["status"]) == (0, "completed"), words
        assert verified.is_equal, verified.difference
        assert verified.decisions >= 5
        kinds = {entry.type for entry in read_entries(paper.run.file(INPUTS))}
        assert kinds >= ({"TimerFired"} if mode == "timer" else {"HistoryReceived", "RequestAnswered"})
        assert json.loads(paper.run.file("state/strategies.json").read_bytes())["strategies"]["ping-pong"]


def test_decisions_that_come_of_chance_are_not_repeated_and_the_first_is_shown(tmp_path: Path) -> None:
    """A strategy that throws dice of its own decides otherwise in a replay: verify says no, and where."""
    paper = Paper(tmp_path, "5s")
    paper.trade("odd.py:Odd", "mode: random", 300)
    ended(paper.start())
    verified = paper.verified()

    assert not verified.is_equal
    assert "start 1 of the node, input" in str(verified.difference)


def test_a_strategy_that_is_started_again_gets_the_state_it_saved(tmp_path: Path) -> None:
    """After a SIGKILL the strategy goes on counting where its saved state was, not at nothing."""
    paper = Paper(tmp_path, "10m")
    paper.trade("odd.py:Odd", "mode: quiet", 300)
    process = paper.start()
    kept = paper.run.scratch / "strategies.json"
    until(lambda: kept.exists() and saved_count(kept) >= 3, "no state was saved")
    before = saved_count(kept)
    os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
    until(lambda: saved_count(kept) > before, "it did not go on")
    process.send_signal(signal.SIGTERM)
    ended(process)

    loaded = [entry.payload() for entry in read_entries(paper.run.file(INPUTS)) if entry.type == "StateLoaded"]
    assert int(base64.b64decode(loaded[0]["state"]["n"])) >= before
    assert saved_count(paper.run.file("state/strategies.json")) > before
    assert paper.verified().is_equal


def test_a_run_that_is_asked_to_stop_ends_flat_and_sealed(tmp_path: Path) -> None:
    """SIGTERM ends a run as its spec says: orders canceled, position closed, sealed, exit 0."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    paper.until_entries(60)
    now = reconcile_run(paper.roots, "paper")
    process.send_signal(signal.SIGTERM)
    code, facts, words = ended(process)

    assert (code, facts["status"], facts["reconciliation"]) == (0, "interrupted", "matched"), words
    assert (now.document["moment"], now.is_matched, now.breaks) == ("on_demand", True, [])
    assert {check["break_class"] for check in now.document["checks"]} >= {"position", "order", "fill", "balance"}
    assert now.path.is_relative_to(paper.roots.evidence)
    assert reconcile_run(paper.roots, "paper").document["moment"] == "sealed"
    venue = [e.payload() for e in read_entries(paper.run.file(JOURNAL)) if e.type == "VenueStateRecorded"][-1]
    assert (venue["positions"], venue["orders"]) == ({}, [])


@pytest.mark.parametrize(
    ("mode", "said"), [("timer", "set a timer"), ("gtd", "good till a date"), ("internal", "5-MINUTE-LAST-INTERNAL")]
)
def test_what_runs_on_real_time_is_refused_on_faster_bars(tmp_path: Path, mode: str, said: str) -> None:
    """Timers, GTD orders and internal bars at another speed than 1 end the run with exit 3, and nothing was traded."""
    paper = Paper(tmp_path, "20s")
    paper.trade("odd.py:Odd", f"mode: {mode}", 300)
    code, facts, words = ended(paper.start())

    assert (code, facts["status"]) == (3, "safety_blocked"), words
    assert said in facts["reason"]
    assert "speed: 1" in facts["reason"]
    assert "OrderFilled" not in paper.counts()


def test_a_venue_elsewhere_is_refused_before_anything_is_sent(paper: Paper) -> None:
    """A spec that points to another machine exits 3 and leaves no run."""
    paper.use("http://192.0.2.1:443")
    code, words = paper.refused()

    assert code == 3
    assert "192.0.2.1" in words
    assert not paper.run.path.exists()


def test_a_venue_that_redirects_is_refused_and_never_sees_a_key(paper: Paper) -> None:
    """A venue that sends its clients elsewhere is asked once, without a key: exit 3."""
    heads: list[str] = []

    class Redirecting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heads.append(f"{self.requestline} {self.headers}")
            self.send_response(302)
            self.send_header("Location", "http://192.0.2.1/")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Redirecting) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        paper.use(f"http://127.0.0.1:{server.server_port}")
        code, words = paper.refused()
        server.shutdown()
        thread.join()

    assert code == 3
    assert "redirects to http://192.0.2.1/" in words
    assert len(heads) == 1
    assert CANARY not in heads[0]


def test_what_a_human_does_on_the_account_stands_the_instrument_down_and_is_left_alone(tmp_path: Path) -> None:
    """A manual order stands its instrument down, a flatten leaves it be; a second run exits 4 and names the first."""
    with VenueProcess(tmp_path / "venue", "--speed", "300", bars=5_000) as venue:
        environment = {"PAPER_KEY": "alpha-key-canary", "PAPER_SECRET": "alpha-secret-canary"}
        first, second = Paper(tmp_path / "one", "10m", "first"), Paper(tmp_path / "two", "10m", "second")
        for paper in (first, second):
            paper.environment |= environment | {"XDG_STATE_HOME": str(tmp_path / "state")}
            paper.use(f"http://localhost:{venue.port}")
        process = first.start()
        first.until_entries(60)
        code, words = second.refused()
        assert (code, "run first" in words) == (4, True)
        venue.act("order", account="alpha", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.005")
        until(lambda: "StoodDown" in first.counts(), "the instrument was not stood down")
        process.send_signal(signal.SIGTERM)
        code, facts, words = ended(process)

        assert (code, facts["reconciliation"]) == (0, "matched"), words
        stood_down = [e.payload() for e in read_entries(first.run.file(JOURNAL)) if e.type == "StoodDown"]
        assert stood_down[0]["instrument_id"] == "BTCUSDT-PERP.BINANCE"
        states = [e.payload() for e in read_entries(first.run.file(JOURNAL)) if e.type == "EngineStateRecorded"]
        held = {row["strategy_id"]: row["signed_qty"] for row in states[-1]["positions"]}
        assert held["EXTERNAL"] == "-0.005"  # nobody sent anything to close it


def test_a_new_run_on_an_account_that_holds_something_is_refused(tmp_path: Path) -> None:
    """What somebody left on an account belongs to no strategy of a new run: exit 3, and what it is is named."""
    with VenueProcess(tmp_path / "venue", bars=50) as venue:
        venue.order("alpha", quantity="0.010")
        paper = Paper(tmp_path, "8s")
        paper.environment |= {"PAPER_KEY": "alpha-key-canary", "PAPER_SECRET": "alpha-secret-canary"}
        paper.use(f"http://127.0.0.1:{venue.port}")
        code, words = paper.refused()

    assert (code, "holds 0.010 BTCUSDT" in words) == (3, True), words
    assert not paper.run.path.exists()


def test_a_key_that_may_withdraw_money_is_refused(tmp_path: Path) -> None:
    """No trading program needs one: exit 3, no run, and the key is not shown."""
    venue = VenueProcess(tmp_path / "venue", bars=50)
    accounts = tmp_path / "venue" / "accounts.yaml"
    accounts.write_text(accounts.read_text().replace("deposit: '10000'", "deposit: '10000', can_withdraw: true"))
    with venue:
        paper = Paper(tmp_path, "8s")
        paper.environment |= {"PAPER_KEY": "alpha-key-canary", "PAPER_SECRET": "alpha-secret-canary"}
        paper.use(f"http://127.0.0.1:{venue.port}")
        code, words = paper.refused()

    assert (code, "may withdraw money" in words) == (3, True), words
    assert "canary" not in words
    assert not paper.run.path.exists()


@pytest.mark.parametrize("how", ["wrong secret", "wrong key", "readable by others", "malformed", "rotated"])
def test_keys_are_in_no_error_log_or_file(tmp_path: Path, how: str) -> None:
    """Whatever is wrong with keys, and after they were rotated, no message and no file that is left has one in it."""
    with VenueProcess(tmp_path / "venue", bars=50) as venue:
        paper = Paper(tmp_path, "4s")
        key, secret = ("alpha-key-canary", "alpha-secret-canary")
        file = tmp_path / "keys"
        file.write_text(f"key: {key}\nsecret: {secret}\n")
        file.chmod(0o600)
        if how == "wrong secret":
            file.write_text(f"key: {key}\nsecret: {CANARY}\n")
        elif how == "wrong key":
            file.write_text(f"key: {CANARY}\nsecret: {secret}\n")
        elif how == "readable by others":
            file.chmod(0o644)
        elif how == "malformed":
            file.write_text(f"{CANARY}\n{secret}\n")
        paper.use(f"http://127.0.0.1:{venue.port}", f"file: {file}")
        if how == "rotated":  # the same spec, other keys: the other account's
            file.write_text("key: beta-key-canary\nsecret: beta-secret-canary\n")
            code, facts, words = ended(paper.start())
            assert (code, facts["status"]) == (0, "completed"), words
        else:
            code, words = paper.refused()
            assert code == (2 if how == "malformed" else 3), words

    for text in (words, *(data.decode(errors="replace") for _, data in paper.texts())):
        assert "canary" not in text


def test_what_was_traded_on_the_account_before_is_no_business_of_a_new_run(tmp_path: Path) -> None:
    """A run on an account with a history of orders and fills stands nothing down for them, trades, and agrees."""
    with VenueProcess(tmp_path / "venue", "--speed", "300", bars=5_000) as venue:
        for name in ("first", "second"):
            paper = Paper(tmp_path / name, "5s", name)
            paper.environment |= {"PAPER_KEY": "alpha-key-canary", "PAPER_SECRET": "alpha-secret-canary"}
            paper.use(f"http://127.0.0.1:{venue.port}")
            code, facts, words = ended(paper.start())

            assert (code, facts["status"], facts["reconciliation"]) == (0, "completed", "matched"), words
            assert facts["metrics"]["fills"] >= 4
            assert {order.strategy_id for order in paper.fold().orders.values()} == {"PingPong-001"}
            stood_down = [e.payload()["by"] for e in read_entries(paper.run.file(JOURNAL)) if e.type == "StoodDown"]
            assert stood_down == ["run"]
