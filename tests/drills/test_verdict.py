"""The rules of the verdict: what is a pass, and everything that is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tc.drills.verdict import Check, Findings, Threshold, Verdict, judge

LIMITS = (Threshold("flat_s", "until flat", "s", most=5.0), Threshold("count", "orders", "orders", least=1, most=3))
GOOD = {"flat_s": 1.0, "count": 2.0}

met = st.booleans()
checks = st.lists(met, max_size=3)
values = st.dictionaries(st.sampled_from(["flat_s", "count"]), st.none() | st.floats(0, 10), max_size=2)


def named(*outcomes: bool) -> list[Check]:
    """Return checks with these outcomes."""
    return [Check(f"check {number}", one, "found", 0.0) for number, one in enumerate(outcomes)]


def whole(**changes: object) -> Findings:
    """Return findings that pass, with changes."""
    facts = {"preconditions": named(True), "landed": named(True), "measured": dict(GOOD), "rollbacks": named(True)}
    return Findings(**(facts | changes))


@given(checks, checks, values, checks, checks, st.none() | st.just("it broke off"))
def test_a_verdict_follows_from_what_is_there(before, landed, measured, after, rollbacks, problem) -> None:
    """Pass needs all of it; without readiness it is invalid, without a proven fault inconclusive, whatever else is."""
    findings = Findings(named(*before), named(*landed), measured, named(*after), named(*rollbacks), problem)
    verdict = judge(LIMITS, findings).verdict

    is_ready, has_landed = bool(before) and all(before), bool(landed) and all(landed)
    is_within = all(name in measured and one.is_met(measured[name]) for name, one in zip(GOOD, LIMITS, strict=True))
    is_broken = any(not one.is_met(measured[one.name]) for one in LIMITS if one.name in measured)
    assert (verdict is Verdict.INVALID) == (not is_ready)
    if is_ready and not has_landed:
        assert verdict is Verdict.INCONCLUSIVE
    if is_ready and has_landed:
        assert (verdict is Verdict.FAIL) == is_broken
    whole_system = all(after) and all(rollbacks)
    is_pass = is_ready and has_landed and is_within and problem is None and whole_system
    assert (verdict is Verdict.PASS) == is_pass


@given(checks, checks, values, checks, checks, st.none() | st.just("it broke off"))
def test_every_verdict_but_a_pass_says_why(before, landed, measured, after, rollbacks, problem) -> None:
    """Whoever reads that a drill did not pass reads the reason."""
    findings = Findings(named(*before), named(*landed), measured, named(*after), named(*rollbacks), problem)
    found = judge(LIMITS, findings)
    assert bool(found.reasons) is (found.verdict is not Verdict.PASS)


def test_what_never_happened_is_a_failure_and_what_was_not_measured_is_none() -> None:
    """None is a value: it did not happen in the whole window. A missing one leaves the question open."""
    assert judge(LIMITS, whole(measured=GOOD | {"flat_s": None})).verdict is Verdict.FAIL
    assert judge(LIMITS, whole(measured={"count": 2.0})).verdict is Verdict.INCONCLUSIVE


def test_a_fault_that_stays_is_a_deviation() -> None:
    """The control worked, but the system is not where it was."""
    assert judge(LIMITS, whole(rollbacks=named(True, False))).verdict is Verdict.DEVIATED
    assert judge(LIMITS, whole(after=named(False))).verdict is Verdict.DEVIATED


def test_a_bound_is_said_in_words() -> None:
    """Reports name bounds with their unit."""
    assert [one.bound() for one in LIMITS] == ["at most 5 s", "at least 1 and at most 3 orders"]
    assert Threshold("code", "exit code", "exit code", most=3, least=3).bound() == "3 exit code"
