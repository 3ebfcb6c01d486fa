"""The figures of a deployment as Prometheus reads them. The one place that knows its library; pure but for `process_…`.

Every label has few values: names of probes from fletcher.toml, and words of closed sets. No room, run, person or address.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final, get_args

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from bot import __version__
from bot.engine.counts import BOUNDS, Counts
from bot.engine.values import RunState
from bot.livekit.remedies import REMEDY
from bot.probes.values import Light, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

    from bot.engine.measured import Measured
    from bot.probes.values import Standing

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OTHER: Final = "other"  # for a cause that is none of ours
_NOTHING: Final = Counts()


def figures(measured: Measured, *, slack: bool | None) -> bytes:
    """All figures as text; `slack` is whether this process is connected to Slack, None where it need not be."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Made((*_deployment(measured), *_probes(measured), *_slack(slack))))
    return generate_latest(registry)


class _Made:
    """Metrics that are made already."""

    def __init__(self, metrics: tuple[Metric, ...]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self._metrics


def _deployment(measured: Measured) -> Iterator[Metric]:
    yield _gauge("fletcher_build_info", "Which Fletcher this is; always 1.", ["version"], [((__version__,), 1.0)])
    yield _gauge("fletcher_hold", "1 while somebody holds, so that nothing above read begins.", (), [((), float(measured.hold is not None))])  # fmt: skip
    held = [((), measured.hold.at)] if measured.hold is not None else []
    yield _gauge("fletcher_hold_start_timestamp_seconds", "Since when it is held; absent while it is not.", (), held)
    states = [((state,), float(measured.runs.get(state, 0))) for state in get_args(RunState)]
    yield _gauge("fletcher_runs", "Runs that are kept, by their state.", ["state"], states)
    yield _gauge("fletcher_approvals_waiting", "Plans that wait for an approval.", (), [((), float(measured.waiting))])
    age = max(0.0, measured.at - measured.waiting_since) if measured.waiting_since is not None else 0.0
    yield _gauge("fletcher_approvals_oldest_waiting_seconds", "How long the oldest of them has waited; 0 when none waits.", (), [((), age)])  # fmt: skip


def _slack(connected: bool | None) -> Iterator[Metric]:  # noqa: FBT001  # three-valued
    if connected is not None:
        yield _gauge("fletcher_slack_connected", "1 while this process is connected to Slack.", (), [((), float(connected))])  # fmt: skip


def _probes(measured: Measured) -> Iterator[Metric]:
    rows = [(one.probe.name, one, measured.counts.get(one.probe.name, _NOTHING)) for one in measured.standings]
    states, lights = get_args(State), get_args(Light)
    yield _counter(
        "fletcher_probe_results", "Looks of a probe, by what they came to.", ["probe", "light"],
        [((name, light), float(counts.lights.get(light, 0))) for name, _, counts in rows for light in lights],
    )  # fmt: skip
    yield _gauge(
        "fletcher_probe_state", "1 for the state in which a probe is.", ["probe", "state"],
        [((name, state), float(one.state == state)) for name, one, _ in rows for state in states],
    )  # fmt: skip
    muted = [((name,), float(one.mute is not None and one.mute.until > measured.at)) for name, one, _ in rows]
    yield _gauge("fletcher_probe_muted", "1 while nobody is told of a probe.", ["probe"], muted)
    yield _counter("fletcher_probe_missed_slots", "Slots in which nobody looked.", ["probe"], [((name,), float(one.missed)) for name, one, _ in rows])  # fmt: skip
    yield _counter("fletcher_probe_skipped_slots", "Slots in which it was better not to look.", ["probe"], [((name,), float(one.skipped)) for name, one, _ in rows])  # fmt: skip
    newest = [((name,), float(measured.newest[name])) for name, _, _ in rows if measured.newest.get(name)]
    yield _gauge("fletcher_probe_newest_slot_timestamp_seconds", "When a probe was due last, as the clock wrote it down.", ["probe"], newest)  # fmt: skip
    every = [((name,), one.probe.schedule.every) for name, one, _ in rows if one.probe.schedule.every is not None]
    yield _gauge("fletcher_probe_interval_seconds", "How often a probe is due; absent where cron says when.", ["probe"], every)  # fmt: skip
    yield _last(
        "fletcher_probe_look_seconds",
        "How long the last look took.",
        rows,
        lambda one: one.last.seconds if one.last else None,
    )
    yield _last("fletcher_log_lag_seconds", "How old the newest line of the server's log was at the last look.", rows, lambda one: one.last.lag if one.last else None)  # fmt: skip
    yield _gauge("fletcher_rooms_without_agent", "Rooms that lacked their agent at the last look, by cause.", ["probe", "cause"], list(_lacking(rows)))  # fmt: skip
    failures = [
        ((name, cause), float(count)) for name, _, counts in rows for cause, count in _known(counts.failures).items()
    ]
    yield _counter("fletcher_dispatch_failures", "Rooms that came to lack their agent, by cause.", ["probe", "cause"], failures)  # fmt: skip
    yield _to_agent(rows)


def _to_agent(rows: Iterable[tuple[str, Standing, Counts]]) -> Metric:
    made = HistogramMetricFamily(
        "fletcher_time_to_agent_seconds", "Time until the agent that a probe waited for was active.", labels=["probe"]
    )
    bounds = [*map(str, BOUNDS), "+Inf"]
    for name, _, counts in rows:
        if any(counts.classes):
            made.add_metric([name], list(zip(bounds, accumulate(counts.classes), strict=True)), counts.to_agent)
    return made


def _lacking(rows: Iterable[tuple[str, Standing, Counts]]) -> Iterator[tuple[tuple[str, ...], float]]:
    """Each cause that a probe has ever told of, so that what is over falls to 0; nothing where the last look could not tell."""
    for name, one, counts in rows:
        if one.last is None or one.last.light not in {"green", "red"}:
            continue
        now = _known(one.last.lacking)
        for cause in dict.fromkeys((*_known(counts.failures), *now)):
            yield (name, cause), float(now.get(cause, 0))


def _known(by_cause: dict[str, int]) -> dict[str, int]:
    """The same with causes of a closed set."""
    found: dict[str, int] = {}
    for cause, count in by_cause.items():
        name = cause if cause in REMEDY else OTHER
        found[name] = found.get(name, 0) + count
    return found


def _last(
    name: str, says: str, rows: Iterable[tuple[str, Standing, Counts]], value: Callable[[Standing], float | None]
) -> Metric:
    """What the last look told; absent where it told nothing."""
    found = ((probe, value(one)) for probe, one, _ in rows)
    return _gauge(name, says, ["probe"], [((probe,), told) for probe, told in found if told is not None])


def _gauge(name: str, says: str, labels: Sequence[str], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    made = GaugeMetricFamily(name, says, labels=labels)
    for key, value in values:
        made.add_metric(key, value)
    return made


def _counter(name: str, says: str, labels: Sequence[str], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    made = CounterMetricFamily(name, says, labels=labels)
    for key, value in values:
        made.add_metric(key, value)
    return made
