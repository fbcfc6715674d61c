"""A panel of a page in which a slider moves the threshold of a classifier, and the page counts anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from ..display import Markup
from ..display.pages import resource

__all__ = ["script", "threshold_panel"]

_MOST = 200_000  # scores that a page takes in
_DIGITS = 9

_CURVES = (("precision", "precision"), ("recall", "recall"), ("f1", "F1"))


def script() -> str:
    """What makes the panels of a page work."""
    return resource(__package__ or "", "threshold.js")


def threshold_panel(scores: Any, labels: Any, names: Sequence[str]) -> Markup:
    """The panel for scores (n, K), probabilities of K classes or labels, and their truth (n, K), 0 or 1; the names of the K."""
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels).astype(np.int64)
    every = max(1, -(-scores.size // _MOST))
    scores, labels = scores[::every], labels[::every]
    data = {
        "scores": [[round(score, _DIGITS) for score in column] for column in scores.T.tolist()],
        "labels": ["".join(map(str, column)) for column in labels.T.tolist()],
    }
    note = f"<p class='note'>The page counts every {every}th sample, {len(scores):,} in all.</p>" if every > 1 else ""
    return Markup(
        f'<div class="threshold">{_controls(names)}{_count_table(names)}{_rates()}{_picture()}{note}'
        f'<script type="application/json">{json.dumps(data)}</script></div>'
    )


def _controls(names: Sequence[str]) -> str:
    choice = ""
    if len(names) > 1:
        options = "".join(f'<option value="{n}">{escape(name)}</option>' for n, name in enumerate(names))
        choice = f'<label>Yes means class <select data-part="class">{options}</select></label> '
    return (
        f'<p>The answer is yes where the score is at least the threshold.</p><p class="controls">{choice}'
        '<label>Threshold <input type="range" data-part="slider" min="0" max="1" step="0.001" value="0.5"></label> '
        '<label>exactly <input type="number" data-part="exact" min="0" max="1" step="any" value="0.5"></label> '
        '<button type="button" data-part="half">0.5</button> <button type="button" data-part="best">best F1</button></p>'
    )


def _count_table(names: Sequence[str]) -> str:
    yes = "yes" if len(names) > 1 else escape(names[0])
    rows = (("yes", "tp", "fn"), ("no", "fp", "tn"))
    body = "".join(
        f'<tr><th scope="row">true: {yes if row == "yes" else row}</th>'
        f'<td class="n" data-part="{first}"></td><td class="n" data-part="{second}"></td></tr>'
        for row, first, second in rows
    )
    head = f'<th></th><th scope="col" class="n">answer: {yes}</th><th scope="col" class="n">answer: no</th>'
    table = f"<caption>Confusion matrix (rows: true)</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide" tabindex="0" role="region" aria-label="Confusion matrix"><table>{table}</table></div>'


def _rates() -> str:
    cells = "".join(
        f'<tr><th scope="row">{name}</th><td class="n" data-part="{part}"></td></tr>'
        for part, name in (*_CURVES, ("accuracy", "accuracy"))
    )
    return f'<table aria-live="polite"><caption>At this threshold</caption><tbody>{cells}</tbody></table>'


def _picture() -> str:
    lines = "".join(f'<polyline data-part="curve-{part}" class="curve {part}" points=""/>' for part, _ in _CURVES)
    grid = "".join(
        f'<path class="grid" d="M0 {y}H300"/><text x="-6" y="{y + 3}" class="end">{1 - y / 100:g}</text>' for y in (0, 50, 100)
    )
    ticks = "".join(f'<text x="{x}" y="113" class="middle">{x / 300:g}</text>' for x in (0, 75, 150, 225, 300))
    keys = "".join(f'<span class="key {part}">{name}</span>' for part, name in _CURVES)
    return (
        '<figure><svg viewBox="-26 -6 336 136" role="img" aria-label="Precision, recall and F1 over the threshold">'
        f'{grid}{ticks}<text x="150" y="127" class="middle">threshold</text>{lines}'
        f'<line data-part="line" class="here" x1="150" x2="150" y1="0" y2="100"/></svg><figcaption>{keys}</figcaption></figure>'
    )
