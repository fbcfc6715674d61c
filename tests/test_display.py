"""Documents: the same blocks as text, as HTML, as figures and as data."""

from __future__ import annotations

import html
import json
import math
import re
import sys
import xml.etree.ElementTree as ET
from base64 import b64decode

import numpy as np
import pytest

from minigrad.display import (
    Cell,
    Details,
    Document,
    Markup,
    Picture,
    Pre,
    Table,
    Text,
    heatmap,
    log_scale,
    number,
    page,
    plain,
    require,
)
from minigrad.errors import ArgumentError, MissingExtraError

TABLE = Table(
    ["class", "precision", "n"],
    [["cat <b>", 0.9, 45], ["dog", Cell(0.25, shade=0.5, strong=True), 1234]],
    "A title",
    note="rows = true",
)


class Sample(Document):
    title = "Sample"

    def __init__(self, *blocks):
        self._blocks = blocks

    def blocks(self):
        return self._blocks

    def to_dict(self):
        return plain(
            {"shape": (2, 3), "mean": np.float64(0.5), "values": np.array([1, 2]), 7: [math.nan, math.inf], "yes": np.bool_(True)}
        )


def line(figure):
    figure.subplots().plot([1, 2], [3, 5], label="a")


PICTURE = Picture(line, 'a line "up"', (3.0, 2.0))


# ---- text


def test_tables_as_text():
    expected = """\
A title
class    precision      n
─────────────────────────
cat <b>     0.9000     45
dog         0.2500  1,234
rows = true"""
    assert expected == TABLE.text()


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (12345, "12,345"), (0.0, "0.0000"), (0.12345, "0.1235"), (1e-3, "0.0010"), (9e-4, "9.00e-04"), (-2e6, "-2.00e+06"),
     (math.nan, "nan"), (-math.inf, "-inf"), (True, "yes"), (np.float32(0.5), "0.5000"), (np.int64(7), "7")],
)  # fmt: skip
def test_numbers(value, text):
    assert text == number(value)


def test_columns_of_small_numbers_show_three_figures_of_the_smallest():
    rows = [
        line.split()[1]
        for line in Table(["n", "rate"], [["a", 0.9], ["b", 0.00123], ["c", 1e-9], ["d", 0.0]]).text().splitlines()[2:]
    ]
    assert ["0.900000", "0.001230", "1.00e-09", "0.000000"] == rows


def test_a_cell_may_show_figures_of_its_own():
    table = Table(["n", "norm"], [["a", Cell(0.123456, figures=3)], ["b", Cell(1.2345e-5, figures=3)], ["c", 0.5]])
    assert ["0.123", "1.23e-05", "0.500000"] == [line.split()[1] for line in table.text().splitlines()[2:]]


def test_tables_without_rows():
    assert "a  b\n────" == Table(["a", "b"], []).text()
    assert "<tbody></tbody>" in Table(["a", "b"], []).html()


def test_tables_refuse_rows_that_do_not_fit():
    with pytest.raises(ArgumentError, match=r"Table: row 1 has 1 cells, the head 2"):
        Table(["a", "b"], [["x", 1], ["y"]])


def test_documents_as_text(capsys):
    sample = Sample(
        Text("Head", 2),
        Text("long " * 40),
        PICTURE,
        Pre("  as\n it is"),
        Markup("<i>never seen</i>", "seen"),
        Details("more", [Text("inside")]),
    )
    sample.show()
    assert f"{sample}\n" == capsys.readouterr().out
    assert str(sample) == repr(sample)
    blocks = str(sample).split("\n\n")
    assert ["Head", "  as\n it is", "seen", "more", "inside"] == [blocks[0], *blocks[2:]]
    assert 100 >= max(map(len, blocks[1].splitlines())) > 90


# ---- HTML


def cells(markup):
    return [html.unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<t[dh].*?</t[dh]>", markup)]


def test_tables_as_html():
    markup = TABLE.html()
    assert ["class", "precision", "n", "cat <b>", "0.9000", "45", "dog", "0.2500", "1,234"] == cells(markup)
    assert "<caption>A title</caption>" in markup
    assert '<th scope="row">cat &lt;b&gt;</th>' in markup
    assert '<td class="n strong shaded" style="--shade:0.500">0.2500</td>' in markup
    assert '<p class="note">rows = true</p>' in markup
    ET.fromstring(f"<div>{markup}</div>")


def test_only_long_words_are_broken_into_lines():
    markup = Table(["n", "what"], [[1, "short"], [2, "a sentence that wants a line or two"]], row_heads=False).html()
    assert "<td>short</td>" in markup
    assert '<td class="long">a sentence' in markup
    style = Sample()._repr_html_()
    assert "td.long { white-space: normal;" in style


def test_text_is_escaped():
    markup = page("a < b", [("x & y", [Text("<script>"), Pre("</pre>"), Details("<", [Text("&")]), Text("H", 3)])])
    assert "<title>a &lt; b</title>" in markup
    assert "<h2>x &amp; y</h2>" in markup
    assert "<p>&lt;script&gt;</p>" in markup
    assert "&lt;/pre&gt;" in markup
    assert "<summary>&lt;</summary><p>&amp;</p>" in markup
    assert "<h3>H</h3>" in markup


def test_pages_stand_alone():
    pytest.importorskip("matplotlib")
    markup = page("T", [("one", [PICTURE]), ("two", [TABLE])], "let a = 1;")
    assert [] == re.findall(r"""(?:src|href)=["'](?!data:|#)""", markup)
    assert [] == re.findall(r"url\(|@import", markup)
    assert ['<a href="#part-0">one</a>', '<a href="#part-1">two</a>'] == re.findall(r"<a .*?</a>", markup)
    assert {"part-0", "part-1"} == set(re.findall(r'<section id="(.*?)"', markup))
    assert "<script>let a = 1;</script>" in markup


def test_a_script_cannot_end_early():
    with pytest.raises(ArgumentError, match="script"):
        page("T", [], "a = '</script>'")


def test_a_picture_stands_on_the_ground_of_its_page():
    pytest.importorskip("matplotlib")
    markup = Sample(PICTURE)._repr_html_()
    image = b64decode(re.search(r'src="data:image/svg\+xml;base64,(.*?)"', markup)[1]).decode()
    assert "#0072b2" in image
    assert "#ffffff" not in image
    assert ET.fromstring(image).tag.endswith("svg")
    assert ".picture { filter: invert" in markup.partition("prefers-color-scheme: dark")[2]
    assert 'alt="a line &quot;up&quot;"' in markup
    assert markup == Sample(PICTURE)._repr_html_(), "the same figure gives the same bytes"


def test_pages_without_matplotlib_say_what_is_missing(monkeypatch):
    monkeypatch.setattr("minigrad.display.blocks.find_spec", lambda name: None)
    assert "no picture without matplotlib, pip install '.[plots]': a line &quot;up&quot;" in PICTURE.html()


# ---- figures


def test_plot_puts_all_pictures_into_one_figure(tmp_path):
    pytest.importorskip("matplotlib")
    sample = Sample(PICTURE, Text("x"), Details("more", [PICTURE, PICTURE]), PICTURE)
    figure = sample.plot(tmp_path / "all.png")
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")
    assert [(6.0, 4.0), 4] == [tuple(figure.get_size_inches()), len(figure.subfigs)]
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert [3, 5] == list(Sample(PICTURE).plot().axes[0].lines[0].get_ydata())


def test_plot_without_pictures_or_without_matplotlib(monkeypatch):
    with pytest.raises(ArgumentError, match=r"Sample\.plot: there is nothing to draw"):
        Sample(Text("x")).plot()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"Sample\.plot: needs matplotlib, .* '\.\[plots\]'"):
        Sample(PICTURE).plot()


def test_figures_look_the_same_under_settings_of_the_user_s():
    mpl = pytest.importorskip("matplotlib")
    with mpl.rc_context({"axes.facecolor": "black", "xtick.color": "white"}):
        axes = Sample(PICTURE).plot().axes[0]
        assert (1, 1, 1, 1) == axes.get_facecolor()
        assert "#1c1c1c" == axes.xaxis.get_ticklabels()[0].get_color()
        assert "black" == mpl.rcParams["axes.facecolor"]


def test_heatmaps_write_every_number_that_can_be_read():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.subplots()
    heatmap(axes, [[45, 3], [4, 40]])
    assert [("45", (0, 0)), ("3", (1, 0)), ("4", (0, 1)), ("40", (1, 1))] == [(t.get_text(), t.get_position()) for t in axes.texts]
    assert "#ffffff" == axes.texts[0].get_color() != axes.texts[1].get_color()
    axes.clear()
    heatmap(axes, np.zeros((40, 40)), words=[["x"] * 40] * 40)
    assert 0 == len(axes.texts)
    heatmap(axes, np.zeros((25, 25)), words=[["", *"x" * 24]] * 25)
    assert 25 * 24 == len(axes.texts)


def test_words_on_shades_have_the_ink_of_higher_contrast():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.subplots()
    heatmap(axes, np.linspace(0, 1, 21)[None], vmax=1.0, form="{:.2f}")
    image = axes.images[0]
    for text, value in zip(axes.texts, image.get_array()[0], strict=True):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in image.cmap(image.norm(value))[:3]]
        light = np.dot([0.2126, 0.7152, 0.0722], linear) + 0.05
        contrast = {"#ffffff": 1.05 / light, "#111111": light / 0.0556}
        assert max(contrast, key=contrast.get) == text.get_color()
        assert contrast[text.get_color()] > 4


def test_logarithmic_axes_end_at_decades_and_label_nothing_between():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.subplots()
    log_scale(axes, "y", [0.2, 0.5, math.nan, 0.0])
    assert ("log", (0.1, 1.0)) == (axes.get_yscale(), axes.get_ylim())
    figure.draw_without_rendering()
    assert {""} == {label.get_text() for label in axes.yaxis.get_minorticklabels()}
    log_scale(axes, "x", [1e-7, 1.0])
    assert (1e-8, 10.0) == axes.get_xlim()


# ---- data


def test_plain_data_and_json(tmp_path):
    data = Sample().to_dict()
    assert [2, 3] == data["shape"]
    assert {int, float, bool, list} == {type(data[name]) for name in ("mean", "values", "yes", "7")} | {type(data["values"][0])}
    text = Sample().to_json(tmp_path / "sample.json")
    assert {"shape": [2, 3], "mean": 0.5, "values": [1, 2], "7": [None, None], "yes": True} == json.loads(text)
    assert f"{text}\n" == (tmp_path / "sample.json").read_text()


# ---- optional libraries


def test_require_names_the_caller_and_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.delitem(sys.modules, "sklearn.metrics", raising=False)
    with pytest.raises(
        MissingExtraError, match=r"evaluate: needs scikit-learn, which is not installed; .* pip install '\.\[data\]'"
    ):
        require("evaluate", "sklearn.metrics")
