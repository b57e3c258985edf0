"""The picture of a report: five measures, side by side for each campaign, creator or label, else over the days.

Only this file loads matplotlib.
"""

import io
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from carillon.ledger.sums import By, Sum

MOST = 24
"""Bars in one picture; of the others it says how many there are."""

_BAR, _GUESS, _INK, _PALE = "#3b6fb6", "#a9c1e3", "#22262b", "#8a9099"
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": _INK,
    "text.parse_math": False,  # a dollar sign is one
    "axes.edgecolor": _PALE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "xtick.color": _PALE,
    "ytick.color": _INK,
}
_LONGEST = 28


def _dollars(cents: float) -> str:
    return f"{'-' if cents < 0 else ''}${abs(cents) / 100:,.2f}"


@dataclass(frozen=True)
class Measure:
    """One panel: its name, what it shows of a sum, and how that is said."""

    name: str
    of: Callable[[Sum], float | None]
    said: Callable[[float], str]
    money: bool = False


_MEASURES = (
    Measure("Recipients", lambda one: one.known.get("recipients"), lambda value: f"{value:,.0f}"),
    Measure("Opens", lambda one: one.known.get("views"), lambda value: f"{value:,.0f}"),
    Measure("Unlock rate", lambda one: one.unlocked.value, lambda value: f"{value:.1%}"),
    Measure("Revenue", lambda one: one.known.get("revenue_cents"), _dollars, money=True),
    Measure("Revenue per recipient", lambda one: one.earned.value, _dollars, money=True),
)


def drawn(rows: Sequence[Sum], total: Sum, by: By) -> bytes:
    """As PNG."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of its cache
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that no font has become boxes
        figure = _by_day(rows) if by == "day" and rows else _by_key(rows[:MOST], by)
        figure.suptitle(_title(total, by, len(rows)), x=0.01, ha="left", fontsize=11, fontweight="bold")
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=150)
        return out.getvalue()


def _title(total: Sum, by: By, count: int) -> str:
    revenue = total.known.get("revenue_cents")
    earned = "revenue unknown" if revenue is None else f"{'about ' if total.estimated else ''}{_dollars(revenue)}"
    words = f"{total.broadcasts:,} broadcasts by {by}: {earned}" + (", pale where estimated" if total.estimated else "")
    left_out = f"   (the first {MOST} of {count})" if count > MOST and by != "day" else ""
    return words + left_out


def _by_key(rows: Sequence[Sum], by: By) -> Figure:
    height = 1.5 + 0.34 * max(1, len(rows))
    figure = Figure(figsize=(14, height), layout="constrained")
    panels = figure.subplots(1, len(_MEASURES), sharey=True)
    for panel, measure in zip(panels, _MEASURES, strict=True):
        _bars(panel, rows, measure)
    panels[0].set_yticks(range(len(rows)), [_short(row.key or f"no {by}") for row in rows])
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    return figure


def _bars(panel: Axes, rows: Sequence[Sum], measure: Measure) -> None:
    values = [measure.of(row) for row in rows]
    colours = [_GUESS if measure.money and row.estimated else _BAR for row in rows]
    panel.barh(range(len(rows)), [value or 0 for value in values], height=0.66, color=colours)
    for place, (row, value) in enumerate(zip(rows, values, strict=True)):
        words, colour = _said(measure, row, value)
        panel.annotate(
            words, (max(value or 0, 0), place), (4, 0), textcoords="offset points", va="center", color=colour
        )
    panel.set_title(measure.name)
    panel.set_xticks([])
    panel.spines["bottom"].set_visible(False)
    panel.tick_params(left=False)
    panel.margins(x=0.42)
    panel.set_xlim(left=min([0, *(value for value in values if value)]))


def _said(measure: Measure, row: Sum, value: float | None) -> tuple[str, str]:
    if value is None:
        return "unknown", _PALE
    return f"{'~' if measure.money and row.estimated else ''}{measure.said(value)}", _INK


def _by_day(rows: Sequence[Sum]) -> Figure:
    days = [date.fromisoformat(row.key or "") for row in rows]
    figure = Figure(figsize=(11, 9), layout="constrained")
    panels = figure.subplots(len(_MEASURES), 1, sharex=True)
    for panel, measure in zip(panels, _MEASURES, strict=True):
        _line_of_days(panel, days, rows, measure)
    _label_days(panels[-1], days)
    return figure


def _line_of_days(panel: Axes, days: Sequence[date], rows: Sequence[Sum], measure: Measure) -> None:
    values = [measure.of(row) for row in rows]
    known = [(day, value, row) for day, value, row in zip(days, values, rows, strict=True) if value is not None]
    colours = [_GUESS if measure.money and row.estimated else _BAR for _, _, row in known]
    panel.bar([_at(day) for day, _, _ in known], [value for _, value, _ in known], width=0.8, color=colours)
    gaps = [day for day, value in zip(days, values, strict=True) if value is None]
    for day in gaps:
        panel.annotate("?", (_at(day), 0), (0, 3), textcoords="offset points", ha="center", color=_PALE)
    panel.set_title(measure.name + (" (?: unknown)" if gaps else ""))
    panel.yaxis.set_major_locator(mpl.ticker.MaxNLocator(3, integer=measure.name in {"Recipients", "Opens"}))
    panel.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: measure.said(value)))
    panel.grid(axis="y", color="#e3e6ea", linewidth=0.7)
    panel.set_axisbelow(True)
    panel.tick_params(left=False)
    panel.spines["left"].set_visible(False)


def _label_days(panel: Axes, days: Sequence[date]) -> None:
    first, last = min(days), max(days)
    step = max(1, ((last - first).days + 1) // 10)
    shown = [first + timedelta(days=n) for n in range(0, (last - first).days + 1, step)]
    panel.set_xticks([_at(day) for day in shown], [f"{day:%b} {day.day}" for day in shown])
    panel.set_xlim(_at(first) - 0.7, _at(last) + 0.7)
    panel.tick_params(axis="x", colors=_INK)


def _at(day: date) -> Any:
    return day.toordinal()


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
