"""The report of a run as one HTML file without scripts or outside resources, so that it can be mailed and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from loadtests.answers import Answer, Book
from loadtests.goals import Verdict, percentile
from loadtests.journey import curve_of

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1c20;background:#fff}
h1{margin-bottom:.2rem}h2{margin-top:2.2rem}table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:left}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.ok{color:#0a6b2d}.miss{color:#b00020;font-weight:600}svg{width:100%;height:auto}
.verdict{font-size:1.3rem;font-weight:600}figcaption,small{color:#555}figure{margin:1rem 0}
@media(prefers-color-scheme:dark){body{color:#e8e8ea;background:#16181c}td,th{border-color:#3a3d44}.ok{color:#58d68d}.miss{color:#ff7b8a}figcaption,small{color:#aaa}}
"""
_WIDTH, _HEIGHT, _EDGE = 800, 220, 44
_COLOURS = ("#1f6feb", "#d9822b", "#0a8f5b", "#8250df")


def page(
    book: Book,
    journey: Mapping[str, Any],
    measured: Mapping[str, float],
    verdicts: Sequence[Verdict],
    environment: Mapping[str, Any],
    wrong: Sequence[str],
) -> str:
    """Return the whole page. Ids and counts only: nothing in it names a person or a mark."""
    missed = sum(1 for verdict in verdicts if not verdict.met)
    result = (
        f'<p class="verdict {"miss" if missed else "ok"}">{f"{missed} of {len(verdicts)} goals missed" if missed else f"All {len(verdicts)} goals met"}</p>'
    )
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>hocba: a term's end under load</title><style>{_STYLE}</style>",
        "<h1>A term's end under load</h1>",
        f"<small>{escape(' · '.join(f'{key}: {value}' for key, value in environment.items()))}</small>",
        result,
        _goals(verdicts),
        "<h2>Offered and answered</h2>",
        _per_second(book.answers),
        "<h2>Latency from the intended start</h2>",
        _latencies(measured, sorted({answer.kind for answer in book.answers})),
        _over_time(book.answers),
        "<h2>From seal to archive, per transcript</h2>",
        _journey(journey),
        "<h2>How calls ended</h2>",
        _endings(book.answers),
    ]
    if wrong:
        parts += ["<h2>Accepted, but not stored so</h2><ul>", *(f"<li>{escape(line)}</li>" for line in wrong[:50]), "</ul>"]
    return "\n".join(parts) + "\n</html>\n"


def _goals(verdicts: Sequence[Verdict]) -> str:
    rows = "".join(
        f'<tr><td class="{"ok" if v.met else "miss"}">{"met" if v.met else "missed"}</td><td>{escape(v.goal.name)}</td><td class=n>{_figure(v.found)}</td>'
        f"<td class=n>{v.goal.bound.replace('_', ' ')} {_figure(v.limit)}</td></tr>"
        for v in verdicts
    )
    return f"<table><tr><th></th><th>Goal</th><th class=n>measured</th><th class=n>wanted</th></tr>{rows}</table>"


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.3g}"


def _latencies(measured: Mapping[str, float], kinds: Sequence[str]) -> str:
    columns = ("count", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms", "failed_share", "retried")
    head = "".join(f"<th class=n>{column.replace('_', ' ')}</th>" for column in columns)
    rows = "".join(
        f"<tr><td>{escape(kind)}</td>" + "".join(f"<td class=n>{_figure(measured.get(f'{kind}.{column}'))}</td>" for column in columns) + "</tr>"
        for kind in kinds
    )
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"


def _per_second(answers: Sequence[Answer]) -> str:
    lines = {}
    for kind in ("sheet", "status"):
        planned = [answer.planned_s for answer in answers if answer.kind == kind]
        ended = [answer.planned_s + answer.after_ms / 1000 for answer in answers if answer.kind == kind and answer.code == "OK"]
        if planned:
            lines[f"{kind} planned"], lines[f"{kind} answered"] = _rate(planned), _rate(ended)
    return _chart(lines, "seconds", "a second")


def _rate(moments: Sequence[float], width: float = 2.0) -> list[tuple[float, float]]:
    last = int(max(moments, default=0.0) // width)
    counts = [0] * (last + 1)
    for moment in moments:
        counts[max(0, int(moment // width))] += 1
    return [(place * width, count / width) for place, count in enumerate(counts)]


def _over_time(answers: Sequence[Answer], width: float = 5.0) -> str:
    lines: dict[str, list[tuple[float, float]]] = {}
    for kind in ("sheet", "status"):
        slots: dict[int, list[float]] = {}
        for answer in answers:
            if answer.kind == kind:
                slots.setdefault(int(answer.planned_s // width), []).append(answer.after_ms)
        if slots:
            lines[f"{kind} p95"] = [(slot * width, percentile(values, 95)) for slot, values in sorted(slots.items())]
    return _chart(lines, "seconds", "ms")


def _journey(journey: Mapping[str, Any]) -> str:
    seconds: list[float] = journey.get("seconds", [])
    if not seconds:
        return "<p>No transcript arrived.</p>"
    waiting = ", ".join(f"{code}: {count}" for code, count in sorted(journey.get("waiting", {}).items())) or "nobody"
    drawing = _chart({"share archived": [(at, 100 * share) for at, share in curve_of(seconds)]}, "seconds since the seal", "%")
    return f"<p>{len(seconds):,} transcripts. Pupils who wait, by reason: {escape(waiting)}.</p>{drawing}"


def _endings(answers: Sequence[Answer]) -> str:
    counted: dict[tuple[str, str], int] = {}
    for answer in answers:
        counted[answer.kind, answer.code] = counted.get((answer.kind, answer.code), 0) + 1
    rows = "".join(f"<tr><td>{escape(kind)}</td><td>{escape(code)}</td><td class=n>{count:,}</td></tr>" for (kind, code), count in sorted(counted.items()))
    return f"<table><tr><th>call</th><th>status</th><th class=n>count</th></tr>{rows}</table>"


def _chart(lines: Mapping[str, Sequence[tuple[float, float]]], below: str, beside: str) -> str:
    """Return an SVG line chart; the caption says what the axes are."""
    points = [point for line in lines.values() for point in line]
    if not points:
        return "<p>Nothing was measured.</p>"
    right, top = max(x for x, _ in points) or 1.0, max(y for _, y in points) or 1.0
    drawn, legend = [], []
    for place, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        path = " ".join(f"{_EDGE + x / right * (_WIDTH - _EDGE):.1f},{_HEIGHT - 20 - y / top * (_HEIGHT - 40):.1f}" for x, y in line)
        drawn.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.8" points="{path}"/>')
        legend.append(f'<tspan fill="{colour}" dx="14">{escape(name)}</tspan>')
    marks = "".join(
        f'<text x="0" y="{_HEIGHT - 16 - share * (_HEIGHT - 40):.0f}">{top * share:,.4g}</text>'
        f'<text x="{_EDGE + share * (_WIDTH - _EDGE) - (30 if share else 0):.0f}" y="{_HEIGHT - 2}">{right * share:,.4g}</text>'
        for share in (0.0, 0.5, 1.0)
    )
    picture = "".join(
        (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-size="12" fill="currentColor">',
            f'{marks}<text x="{_EDGE}" y="12">{"".join(legend)}</text>{"".join(drawn)}</svg>',
        )
    )
    return f"<figure>{picture}<figcaption>across: {escape(below)}; up: {escape(beside)}</figcaption></figure>"
