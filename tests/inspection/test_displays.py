"""The displays: what they draw is what was computed, legibly, and where they are told."""

import sys
import warnings
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.dates import num2date
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import (
    ForecastDisplay,
    GateDisplay,
    HistoryDisplay,
    LSTMRegressor,
    WindowTransformer,
    gates,
    make_windows,
)

SEQ_LENGTH = 6
SERIES = np.sin(0.5 * np.arange(60)) + 0.1 * np.cos(np.arange(60))
DAYS = pd.date_range("2024-01-20", periods=60, name="day")
TABLE = pd.DataFrame(
    {"load (MW)": SERIES, "price (EUR)": SERIES[::-1], "°C": SERIES**2}, index=DAYS
)


@pytest.fixture(autouse=True)
def _drawn_in_memory():
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


def make_model(**kwargs):
    settings = {"units": 3, "epochs": 2, "random_state": 0, "device": "cpu"} | kwargs
    return make_pipeline(
        StandardScaler(), WindowTransformer(SEQ_LENGTH), LSTMRegressor(**settings)
    ).set_output(transform="pandas")


def search_over(model):
    grid = {"windowtransformer__seq_length": [SEQ_LENGTH]}
    return GridSearchCV(model, grid, cv=TimeSeriesSplit(2))


@pytest.fixture(scope="module")
def one_output():
    return make_model().fit(TABLE[:40], TABLE["load (MW)"][:40])


@pytest.fixture(scope="module")
def three_outputs():
    return make_model(bidirectional=True, num_layers=2).fit(TABLE[:40], TABLE[:40])


def legend_of(ax):
    """The legend of given Axes, or that of a figure of ours."""
    return ax.get_legend() or ax.figure.legends[0]


def legend_texts(ax):
    return [text.get_text() for text in legend_of(ax).get_texts()]


def boxes(artists):
    return [artist.get_window_extent() for artist in artists]


def is_legible(display):
    """That labels keep apart, and the legend keeps off the lines."""
    display.figure_.canvas.draw()
    for legend in boxes(display.figure_.legends):
        if legend.x0 < 0 or legend.x1 > display.figure_.bbox.x1:
            return False
        if any(legend.overlaps(ax.bbox) for ax in display.figure_.axes):
            return False
    for ax in display.axes_ if hasattr(display, "axes_") else [display.ax_]:
        shown = [label for label in ax.get_xticklabels() if label.get_text()]
        places = boxes(shown)
        for left, right in pairwise(places):
            if left.x1 > right.x0:
                return False
        if ax.get_legend() is not None:
            legend = ax.get_legend().get_window_extent()
            if not ax.bbox.x0 <= legend.x0 <= legend.x1 <= ax.bbox.x1:
                return False
            for line in ax.get_lines():
                drawn = line.get_path().transformed(line.get_transform()).vertices
                inside = (drawn > [legend.x0, legend.y0]) & (drawn < [legend.x1, legend.y1])
                if inside.all(axis=1).any():
                    return False
    return True


def lightness(line):
    return float(np.dot(to_rgb(line.get_color()), [0.299, 0.587, 0.114]))


# ForecastDisplay


def test_forecast_lines_are_the_true_and_predicted_values(one_output):
    X, y = TABLE[40:], TABLE["load (MW)"][40:]
    display = ForecastDisplay.from_estimator(one_output, X, y)
    np.testing.assert_array_equal(display.true_lines_[0].get_ydata(), y)
    np.testing.assert_array_equal(display.pred_lines_[0].get_ydata(), one_output.predict(X))
    assert display.ax_.get_ylabel() == "load (MW)"
    assert display.ax_.get_xlabel() == "day"
    assert legend_texts(display.ax_) == ["true", "predicted"]
    assert display.figure_ is display.ax_.figure


def test_forecast_takes_regressor_pipeline_and_search(one_output):
    X, y = TABLE[40:], TABLE["load (MW)"][40:]
    search = search_over(make_model()).fit(TABLE[:40], TABLE["load (MW)"][:40])
    windows = one_output[:-1].transform(X)
    for estimator, rows in ((one_output[-1], windows), (one_output, X), (search, X)):
        display = ForecastDisplay.from_estimator(estimator, rows, y.to_numpy())
        np.testing.assert_array_equal(
            display.pred_lines_[0].get_ydata(), estimator.predict(rows)
        )


def test_warm_up_rows_are_shaded_and_no_others(one_output):
    X, y = TABLE[:40].reset_index(drop=True), SERIES[:40]
    model = make_model().fit(X, y)
    display = ForecastDisplay.from_estimator(model, X, y)
    (span,) = display.warm_up_spans_[0]
    # The windows of the first six rows are incomplete: rows 0 to 5, half a step around.
    assert span.get_x() == -0.5
    assert span.get_x() + span.get_width() == 5.5
    assert "warm-up: incomplete window" in legend_texts(display.ax_)
    # Test rows have their past in the fitted ones.
    display = ForecastDisplay.from_estimator(one_output, TABLE[40:], SERIES[40:])
    assert display.warm_up_spans_ == [[]]


def test_runs_of_warm_up_rows_are_shaded_one_by_one():
    warm_up = np.isin(np.arange(10), [0, 3, 4, 9])
    display = ForecastDisplay.from_predictions(SERIES[:10], SERIES[:10], warm_up=warm_up)
    (spans,) = display.warm_up_spans_
    assert [(s.get_x(), s.get_width()) for s in spans] == [(-0.5, 1), (2.5, 2), (8.5, 1)]
    assert legend_texts(display.ax_).count("warm-up: incomplete window") == 1


def test_several_outputs_stand_below_each_other(three_outputs):
    display = ForecastDisplay.from_estimator(three_outputs, TABLE[40:], TABLE[40:])
    assert [ax.get_ylabel() for ax in display.axes_] == list(TABLE.columns)
    y_pred = three_outputs.predict(TABLE[40:])
    for output, line in enumerate(display.pred_lines_):
        np.testing.assert_array_equal(line.get_ydata(), y_pred[:, output])
    tops = [ax.get_position().y0 for ax in display.axes_]
    assert tops == sorted(tops, reverse=True)
    assert [ax.get_xlabel() for ax in display.axes_] == ["", "", "day"]
    assert len(display.figure_.axes) == 3


@pytest.mark.parametrize(
    ("index", "first", "xlabel"),
    [
        (DAYS, DAYS[0], "day"),
        (DAYS.tz_localize("Europe/Vienna").rename(None), DAYS[0], "time (Europe/Vienna)"),
        (DAYS.to_period("D"), DAYS[0], "day"),
        (
            pd.date_range("1700", periods=60, freq="YS", unit="s"),
            pd.Timestamp("1700-01-01"),
            "time",
        ),
        (pd.RangeIndex(5, 65), 5, "row"),
        (pd.Index(np.arange(60) / 2, name="hour"), 0.0, "hour"),
        (pd.to_timedelta(np.arange(60), unit="min"), 0.0, "time (seconds)"),
        (pd.Index([f"r{i}" for i in range(60)]), 0, "row"),
        (None, 0, "row"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rows_stand_where_the_index_says(index, first, xlabel):
    y = SERIES if index is None else pd.Series(SERIES, index=index)
    display = ForecastDisplay.from_predictions(y, SERIES)
    display.figure_.canvas.draw()
    is_time = isinstance(first, pd.Timestamp)
    assert display.positions[0] == (first.to_datetime64() if is_time else first)
    assert display.ax_.get_xlabel() == xlabel
    given = ForecastDisplay.from_predictions(SERIES, SERIES, index=index)
    np.testing.assert_array_equal(given.positions, display.positions)


def test_index_of_the_windows_serves_where_y_has_none(one_output):
    display = ForecastDisplay.from_estimator(one_output, TABLE[40:], SERIES[40:])
    left, right = (num2date(limit) for limit in display.ax_.get_xlim())
    assert left.replace(tzinfo=None) < DAYS[40] < DAYS[59] < right.replace(tzinfo=None)


def test_forecasts_of_other_regressors_are_drawn_from_predictions():
    table = WindowTransformer(SEQ_LENGTH, flatten=True).fit_transform(SERIES[:, None])
    ridge = Ridge().fit(table[SEQ_LENGTH:], SERIES[SEQ_LENGTH:])
    y_pred = ridge.predict(table[SEQ_LENGTH:])
    display = ForecastDisplay.from_predictions(SERIES[SEQ_LENGTH:], y_pred)
    np.testing.assert_array_equal(display.pred_lines_[0].get_ydata(), y_pred)
    with pytest.raises(ValueError, match="got Ridge"):
        ForecastDisplay.from_estimator(ridge, table, SERIES)


def test_targets_that_are_not_known_yet_leave_a_gap():
    y_true = np.where(np.arange(60) < 50, SERIES, np.nan)
    display = ForecastDisplay.from_predictions(y_true, SERIES)
    assert np.isnan(display.true_lines_[0].get_ydata()).sum() == 10


def test_a_gap_in_the_index_is_told_once(one_output):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ForecastDisplay.from_estimator(one_output, TABLE[45:], SERIES[45:])
    assert len([w for w in caught if "steps are missing" in str(w.message)]) == 1


def test_shapes_that_do_not_agree_are_told():
    with pytest.raises(ValueError, match=r"y_pred should be of shape \(60,\).*\(60, 1\)"):
        ForecastDisplay.from_predictions(SERIES, SERIES[:, None])
    with pytest.raises(ValueError, match=r"index should be of shape \(60,\)"):
        ForecastDisplay.from_predictions(SERIES, SERIES, index=DAYS[:3])
    with pytest.raises(ValueError, match=r"warm_up should be of shape \(60,\)"):
        ForecastDisplay.from_predictions(SERIES, SERIES, warm_up=[True])
    with pytest.raises(ValueError, match="y_true contains infinity"):
        ForecastDisplay.from_predictions([np.inf], [0.0])


# HistoryDisplay


def windows_and_targets():
    return make_windows(SERIES, seq_length=SEQ_LENGTH)


def make_regressor(**kwargs):
    settings = {"units": 3, "epochs": 5, "random_state": 0, "device": "cpu"} | kwargs
    return LSTMRegressor(**settings)


def test_history_lines_are_the_losses_and_the_kept_epoch_is_marked():
    regressor = make_regressor(early_stopping=True, learning_rate=0.3, epochs=8)
    regressor.fit(*windows_and_targets())
    display = HistoryDisplay.from_estimator(regressor)
    history = pd.DataFrame(regressor.history_)
    for line, name in (
        (display.train_line_, "train_loss"),
        (display.valid_line_, "valid_loss"),
    ):
        np.testing.assert_array_equal(line.get_ydata(), history[name])
        np.testing.assert_array_equal(line.get_xdata(), history["epoch"])
    assert list(display.best_line_.get_xdata()) == [regressor.best_epoch_] * 2
    assert legend_texts(display.ax_) == [
        "training",
        "validation",
        f"kept: epoch {regressor.best_epoch_}",
    ]


def test_history_without_validation_has_one_line():
    display = HistoryDisplay.from_estimator(make_regressor().fit(*windows_and_targets()))
    assert display.valid_line_ is None
    assert display.best_line_ is None
    assert legend_texts(display.ax_) == ["training"]


def test_history_shows_validation_from_the_epoch_where_it_starts():
    windows, targets = windows_and_targets()
    regressor = make_regressor(warm_start=True).fit(windows, targets)
    regressor.fit(windows, targets, X_val=windows[-9:], y_val=targets[-9:])
    losses = HistoryDisplay.from_estimator(regressor).valid_line_.get_ydata()
    assert np.isnan(losses).tolist() == [True] * 5 + [False] * 5


@pytest.mark.parametrize(
    ("loss", "normalize_y", "ylabel"),
    [
        ("squared_error", True, "mean squared error / variance of y"),
        ("squared_error", False, "mean squared error"),
        ("absolute_error", True, "mean absolute error / standard deviation of y"),
        ("absolute_error", False, "mean absolute error"),
        ("huber", True, "mean Huber loss of scaled y"),
        ("huber", False, "mean Huber loss"),
    ],
)
def test_history_says_in_which_units_the_loss_is(loss, normalize_y, ylabel):
    regressor = make_regressor(loss=loss, normalize_y=normalize_y)
    display = HistoryDisplay.from_estimator(regressor.fit(*windows_and_targets()))
    assert display.ax_.get_ylabel() == ylabel
    assert display.ax_.get_xlabel() == "epoch"


def test_history_takes_pipeline_and_search(one_output):
    search = search_over(make_model()).fit(TABLE[:40], SERIES[:40])
    for estimator, regressor in (
        (one_output, one_output[-1]),
        (search, search.best_estimator_[-1]),
    ):
        losses = HistoryDisplay.from_estimator(estimator).train_line_.get_ydata()
        assert list(losses) == [epoch["train_loss"] for epoch in regressor.history_]


# GateDisplay


@pytest.mark.parametrize("row", [0, 3, 19, -1])
def test_gates_of_a_row_are_those_of_its_window(one_output, row):
    display = GateDisplay.from_estimator(one_output, TABLE[40:], row=row, units=[2])
    parts = gates(one_output, TABLE[40:])
    assert set(display.lines_) == set(parts)
    for name, line in display.lines_.items():
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, SEQ_LENGTH + 1))
        np.testing.assert_allclose(line.get_ydata(), parts[name][row].mean(axis=1))
        (unit,) = display.unit_lines_[name]
        np.testing.assert_allclose(unit.get_ydata(), parts[name][row, :, 2])
        low, high = np.quantile(parts[name][row], [0.1, 0.9], axis=1)
        drawn = display.bands_[name].get_paths()[0].vertices[:, 1]
        assert drawn.min() == pytest.approx(low.min())
        assert drawn.max() == pytest.approx(high.max())


@pytest.mark.parametrize("layer", [0, -1])
@pytest.mark.parametrize(("direction", "last_read"), [("forward", -1), ("backward", 0)])
def test_gates_over_the_series_are_those_read_last(
    three_outputs, layer, direction, last_read
):
    which = {"layer": layer, "direction": direction}
    display = GateDisplay.from_estimator(three_outputs, TABLE[40:], **which)
    parts = gates(three_outputs, TABLE[40:], **which)
    for name, line in display.lines_.items():
        np.testing.assert_allclose(line.get_ydata(), parts[name][:, last_read].mean(axis=1))
    np.testing.assert_array_equal(display.positions, DAYS[40:])


def test_backward_gates_of_warm_up_rows_are_those_of_their_first_known_step(three_outputs):
    model = three_outputs
    X = TABLE[:12]  # the fitted rows again, without their past
    display = GateDisplay.from_estimator(model, X, direction="backward")
    parts = gates(model, X, direction="backward")
    cells = display.parts["cell_state"]
    assert np.isnan(cells[0]).all()
    for row in range(1, 12):
        first_known = max(SEQ_LENGTH - row, 0)
        np.testing.assert_allclose(cells[row], parts.cell_state[row, first_known])


def test_single_window_is_drawn_step_by_step(one_output):
    windows = one_output[:-1].transform(TABLE[40:])
    display = GateDisplay.from_estimator(one_output[-1], windows[:1])
    assert len(display.lines_["cell_state"].get_xdata()) == SEQ_LENGTH


def test_steps_that_are_not_known_have_their_place(one_output):
    display = GateDisplay.from_estimator(one_output, TABLE[:12], row=2)
    low, high = display.ax_.get_xlim()
    assert low < 1 < SEQ_LENGTH < high
    known = ~np.isnan(display.lines_["cell_state"].get_ydata())
    assert known.tolist() == [False] * 4 + [True] * 2


def test_chosen_parts_are_drawn_on_given_axes(one_output):
    _, ax = plt.subplots()
    display = GateDisplay.from_estimator(
        one_output, TABLE[40:], names=["forget_gate"], ax=ax
    )
    assert display.ax_ is ax
    assert list(display.lines_) == ["forget_gate"]
    assert ax.get_ylabel() == "forget gate $f_t$"
    low, high = ax.get_ylim()
    assert low < 0 < 1 < high


def test_drawing_again_computes_nothing_anew(one_output):
    display = GateDisplay.from_estimator(one_output, TABLE[40:])
    before = display.lines_["cell_state"]
    assert display.plot(names=["cell_state"]) is display
    after = display.lines_["cell_state"]
    np.testing.assert_array_equal(before.get_ydata(), after.get_ydata())
    assert before is not after


def test_rows_parts_and_units_that_are_not_there(one_output):
    X = TABLE[40:]
    with pytest.raises(ValueError, match=r"row=20 is not among the 20 rows of X. .*-20 to"):
        GateDisplay.from_estimator(one_output, X, row=20)
    with pytest.raises(ValueError, match="names holds 'reset_gate'; the parts are input_g"):
        GateDisplay.from_estimator(one_output, X, names=["reset_gate"])
    with pytest.raises(ValueError, match="names is empty"):
        GateDisplay.from_estimator(one_output, X, names=[])
    with pytest.raises(ValueError, match=r"units holds 3, .* among the 3 units"):
        GateDisplay.from_estimator(one_output, X, units=[3])
    with pytest.raises(ValueError, match="fit with bidirectional=True"):
        GateDisplay.from_estimator(one_output, X, direction="backward")


# All of them


def draw_forecast(model, **kwargs):
    return ForecastDisplay.from_estimator(model, TABLE[40:], SERIES[40:], **kwargs)


def draw_history(model, **kwargs):
    return HistoryDisplay.from_estimator(model, **kwargs)


def draw_gates(model, **kwargs):
    return GateDisplay.from_estimator(model, TABLE[40:], names=["cell_state"], **kwargs)


DRAWN = [draw_forecast, draw_history, draw_gates]


@pytest.mark.parametrize("draw", DRAWN)
def test_given_axes_are_drawn_on_and_no_figure_is_made(draw, one_output):
    figure, (_, ax) = plt.subplots(1, 2)
    display = draw(one_output, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("draw", DRAWN)
def test_another_number_of_axes_is_told(draw, one_output):
    _, axes = plt.subplots(2)
    with pytest.raises(
        ValueError, match=r"plot draws on 1 Axes, got 2. Pass an array of 1"
    ):
        draw(one_output, ax=axes)


@pytest.mark.parametrize("draw", DRAWN)
def test_estimators_must_be_fitted(draw):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        draw(make_model())


@pytest.mark.parametrize("draw", DRAWN)
def test_missing_matplotlib_is_told_as_scikit_learn_tells_it(draw, one_output, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="from_estimator requires matplotlib"):
        draw(one_output)


@pytest.mark.parametrize(
    ("draw", "keywords", "line"),
    [
        (draw_forecast, "true_kwargs", lambda display: display.true_lines_[0]),
        (draw_forecast, "pred_kwargs", lambda display: display.pred_lines_[0]),
        (draw_history, "train_kwargs", lambda display: display.train_line_),
        (draw_gates, "line_kwargs", lambda display: display.lines_["cell_state"]),
    ],
)
def test_lines_can_be_styled_also_by_matplotlibs_short_names(
    draw, keywords, line, one_output
):
    display = draw(one_output, **{keywords: {"c": "red", "linewidth": 7, "label": "mine"}})
    assert line(display).get_color() == "red"
    assert line(display).get_linewidth() == 7
    assert line(display).get_label() == "mine"


def test_spans_bands_and_marks_can_be_styled(one_output):
    y = SERIES[:12]
    display = ForecastDisplay.from_predictions(
        y, y, warm_up=y > 0, warm_up_kwargs={"fc": "blue"}
    )
    assert display.warm_up_spans_[0][0].get_facecolor()[:3] == to_rgb("blue")
    draw_forecast(one_output, warm_up_kwargs={"color": "blue"})
    display = draw_gates(
        one_output, units=[0], band_kwargs={"alpha": 0.5}, unit_kwargs={"ls": "-"}
    )
    assert display.bands_["cell_state"].get_alpha() == 0.5
    assert display.unit_lines_["cell_state"][0].get_linestyle() == "-"
    regressor = make_regressor(early_stopping=True).fit(*windows_and_targets())
    display = HistoryDisplay.from_estimator(
        regressor, best_kwargs={"lw": 4}, valid_kwargs={"marker": ""}
    )
    assert display.best_line_.get_linewidth() == 4
    assert display.valid_line_.get_marker() == ""


@pytest.mark.parametrize("n_rows", [1, 2, 20, 100, 5000])
@pytest.mark.parametrize("freq", ["h", "D", "W", "MS", None])
def test_forecasts_of_any_length_are_legible(n_rows, freq):
    y = np.sin(np.arange(n_rows) / 5)
    if freq is not None:
        index = pd.date_range("1990-12-29", periods=n_rows, freq=freq, unit="s")
        y = pd.Series(y, index=index)
    warm_up = np.arange(n_rows) < 10
    assert is_legible(ForecastDisplay.from_predictions(y, y + 0.1, warm_up=warm_up))


@pytest.mark.parametrize("figsize", [(3, 2.5), (6.4, 4.8), (12, 4)])
def test_displays_are_legible_in_figures_of_other_sizes(figsize, one_output):
    for draw in DRAWN:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
        assert is_legible(draw(one_output, ax=ax))


def test_gates_and_several_outputs_are_legible(three_outputs):
    X = TABLE[40:]
    assert is_legible(GateDisplay.from_estimator(three_outputs, X))
    assert is_legible(GateDisplay.from_estimator(three_outputs, X, row=3, units=[0, 1, 2]))
    assert is_legible(ForecastDisplay.from_estimator(three_outputs, X, X))
    _, axes = plt.subplots(3)
    display = ForecastDisplay.from_estimator(three_outputs, X, X, ax=axes)
    assert list(display.axes_) == list(axes)


def test_own_figure_keeps_the_limits_of_the_data():
    # Room for a legend inside the Axes would be taken from the series.
    display = ForecastDisplay.from_predictions(SERIES, SERIES, warm_up=SERIES > 0)
    assert display.ax_.get_legend() is None
    low, high = display.ax_.get_ylim()
    assert high - SERIES.max() == pytest.approx(SERIES.min() - low)


def test_lines_differ_in_grey_too(one_output):
    short, long = (
        ForecastDisplay.from_predictions(y, y) for y in (SERIES, np.tile(SERIES, 9))
    )
    regressor = make_regressor(early_stopping=True).fit(*windows_and_targets())
    history = HistoryDisplay.from_estimator(regressor)
    gate = GateDisplay.from_estimator(one_output, TABLE[40:], units=[0, 1])
    units = gate.unit_lines_["cell_state"]
    for line, other in (
        (short.true_lines_[0], short.pred_lines_[0]),
        (history.train_line_, history.valid_line_),
        (history.train_line_, history.best_line_),
        units,
        (gate.lines_["cell_state"], units[0]),
    ):
        assert line.get_linestyle() != other.get_linestyle()
    # Dashes do not show in a long series.
    true, pred = long.true_lines_[0], long.pred_lines_[0]
    assert abs(lightness(true) - lightness(pred)) > 0.4
