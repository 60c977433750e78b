"""report.html: what the test says, on one page that loads nothing. Plots are SVG, drawn here."""

from __future__ import annotations

import html
from typing import Any

from steps.common import Settings
from steps.metrics import GROUPS, NAMES, Answer

STYLE = """:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;
padding:0 1rem}table{border-collapse:collapse;margin:1rem 0}th,td{text-align:left;padding:.2rem 1rem .2rem 0;
border-bottom:1px solid #8885}.number{text-align:right}.bad{font-weight:600;color:#b3261e}
svg{max-width:22rem;width:100%}svg text{font-size:10px;fill:currentColor}"""
SIZE, EDGE = 240.0, 28.0  # of a plot, in units of its picture


def page(these: Settings, answers: list[Answer], found: dict[str, Any]) -> str:
    figures = found[GROUPS[these.task]]
    parts = [f"<h1>{html.escape(these.data)}: {these.task}, {len(answers)} rows of the test</h1>"]
    parts.append(table("Metrics", ("metric", "value", "bound"), [metric(these, n, figures) for n in NAMES[these.task]]))
    if these.task == "regression":
        parts.append(scatter(answers))
    else:
        names = list(figures["confusion_matrix"])
        rows = [
            [html.escape(name), *(str(figures["confusion_matrix"][name][said]) for said in names)] for name in names
        ]
        parts.append(table("Confusion matrix", ("true \\ said", *(html.escape(name) for name in names)), rows))
    if these.task == "binary":
        parts.append(receiver(figures["receiver_operating_characteristic_curve"], figures["auc"]["value"]))
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    return (
        f'<!doctype html><html lang="en"><head>{head}<title>Evaluation</title><style>{STYLE}</style></head>'
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def metric(these: Settings, name: str, figures: dict[str, Any]) -> list[str]:
    value, wanted = figures[name]["value"], these.metrics.get(name, {})
    if "bound" not in wanted:
        return [name, f"{value:.4f}", ""]
    least = wanted["goal"] == "maximize"
    holds = value >= wanted["bound"] if least else value <= wanted["bound"]
    text = f"{'at least' if least else 'at most'} {wanted['bound']}"
    return [name, f"{value:.4f}", text if holds else f'<span class="bad">{text}: not reached</span>']


def table(title: str, head: tuple[str, ...], rows: list[list[str]]) -> str:
    """head and cells are HTML."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    return f"<h2>{title}</h2><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def plot(title: str, inner: str, x: str, y: str) -> str:
    """A square with its axes; inner draws in units of the picture."""
    far = SIZE - EDGE
    return (
        f'<h2>{title}</h2><svg viewBox="0 0 {SIZE:g} {SIZE:g}" role="img" aria-label="{title}">'
        f'<path d="M{EDGE} {EDGE}V{far}H{far}" fill="none" stroke="currentColor"/>'
        f'<path d="M{EDGE} {far}L{far} {EDGE}" stroke="currentColor" stroke-dasharray="3" opacity=".4"/>{inner}'
        f'<text x="{SIZE / 2}" y="{SIZE - 8}" text-anchor="middle">{x}</text>'
        f'<text x="12" y="{SIZE / 2}" text-anchor="middle" transform="rotate(-90 12 {SIZE / 2})">{y}</text></svg>'
    )


def at(x: float, y: float) -> tuple[float, float]:
    """A point of the unit square in units of the picture."""
    side = SIZE - 2 * EDGE
    return round(EDGE + x * side, 1), round(SIZE - EDGE - y * side, 1)


def receiver(curve: dict[str, list[float]], area: float) -> str:
    true_rates = curve["true_positive_rates"]
    points = [at(rate, true_rates[place]) for place, rate in enumerate(curve["false_positive_rates"])]
    line = "L".join(f"{x} {y}" for x, y in points)
    inner = f'<path d="M{line}" fill="none" stroke="#2563c9" stroke-width="2"/>'
    return plot(f"ROC curve, area {area:.3f}", inner, "false positives", "true positives")


def scatter(answers: list[Answer]) -> str:
    values = [value for answer in answers for value in (answer.true, answer.said)]
    low, wide = min(values), (max(values) - min(values)) or 1.0
    points = [at((answer.true - low) / wide, (answer.said - low) / wide) for answer in answers]
    inner = "".join(f'<circle cx="{x}" cy="{y}" r="2.5" fill="#2563c9" fill-opacity=".6"/>' for x, y in points)
    return plot(f"Said and true, from {low:g} to {low + wide:g}", inner, "true", "said")
