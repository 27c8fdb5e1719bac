"""The few shapes that queries of boards have, so that each selector is filtered alike."""

from __future__ import annotations

from tc.observe.board import Panel, Query, Variable

ONE_RUN = 'job=~"$job", instance=~"$instance", run_id="$run_id"'
MANY_RUNS = 'job=~"$job", instance=~"$instance", run_id=~"$run_id"'
ANY = 'job=~"$job", instance=~"$instance"'

JOB = Variable("job", "Job", "label_values(up, job)", description="The scrape jobs of tc metrics serve.")
INSTANCE = Variable(
    "instance", "Instance", 'label_values(up{job=~"$job"}, instance)', description="Exporters, one a host."
)
RUN = Variable(
    "run_id",
    "Run",
    f"label_values(tc_run_status{{{ANY}}}, run_id)",
    is_many=False,
    description="The run, newest first.",
)
RUNS = Variable("run_id", "Run", f"label_values(tc_run_status{{{ANY}}}, run_id)", description="Runs, newest first.")


class Scope:
    """Writes selectors that are filtered by the board's variables."""

    def __init__(self, matchers: str) -> None:
        self.matchers = matchers

    def __call__(self, name: str, also: str = "") -> str:
        """Return the selector of a metric."""
        return f"{name}{{{self.matchers}{', ' if also else ''}{also}}}"

    def rate(self, name: str, also: str = "", by: str = "") -> str:
        """Return how often a second, summed."""
        return f"sum{_by(by)} (rate({self(name, also)}[$__rate_interval]))"

    def total(self, name: str, also: str = "", by: str = "") -> str:
        """Return the sum as it is: a run's life is short, and its whole count is what it is judged by."""
        return f"sum{_by(by)} ({self(name, also)})"

    def quantile(self, share: str, name: str, by: str = "") -> str:
        """Return a quantile of a histogram lately; without samples there is none, and not NaN."""
        labels = f"le, {by}" if by else "le"
        buckets = f"sum by ({labels}) (rate({self(f'{name}_bucket')}[$__rate_interval]))"
        return f"histogram_quantile({share}, {buckets}) >= 0"

    def whole(self, share: str, name: str, by: str = "") -> str:
        """Return a quantile of a histogram over the run's whole life."""
        labels = f"le, {by}" if by else "le"
        return f"histogram_quantile({share}, sum by ({labels}) ({self(f'{name}_bucket')})) >= 0"

    def age(self, name: str, also: str = "") -> str:
        """Return how long ago a moment was."""
        return f"time() - {self(name, also)}"

    def latency(self, title: str, name: str, description: str, *, runbook: str = "latency.md", width: int = 8) -> Panel:
        """Return the panel of a histogram: half, nearly all, and how many samples there were."""
        queries = (
            Query(self.quantile("0.5", name), "p50"),
            Query(self.quantile("0.99", name), "p99"),
            Query(self.rate(f"{name}_count"), "samples"),
        )
        return Panel(title, description, queries, unit="s", runbook=runbook, width=width, is_counted=True)


def or_zero(expr: str, label: str = "", value: str = "none") -> str:
    """Return the expression, and one zero where it has nothing: silence that was meant."""
    zero = f'label_replace(vector(0), "{label}", "{value}", "", "")' if label else "vector(0)"
    return f"({expr}) or on() {zero}"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""
