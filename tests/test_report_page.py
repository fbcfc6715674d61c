"""The one-page report, in a real browser: the slider counts as scikit-learn does, by mouse and by keys, and nothing is fetched."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from browsing import Opened, needs_browser

import minigrad as mg
from minigrad import nn
from minigrad.display import Document, Text
from minigrad.errors import ArgumentError, InputTypeError
from minigrad.inspect import doctor, graph, report, trace
from minigrad.train import Epoch, History

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
from matplotlib.image import imread

from minigrad.evaluate import evaluate_outputs, threshold_curve

RNG = np.random.default_rng(0)
FRAUD = RNG.random(400) < 0.2
SCORES = np.round(1 / (1 + np.exp(-RNG.normal(size=400) - 2 * FRAUD + 1.5)), 2)  # with many ties
DIGITS = RNG.integers(4, size=120)
LOGITS = RNG.normal(size=(120, 4)) + 2 * np.eye(4)[DIGITS]


def network() -> nn.Module:
    mg.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))


def history() -> History:
    return History([Epoch(n, 1 / n, {"accuracy": 1 - 0.5 / n}, {"loss": 1.2 / n}, 0.1, 1 / n, 0.5, 4) for n in range(1, 9)])


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page with everything on it."""
    model = network()
    X, y = mg.randn(64, 3), mg.randint(0, 2, (64,))
    loss = nn.CrossEntropyLoss()
    place = report(
        model,
        history(),
        evaluate_outputs(SCORES, FRAUD, task="binary", outputs="probabilities", class_names=["honest", "fraud <b>"]),
        doctor(model, (X, y), loss),
        trace(model, X[:2], target=y[:2], loss=loss),
        graph(loss(model(X), y), model=model, names={"X": X}),
        None,
        path=tmp_path_factory.mktemp("report") / "some" / "binary.html",
        title="A & B",
    )
    return place.as_uri()


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = report(network(), None, evaluate_outputs(LOGITS, DIGITS), path=tmp_path_factory.mktemp("report") / "digits.html")
    return place.as_uri()


class Page(Opened):
    """A page with the panel."""

    def part(self, name: str) -> Any:
        return self.page.locator(f'.threshold [data-part="{name}"]')

    def numbers(self, *names: str) -> list[float]:
        return [float(self.part(name).inner_text().replace(",", "")) for name in names]

    def counts(self) -> dict[str, int]:
        return dict(zip(("tp", "fp", "fn", "tn"), map(int, self.numbers("tp", "fp", "fn", "tn")), strict=True))


def counted(scores: Any, truth: Any, threshold: float) -> dict[str, int]:
    yes = scores >= threshold
    return {
        "tp": int((yes & truth).sum()),
        "fp": int((yes & ~truth).sum()),
        "fn": int((~yes & truth).sum()),
        "tn": int((~yes & ~truth).sum()),
    }


# ---- the slider


@needs_browser
def test_the_slider_by_keys(browser, binary):
    from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

    page = Page(browser, binary)
    assert counted(SCORES, FRAUD, 0.5) == page.counts()
    slider = page.part("slider")
    slider.focus()
    for _ in range(7):
        page.page.keyboard.press("ArrowRight")
    assert "0.507" == slider.input_value() == page.part("exact").input_value()
    page.page.keyboard.press("PageDown")
    threshold = float(slider.input_value())
    assert 0.3 < threshold < 0.5
    yes = SCORES >= threshold
    assert counted(SCORES, FRAUD, threshold) == page.counts()
    expected = [score(FRAUD, yes) for score in (precision_score, recall_score, f1_score, accuracy_score)]
    assert np.round(expected, 4).tolist() == page.numbers("precision", "recall", "f1", "accuracy")
    page.page.keyboard.press("Home")
    assert {"tp": FRAUD.sum(), "fp": (~FRAUD).sum(), "fn": 0, "tn": 0} == page.counts()
    assert [] == page.errors


@needs_browser
def test_an_exact_threshold_that_is_a_score_lets_it_through(browser, binary):
    page = Page(browser, binary)
    for score in np.quantile(SCORES, [0.1, 0.5, 0.9, 1.0], method="lower"):
        page.part("exact").fill(str(score))
        assert counted(SCORES, FRAUD, score) == page.counts()
    assert str(SCORES.max()) == page.part("slider").input_value()
    page.part("exact").fill("7")
    assert "1" == page.part("slider").input_value()
    assert ["300", "300"] == [page.part("line").get_attribute(end) for end in ("x1", "x2")]
    page.part("exact").fill("1")
    assert {"tp": 0, "fp": 0} == {name: page.counts()[name] for name in ("tp", "fp")}
    assert "undefined" == page.part("precision").inner_text()
    assert [0.0, 0.0] == page.numbers("recall", "f1")


@needs_browser
def test_scores_that_are_not_rounded_are_counted_as_the_curve_counts_them(browser, tmp_path):
    scores = (1 / (1 + np.exp(-RNG.normal(size=256)))).astype(np.float32)
    judged = evaluate_outputs(scores, RNG.random(256) < 0.4, task="binary", outputs="probabilities")
    page = Page(browser, report(network(), None, judged, path=tmp_path / "r.html").as_uri())
    curve = judged.threshold_curve()
    for threshold in judged.probabilities[:20]:
        page.part("exact").fill(repr(float(threshold)))
        choice = curve.at(threshold)
        assert {"tp": choice.tp, "fp": choice.fp, "fn": choice.fn, "tn": choice.tn} == page.counts()


@needs_browser
def test_it_begins_at_the_threshold_of_the_evaluation_and_has_its_confusion_matrix(browser, tmp_path):
    judged = evaluate_outputs(SCORES, FRAUD, task="binary", outputs="probabilities", threshold=0.3, class_names=["honest", "fraud"])
    page = Page(browser, report(network(), None, judged, path=tmp_path / "r.html").as_uri())
    matrices = page.page.locator("table", has_text="Confusion matrix: rows true").all()
    assert 2 == len(matrices)
    for matrix in matrices:
        heads = [text for text in matrix.locator("th").all_inner_texts() if text]
        assert ["→ honest", "→ fraud", "true honest", "true fraud"] == heads
        assert judged.confusion.ravel().tolist() == list(map(int, matrix.locator("td").all_inner_texts()))
    page.part("half").click()
    assert counted(SCORES, FRAUD, 0.5) == page.counts()
    page.part("evaluated").click()
    assert "0.3" == page.part("exact").input_value() == page.part("slider").input_value()
    assert counted(SCORES, FRAUD, 0.3) == page.counts()


@needs_browser
def test_each_label_begins_at_its_threshold(browser, tmp_path):
    truth, scores = RNG.random((60, 3)) < 0.5, np.round(RNG.random((60, 3)), 2)
    scores[0, 2] = 1.0
    judged = evaluate_outputs(scores, truth, task="multilabel", outputs="probabilities", threshold=[0.2, 0.7, np.inf])
    page = Page(browser, report(network(), None, judged, path=tmp_path / "r.html").as_uri())
    for k in (0, 1, 2):
        page.part("choice").select_option(str(k))
        tn, fp, fn, tp = judged.confusion[k].ravel().tolist()
        assert {"tp": tp, "fp": fp, "fn": fn, "tn": tn} == page.counts()
    assert 0 == tp + fp
    assert [] == page.errors


@needs_browser
def test_the_buttons(browser, binary):
    page = Page(browser, binary)
    page.part("best").click()
    choice = threshold_curve(SCORES, FRAUD, outputs="probabilities").best_f1()
    assert choice.curve.at(float(page.part("exact").input_value())).tp == choice.tp
    assert choice.threshold <= float(page.part("exact").input_value()), "it stands midway below the score"
    assert {"tp": choice.tp, "fp": choice.fp, "fn": choice.fn, "tn": choice.tn} == page.counts()
    page.part("half").click()
    assert counted(SCORES, FRAUD, 0.5) == page.counts()


@needs_browser
def test_the_curves(browser, binary):
    page = Page(browser, binary)
    points = [tuple(map(float, point.split(","))) for point in page.part("curve-recall").get_attribute("points").split()]
    assert 201 == len(points)
    thresholds = [x / 300 for x, _ in points]
    recall = [(SCORES[FRAUD] >= threshold).mean() for threshold in thresholds]
    assert recall == pytest.approx([1 - y / 100 for _, y in points], abs=0.02)  # a step may stand at a tie
    page.part("exact").fill("0.25")
    assert ["75", "75"] == [page.part("line").get_attribute(end) for end in ("x1", "x2")]


@needs_browser
def test_each_class_against_the_rest(browser, digits):
    page = Page(browser, digits)
    softmax = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    assert [str(k) for k in range(4)] == page.part("choice").locator("option").all_inner_texts()
    for k in (3, 1):
        page.part("choice").select_option(str(k))
        assert counted(softmax[:, k], DIGITS == k, 0.5) == page.counts()
    page.part("exact").fill("0.2")
    assert counted(softmax[:, 1], DIGITS == 1, 0.2) == page.counts()
    assert "One class against the rest" in page.page.locator(".threshold p").first.inner_text()
    assert 0 == page.part("evaluated").count()


# ---- the page


@needs_browser
def test_nothing_is_fetched_and_nothing_goes_wrong(browser, binary, digits):
    for address in (binary, digits):
        page = Page(browser, address)
        assert [address] == [request for request in page.requests if not request.startswith("data:")]
        assert [] == page.errors
        broken = page.page.evaluate("[...document.images].filter(image => !image.complete || !image.naturalWidth).length")
        assert 0 == broken


@needs_browser
def test_what_stands_on_the_page(browser, binary):
    page = Page(browser, binary).page
    assert "A & B" == page.title() == page.locator("h1").inner_text()
    headings = page.locator("section > h2").all_inner_texts()
    assert ["Summary", "Training", "Evaluation", "Threshold", "Diagnosis", "Trace", "Graph"] == headings
    assert headings == page.locator("nav a").all_inner_texts()
    assert page.locator("img").count() >= 8
    assert all(len(image.get_attribute("alt")) > 20 for image in page.locator("img").all())
    assert page.locator("svg text", has_text="cross_entropy").count() >= 1
    assert page.get_by_text("fraud <b>").count() >= 2


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_it_fits_a_phone_and_can_be_read_light_and_dark(browser, binary, scheme, width):
    page = Page(browser, binary, width, scheme).page
    assert width >= page.evaluate("document.documentElement.scrollWidth")
    ink, ground = page.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
    assert contrast(ink, ground) > 7
    assert (scheme == "dark") == (luminance(ground) < 0.2)
    accent = page.evaluate("getComputedStyle(document.querySelector('nav a')).color")
    assert contrast(accent, ground) > 4.5
    shades = imread(BytesIO(page.locator("img").first.screenshot()))[..., :3].mean(axis=2)
    assert (scheme == "dark") == (np.median(shades) < 0.2)
    assert np.ptp(shades) > 0.6, "what is drawn stands out from the ground"


def luminance(color: str) -> float:
    """Relative luminance of WCAG 2."""
    channels = [int(value) / 255 for value in re.findall(r"\d+", color)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@needs_browser
def test_the_tab_key_reaches_what_can_be_worked(browser, binary):
    page = Page(browser, binary).page
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.dataset.part || document.activeElement.tagName"))
    assert {"A", "slider", "exact", "evaluated", "half", "best"} <= reached


# ---- without a browser


def test_the_file_holds_the_numbers(tmp_path):
    judged = evaluate_outputs(LOGITS, DIGITS)
    text = report(network(), None, judged, path=tmp_path / "r.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])
    assert judged.probabilities.T.tolist() == data["scores"]
    assert ["".join(str(int(label == k)) for label in DIGITS) for k in range(4)] == data["labels"]
    assert "50 parameters, 50 of them trainable" in text


def test_multi_label_pages_have_a_label_each(tmp_path):
    truth = RNG.random((50, 3)) < 0.5
    text = report(
        network(), None, evaluate_outputs(RNG.random((50, 3)), truth, task="multilabel"), path=tmp_path / "r.html"
    ).read_text()
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])
    assert ["".join(str(int(yes)) for yes in column) for column in truth.T] == data["labels"]


def test_large_evaluations_are_thinned_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr("minigrad.inspect.threshold_panel._MOST", 100)
    text = report(network(), None, evaluate_outputs(SCORES, FRAUD), path=tmp_path / "r.html").read_text()
    assert "The page counts every 4th sample, 100 in all." in text


@needs_browser
def test_a_page_of_many_samples_answers_at_once(browser, tmp_path):
    """Each change of the threshold takes steps as the logarithm of the samples, not as their number."""
    truth = RNG.random(100_000) < 0.3
    scores = np.round(np.clip(0.3 * RNG.normal(size=100_000) + 0.4 + 0.2 * truth, 0, 1), 6)
    place = report(
        network(), None, evaluate_outputs(scores, truth, task="binary", outputs="probabilities"), path=tmp_path / "r.html"
    )
    page = Page(browser, place.as_uri())
    page.part("exact").fill("0.61")
    assert counted(scores, truth, 0.61) == page.counts()
    steps = page.page.evaluate("""() => {
        const order = sorted([0.1, 0.2, 0.2, 0.9], [0, 1, 0, 1]);
        return [0.05, 0.2, 0.3, 1].map(threshold => Object.values(countAt(order, threshold)));
    }""")
    assert [[2, 2, 0, 0], [2, 1, 0, 1], [1, 0, 1, 2], [0, 0, 2, 2]] == steps


class Mine(Document):
    def blocks(self):
        return [Text("my own")]

    def headline(self):
        return "all well"


def test_any_document_has_its_place(tmp_path):
    text = report(network(), Mine(), path=tmp_path / "r.html").read_text()
    assert "<h2>Mine</h2><p>my own</p>" in text
    assert "<p>Mine: all well</p>" in text


def test_documents_by_name_of_compiled_models_and_of_one_kind_twice(tmp_path):
    judged = evaluate_outputs(LOGITS, DIGITS)
    text = report(mg.compile(network()), history=history(), evaluation=judged, path=tmp_path / "r.html").read_text()
    assert ["Summary", "Training", "Evaluation", "Threshold"] == re.findall("<h2>(.*?)</h2>", text)
    text = report(network(), None, None, history(), history(), path=tmp_path / "r.html").read_text()
    assert ["Summary", "Training", "Training 2"] == re.findall("<h2>(.*?)</h2>", text)
    assert "<p>Training 2: The training loss" in text


def test_regions_that_scroll_have_names(tmp_path):
    model, (X, y), loss = network(), (mg.randn(64, 3), mg.randint(0, 2, (64,))), nn.CrossEntropyLoss()
    looked = doctor(model, (X, y), loss), trace(model, X[:2], target=y[:2], loss=loss), graph(loss(model(X), y), model=model)
    text = report(model, history(), evaluate_outputs(LOGITS, DIGITS), *looked, path=tmp_path / "r.html").read_text()
    regions = re.findall(r'<(?:div|pre)[^>]* tabindex="0"[^>]*>', text)
    assert len(regions) >= 5
    assert [] == [region for region in regions if not re.search(r'role="region" aria-label="[^"]+"', region)]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((print,), InputTypeError, "model must be a Module, got builtin_function_or_method"),
        ((network(), "history"), InputTypeError, r"expected Documents \(a history, an evaluation, …\), got str"),
    ],
)
def test_what_it_refuses(tmp_path, arguments, error, message):
    with pytest.raises(error, match=f"report: {message}"):
        report(*arguments, path=tmp_path / "r.html")
    assert [] == list(tmp_path.iterdir())


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ArgumentError, match=r"report: path must name a file, .* is a folder"):
        report(network(), path=tmp_path)
