"""The result digest: equal for equal results, whatever is random or belongs to one run alone."""

from __future__ import annotations

from support.sealed_run import make_sealed_run
from tc.durable import Journal, read_entries
from tc.evidence.result_digest import ResultDigest, first_difference


def digest_of(path) -> str:
    """Return a journal's result digest."""
    digest = ResultDigest()
    for _ in digest.watch(read_entries(path)):
        pass
    return digest.value()


def test_random_ids_do_not_count_but_their_links_do(tmp_path) -> None:
    """Other UUIDs give the same digest; the same UUID used twice gives another."""
    one = make_sealed_run(tmp_path / "a")
    two = make_sealed_run(tmp_path / "b", uuid_base=500)
    assert digest_of(one.file("journal.jsonl")) == digest_of(two.file("journal.jsonl"))
    linked = tmp_path / "linked.jsonl"
    with Journal.create(linked) as journal:
        for number in range(30):
            event = "6f1b2c3d-0000-4000-8000-000000000000"
            journal.add("OrderFilled", number, {"client_order_id": f"O-{number}", "event_id": event, "last_px": "1.5"})
    assert digest_of(linked) != digest_of(one.file("journal.jsonl"))


def test_entries_about_the_run_do_not_count(tmp_path) -> None:
    """RunStarted with its run_id and wall time is no part of the result."""
    digests = set()
    for number in range(2):
        path = tmp_path / f"{number}.jsonl"
        with Journal.create(path) as journal:
            journal.add("RunStarted", number, {"run_id": f"run-{number}"})
            journal.add("OrderFilled", 5, {"last_px": "1.5"})
        digests.add(digest_of(path))
    assert len(digests) == 1


def test_a_changed_price_or_time_counts(tmp_path) -> None:
    """One changed value in one fill changes the digest, and so does its time."""
    digests = set()
    for price, ts in (("1.5", 5), ("1.6", 5), ("1.5", 6)):
        path = tmp_path / f"{price}-{ts}.jsonl"
        with Journal.create(path) as journal:
            journal.add("OrderFilled", ts, {"last_px": price})
        digests.add(digest_of(path))
    assert len(digests) == 3


def test_the_first_difference_shows_both_sides(tmp_path) -> None:
    """Where two results part, both entries are given; a shorter side is None."""
    paths = []
    for prices in (["1", "2", "3"], ["1", "9"]):
        path = tmp_path / f"{len(prices)}.jsonl"
        with Journal.create(path) as journal:
            for price in prices:
                journal.add("OrderFilled", 1, {"last_px": price})
        paths.append(path)
    found = first_difference(*(read_entries(path) for path in paths))
    assert found is not None
    assert found.before.seq == found.after.seq == 2
    assert b'"9"' in found.after.text
    assert first_difference(read_entries(paths[0]), read_entries(paths[0])) is None
