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

_CURVES = (("precision", "precision"), ("recall", "recall"), ("f1", "F1"))


def script() -> str:
    """What makes the panels of a page work."""
    return resource(__package__ or "", "threshold.js")


def threshold_panel(scores: Any, labels: Any, names: Sequence[str], thresholds: Any, of: str = "") -> Markup:
    """The panel for scores (n, K), probabilities, and their truth (n, K), 0 or 1; each of the K begins at its threshold (K).

    `of` says what the K names are: "class", one against the rest, or "label". Without it K is 1, and there are two names: those of 0 and 1.
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels).astype(np.int64)
    every = max(1, -(-scores.size // _MOST))
    scores, labels = scores[::every], labels[::every]
    data = {
        "scores": scores.T.tolist(),
        "labels": ["".join(map(str, column)) for column in labels.T.tolist()],
        "thresholds": np.minimum(thresholds, np.nextafter(1, 2)).tolist(),  # JSON has no inf, which predicts nothing either
    }
    note = f"<p class='note'>The page counts every {every}th sample, {len(scores):,} in all.</p>" if every > 1 else ""
    return Markup(
        f'<div class="threshold"><p>{_rule(names, of)}</p>{_controls(names, of)}{_count_table(("no", "yes") if of else names)}{_rates()}'
        f'{_picture()}{note}<script type="application/json">{json.dumps(data)}</script></div>'
    )


def _rule(names: Sequence[str], of: str) -> str:
    if of == "class":
        return (
            "One class against the rest: the answer is yes where its probability is at least the threshold. "
            "This is not the evaluation's choice, which is the class of the highest probability."
        )
    if of == "label":
        return "The answer is yes where the label's probability is at least the threshold."
    return f'Predicted is "{escape(names[1])}" where its probability is at least the threshold.'


def _controls(names: Sequence[str], of: str) -> str:
    options = "".join(f'<option value="{n}">{escape(name)}</option>' for n, name in enumerate(names))
    choice = f'<label>Yes means {of} <select data-part="choice">{options}</select></label> ' if of else ""
    evaluated = "" if of == "class" else '<button type="button" data-part="evaluated">as evaluated</button> '
    return (
        f'<p class="controls">{choice}'
        '<label>Threshold <input type="range" data-part="slider" min="0" max="1" step="0.001"></label> '
        '<label>exactly <input type="number" data-part="exact" min="0" max="1" step="any"></label> '
        f'{evaluated}<button type="button" data-part="half">0.5</button> <button type="button" data-part="best">best F1</button></p>'
    )


def _count_table(answers: Sequence[str]) -> str:
    """As the evaluation has it: rows true, columns predicted, 0 before 1."""
    no, yes = map(escape, answers)
    body = "".join(
        f'<tr><th scope="row">true {name}</th><td class="n" data-part="{first}"></td><td class="n" data-part="{second}"></td></tr>'
        for name, first, second in ((no, "tn", "fp"), (yes, "fn", "tp"))
    )
    head = f'<th></th><th scope="col" class="n">→ {no}</th><th scope="col" class="n">→ {yes}</th>'
    title = "Confusion matrix: rows true, columns predicted"
    table = f"<caption>{title}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide" tabindex="0" role="region" aria-label="{title}"><table>{table}</table></div>'


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
