"""Histories: what they say of numbers, and how they show themselves."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

from minigrad.display import chart
from minigrad.errors import ArgumentError
from minigrad.train import Epoch, History


def history(losses, validation=()):
    rows = [Epoch(n, loss, lr=0.1, gradient_norm=1 / n, seconds=0.5, steps=4) for n, loss in enumerate(losses, 1)]
    for row, loss in zip(rows, validation, strict=False):
        row.validation = {"loss": loss}
    return History(rows)


def said(losses, validation=()):
    return [row.observation for row in history(losses, validation).rows]


# ---- what is said of numbers


def test_the_lesson_s_training():
    """The five epochs of the pipeline page."""
    lesson = zip([0.85, 0.65, 0.50, 0.40, 0.35], [0.40, 0.60, 0.75, 0.82, 0.87], strict=True)
    rows = [Epoch(n, loss, {"accuracy": accuracy}) for n, (loss, accuracy) in enumerate(lesson, 1)]
    assert [
        "where it starts",
        "loss falls fast (-23.5%)",
        "loss falls fast (-23.1%)",
        "loss falls fast (-20.0%)",
        "loss falls steadily (-12.5%)",
    ] == [row.observation for row in History(rows).rows]
    assert "The training loss went from 0.85 to 0.35 in 5 epochs." == History(rows).headline()


def test_plateau_is_where_means_move_no_more_than_losses_scatter():
    assert ["loss falls fast (-50.0%)", "loss stays as it is", "loss rises (+1.0%)"] == said([2, 1, 1, 1.01])[1:]
    flat = said([1.0, 0.999, 0.998, 0.997, 0.996, 0.995])
    assert ["loss falls (-0.1%)", "loss falls steadily (-0.1%)", "plateau"] == [flat[1], flat[3], flat[5]]
    assert "loss falls steadily (-0.5%)" == said([1.0 * 0.995**n for n in range(9)])[8]
    rng = np.random.default_rng(0)
    for noise in (0.01, 0.05):
        texts = said((1 + noise * rng.normal(size=300)).tolist())[6:]
        assert 0.7 * len(texts) < texts.count("plateau")
        assert not any("diverging" in text for text in texts)
    assert history([1.0] * 9).headline().endswith("in 9 epochs, and has come to rest.")


@pytest.mark.parametrize("ratio", [0.2, 0.3, 0.5, 0.7, 0.9])
def test_no_plateau_where_the_loss_falls_by_a_share_each_epoch(ratio):
    falling = history([ratio**n for n in range(30)])
    assert not any("plateau" in row.observation for row in falling.rows)
    assert "come to rest" not in falling.headline()


def test_no_plateau_right_after_a_steep_fall():
    steep = said([1.66, 0.39, 0.197, 0.169, 0.147, 0.1199])
    assert "loss falls steadily (-18.4%)" == steep[5]


def test_diverging_is_a_rise_that_stays():
    assert "loss rises (+267.0%)" == said([3.27, 12])[1]
    assert "diverging: try a smaller learning rate" == said([3.27, 12, 40])[2]
    assert ["loss rises (+80.0%)", "loss falls fast (-50.0%)"] == said([0.5, 0.9, 0.45])[1:]
    assert "diverging: try a smaller learning rate" == said([-2, 1, 5])[2]
    undone = said([2, 0.2, 0.1, 1.5, 1.6, 1.7])
    assert [False, False, False, False, False, True] == ["diverging" in text for text in undone]
    assert "diverging" not in said([2, 0.01, 0.001, 0.04, 0.05, 0.06])[5], "far down, a small loss may be many times its lowest"
    assert "in 6 epochs: it diverges; try a smaller learning rate." in history([2, 0.2, 0.1, 1.5, 1.6, 1.7]).headline()
    assert "the loss is no number any more: diverged" == said([1, math.nan])[1]
    assert "the loss is no number any more: diverged" == said([math.inf])[0]
    assert ["loss rises (49-fold)", "loss is a number again"] == [said([0.1, 4.9])[1], said([math.nan, 1.0])[1]]
    assert "plateau" not in said([1.0, math.inf, *[1.0] * 4])[5]


def test_overfitting_is_a_validation_loss_that_stays_up_while_the_training_loss_falls():
    falling = [1.0 * 0.8**n for n in range(9)]
    rising = [1.0, 0.8, 0.6, 0.61, 0.65, 0.66, 0.7, 0.7, 0.8]
    texts = said(falling, rising)
    assert ["; validation at its best"] * 2 == [text[text.index(";") :] for text in texts[1:3]]
    assert [False] * 7 == ["overfitting" in text for text in texts[:7]]
    assert [True, True] == [text.endswith("; overfitting since epoch 3") for text in texts[7:]]
    assert (
        "lowest in epoch 3, 0.6, and ended at 0.8, while the training loss fell: overfitting."
        in history(falling, rising).headline()
    )


def test_overfitting_may_creep():
    falling = [0.9**n for n in range(40)]
    creeping = [0.7, 0.6, 0.5, *(0.5 + 0.0008 * n for n in range(37))]
    texts = said(falling, creeping)
    assert "overfitting" not in texts[10]
    assert texts[30].endswith("overfitting since epoch 3")


def test_no_overfitting_where_both_losses_rise_or_noise_is_small_or_nothing_is_left_to_gain():
    rising = [1.0, 0.8, 0.6, 0.61, 0.65, 0.66, 0.7, 0.7, 0.8]
    assert not any("overfitting" in text for text in said(rising, rising))
    falling = [1 * 0.8**n for n in range(30)]
    noise = [1.0, 0.8, *([0.6, 0.605] * 14)]
    assert not any("overfitting" in text for text in said(falling, noise))
    tiny = [0.6, 1e-3, 2e-5, *(2e-5 * 1.02**n for n in range(27))]
    assert not any("overfitting" in text for text in said(falling, tiny))
    assert "ended at its lowest, 0.25" in history([1, 0.5], [0.5, 0.25]).headline()


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_overfitting_is_hardly_ever_said_of_noise(noise):
    rng = np.random.default_rng(7)
    falling = [0.9**n for n in range(30)]
    flat = [history(falling, (1 + noise * rng.normal(size=30)).tolist()) for _ in range(200)]
    assert 2 >= sum("overfitting" in given.headline() for given in flat)
    assert 10 > sum(any("overfitting" in row.observation for row in given.rows) for given in flat)


@pytest.mark.parametrize(("slope", "noise", "epochs"), [(0.01, 0.01, 20), (0.02, 0.03, 30), (0.05, 0.03, 20)])
def test_overfitting_is_found_under_noise(slope, noise, epochs):
    rng = np.random.default_rng(7)
    losses = [0.5 + 0.5 * 0.6**n + 0.5 * slope * max(0, n - 7) for n in range(epochs)]
    noisy = [said([0.9**n for n in range(epochs)], losses * (1 + noise * rng.normal(size=epochs))) for _ in range(50)]
    assert 40 < sum("overfitting" in texts[-1] for texts in noisy)


@pytest.mark.parametrize("first", [math.nan, math.inf])
def test_validation_losses_that_are_no_numbers_are_never_the_best(first):
    late = history([1.0, 0.8, 0.7], [first, 0.9, 0.5])
    assert (3, "ended at its lowest, 0.5.") == (late.best_epoch, late.headline()[-25:])
    lost = history([1.0, 0.8, 0.7, 0.6], [0.9, 0.5, first, first])
    assert 2 == lost.best_epoch
    assert lost.headline().endswith("in 4 epochs. The validation loss is no number (since epoch 3).")
    assert lost.rows[3].observation.endswith("; the validation loss is no number")
    assert (
        history([1.0], [first])
        .headline()
        .endswith("in the one epoch that was trained. The validation loss is no number (since epoch 1).")
    )
    never = history([1.0, 0.8], [first, first])
    assert (0, True) == (never.best_epoch, never.headline().endswith("no number (since epoch 1)."))


def test_verdicts_of_short_histories():
    assert "No epoch was trained." == History().headline()
    assert "The training loss was 0.5 in the one epoch that was trained." == history([0.5]).headline()


def test_an_observation_of_one_s_own_stays():
    assert ["mine"] == [row.observation for row in History([Epoch(1, 0.3, observation="mine")]).rows]


# ---- data


def test_columns():
    both = history([3.0, 2.0, 1.0], [4.0, 3.0])
    assert ["loss", "val_loss"] == both.columns()
    assert [3.0, 2.0, 1.0] == both.column("loss")
    assert [4.0, 3.0] == both.column("val_loss")[:2]
    assert math.isnan(both.column("val_loss")[2])
    assert [1, 1 / 2, 1 / 3] == both.column("gradient_norm")
    assert 2 == both.best_epoch
    assert 3 == history([3, 2, 1]).best_epoch
    assert 0 == History().best_epoch
    with pytest.raises(ArgumentError, match=r"there is no 'accuracy'; there are loss, val_loss, lr, gradient_norm, seconds"):
        both.column("accuracy")


def test_as_csv_and_json(tmp_path):
    given = history([3.0, math.nan], [4.0])
    rows = list(csv.DictReader(io.StringIO(given.to_csv(tmp_path / "history.csv"))))
    assert given.to_csv() == (tmp_path / "history.csv").read_text()
    assert ["epoch", "loss", "val_loss", "lr", "gradient_norm", "seconds", "steps", "observation"] == list(rows[0])
    assert [("1", "3.0", "4.0"), ("2", "nan", "")] == [(row["epoch"], row["loss"], row["val_loss"]) for row in rows]
    data = json.loads(given.to_json(tmp_path / "history.json"))
    assert data == json.loads((tmp_path / "history.json").read_text())
    assert {"epoch": 2, "loss": None, "lr": 0.1, "gradient_norm": 0.5, "seconds": 0.5, "steps": 4} == {
        name: value for name, value in data["epochs"][1].items() if name != "observation"
    }
    assert (1, 0, "") == (data["best_epoch"], data["kept"], data["stopped"])


# ---- looks


def test_the_table_has_at_most_some_rows_and_the_best():
    text = str(history([1 / n for n in range(1, 101)], [abs(n - 41) + 1 for n in range(1, 101)]))
    numbers = [int(line.split()[0]) for line in text.splitlines() if line[:6].strip().isdigit()]
    assert (1, 100) == (numbers[0], numbers[-1])
    assert 41 in numbers
    assert 20 <= len(numbers) <= 21
    assert f"{len(numbers)} of 100 epochs" in text
    text = str(history([1 / n for n in range(1, 31)]))
    assert [*range(1, 30, 2), 30] == [int(line.split()[0]) for line in text.splitlines() if line[:6].strip().isdigit()]


def test_gradient_norms_and_seconds_have_three_figures():
    rows = [
        Epoch(1, 0.5, lr=0.1, gradient_norm=0.383481, seconds=0.390231),
        Epoch(2, 0.4, lr=0.1, gradient_norm=1.71e-4, seconds=12.345),
    ]
    lines = str(History(rows)).splitlines()
    assert ["epoch", "loss", "lr", "‖gradient‖", "seconds", "observation"] == next(
        line for line in lines if "epoch  " in line
    ).split()
    assert [["0.383", "0.39"], ["0.000171", "12.3"]] == [line.split()[3:5] for line in lines if line[:5] in ("    1", "    2")]


def test_the_whole_in_html():
    pytest.importorskip("matplotlib")
    html = history([3.0, 2.0, 1.0], [4.0, 3.0, 2.0])._repr_html_()
    assert 2 == html.count("<img ")
    assert '<td class="long">loss falls fast (-33.3%); validation at its best</td>' in html
    assert "┤" not in html


def test_plots(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "history.png"
    figure = history([3.0, 2.0, 1.0], [4.0, 3.0, 2.5]).plot(path)
    assert path.stat().st_size > 10_000
    loss, norm, rate = (axes for part in figure.subfigs for axes in part.axes)
    lines = {line.get_label(): list(line.get_ydata()) for line in loss.lines}
    assert [3.0, 2.0, 1.0] == lines["training"]
    assert [4.0, 3.0, 2.5] == lines["validation"]
    assert [3, 3] == list(loss.lines[2].get_xdata())
    assert ("gradient norm", "learning rate") == (norm.get_ylabel(), rate.get_ylabel())
    legend, area = loss.get_legend().get_window_extent(), loss.get_window_extent()
    assert legend.y0 >= area.y1, "the legend stands in the way of the curves"
    assert legend.x1 <= figure.subfigs[0].bbox.x1
    with pytest.raises(ArgumentError, match=r"History\.plot: there is nothing to draw"):
        History().plot()


def test_one_epoch_is_drawn_as_points():
    pytest.importorskip("matplotlib")
    one = history([1.0], [2.0])
    loss = one.plot().axes[0]
    assert [[1.0], [2.0]] == [list(line.get_ydata()) for line in loss.lines[:2]]
    assert [1] == [tick for tick in loss.get_xticks() if 0.5 <= tick <= 1.5]
    assert "┤" not in str(one)


def rows_of(text):
    """For each mark, the heights (0 at the bottom) at which it stands, from left to right."""
    lines = [line.partition("┤")[2] for line in text.splitlines() if "┤" in line]
    places = {}
    for height, line in enumerate(reversed(lines)):
        for column, mark in enumerate(line):
            if mark != " ":
                places.setdefault(mark, []).append((column, height))
    return {mark: [height for _, height in sorted(found)] for mark, found in places.items()}


def test_charts_stand_upright():
    """The loss chart of the pipeline page is upside down."""
    text = chart({"loss": [0.9, 0.7, 0.5, 0.3], "val_loss": [0.9, 0.8, math.nan, 0.6]}, height=7)
    assert {"●": [4, 2, 0], "○": [6, 5, 3]} == rows_of(text)  # in the first column the later curve hides the other
    lines = text.splitlines()
    assert lines[0].startswith("0.9 ┤")
    assert lines[6].startswith("0.3 ┤")
    assert "● loss   ○ val_loss" in lines[-1]
    assert ["1", "4"] == lines[-2].split()


def test_charts_by_logarithms_of_many_steps_and_of_nothing():
    assert {"●": [6, 4, 2, 0]} == rows_of(chart({"loss": [1, 0.1, 0.01, 0.001]}, height=7, log=True))
    assert 60 == len(rows_of(chart({"loss": list(range(1000))}))["●"])
    assert "(no finite values)" == chart({"loss": [math.nan]})
    assert {"●": [2]} == rows_of(chart({"loss": [2.0]}, height=3))
