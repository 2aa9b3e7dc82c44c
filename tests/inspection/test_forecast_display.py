"""ForecastDisplay beyond the data: history, bands and baselines where they belong."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import (
    ForecastDisplay,
    LSTMRegressor,
    WindowTransformer,
    backtest,
    conformal_interval,
    forecast,
    predict_quantiles,
)
from tests.inspection.test_displays import is_legible, legend_texts

N, STEPS = 100, 8
SERIES = np.sin(0.5 * np.arange(N + STEPS)) + 0.1 * np.cos(np.arange(N + STEPS))
DAYS = pd.date_range("2024-01-20", periods=N + STEPS, name="day")
LEVEL = pd.Series(SERIES, DAYS, name="level")
KNOWN, LATER = LEVEL[:N], LEVEL[N:]
Y_PRED = LATER + 0.25
BOUNDS = pd.DataFrame({"lower": Y_PRED - 1, "upper": Y_PRED + 2})


@pytest.fixture(autouse=True)
def _drawn_in_memory():
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


@pytest.fixture(scope="module")
def model():
    lstm = LSTMRegressor(3, epochs=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), WindowTransformer(6), lstm)
    return pipeline.fit(KNOWN.to_frame(), KNOWN)


def drawn_pred(display, output=0):
    return np.asarray(display.pred_lines_[output].get_ydata())


def vertices(band):
    return band.get_paths()[0].vertices


# History


FORMS = {
    "series": (KNOWN, Y_PRED, {}),
    "what came true in one series": (LEVEL, Y_PRED, {}),
    "tables": (KNOWN.to_frame(), Y_PRED.to_frame(), {}),
    "arrays": (None, Y_PRED.to_numpy(), {"history": KNOWN.to_numpy()}),
    "lists": (None, Y_PRED.tolist(), {"history": KNOWN.tolist()}),
    "polars": (None, pl.Series(Y_PRED.to_numpy()), {"history": pl.Series(SERIES[:N])}),
    "arrays and what came true": (
        LATER.to_numpy(),
        Y_PRED.to_numpy(),
        {"history": KNOWN.to_numpy()},
    ),
    "labels of the history alone": (None, Y_PRED.to_numpy(), {"history": KNOWN}),
    "labels given": (
        None,
        Y_PRED.to_numpy(),
        {"history": KNOWN.to_numpy(), "index": DAYS},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_forecast_joins_its_history_without_a_gap(form):
    y_true, y_pred, arguments = FORMS[form]
    display = ForecastDisplay.from_predictions(y_true, y_pred, n_history=N, **arguments)
    assert display.n_history == N
    x, line = display.positions, display.pred_lines_[0]
    np.testing.assert_array_equal(drawn_pred(display)[1:], Y_PRED)
    assert drawn_pred(display)[0] == KNOWN.iloc[-1]
    np.testing.assert_array_equal(line.get_xdata(), x[N - 1 :])
    true = display.true_lines_[0]
    np.testing.assert_array_equal(true.get_ydata()[:N], KNOWN)
    later = true.get_ydata()[N:]
    if "true" in form:
        np.testing.assert_array_equal(later, LATER)
    else:
        assert np.isnan(later).all()
    has_dates = form in ("series", "what came true in one series", "tables") or (
        "labels" in form
    )
    expected = DAYS.to_numpy() if has_dates else np.arange(N + STEPS)
    np.testing.assert_array_equal(x, expected)
    assert legend_texts(display.ax_) == ["true", "forecast"]


def test_history_is_drawn_as_far_as_the_forecast_can_be_seen():
    long = pd.Series(0.0, pd.date_range("2000", periods=5000, freq="h"))
    y_pred = pd.Series(1.0, pd.date_range(long.index[-1], periods=31, freq="h")[1:])
    display = ForecastDisplay.from_predictions(long, y_pred)
    assert display.n_history == 4 * 30
    assert display.positions[0] == long.index[-120]
    few = ForecastDisplay.from_predictions(long, y_pred[:3])
    assert few.n_history == 60
    own = ForecastDisplay.from_predictions(long, y_pred, n_history=7, baseline=24)
    assert len(own.y_true) == 37
    assert np.isfinite(own.y_baseline[7:]).all()
    rows = ForecastDisplay.from_predictions(None, [1.0], history=np.zeros(500))
    assert rows.positions[[0, -1]].tolist() == [440, 500]


def test_rows_of_one_step_predictions_are_matched_by_label():
    display = ForecastDisplay.from_predictions(LEVEL, Y_PRED[2:], n_history=999)
    assert display.n_history == N + 2
    shuffled = pd.DataFrame({"b": Y_PRED, "a": Y_PRED + 5})
    both = pd.DataFrame({"a": LEVEL, "b": LEVEL})
    display = ForecastDisplay.from_predictions(both, shuffled)
    np.testing.assert_array_equal(drawn_pred(display, 0)[1:], Y_PRED + 5)
    np.testing.assert_array_equal(drawn_pred(display, 1)[1:], Y_PRED)
    assert [ax.get_ylabel() for ax in display.axes_] == ["a", "b"]


@pytest.mark.parametrize("as_array", [False, True])
def test_estimator_forecasts_beyond_the_last_row(model, as_array):
    X, y = KNOWN.to_frame(), KNOWN
    expected = forecast(model, X, steps=STEPS)
    if as_array:
        y = y.to_numpy()
    display = ForecastDisplay.from_estimator(model, X, y, steps=STEPS)
    np.testing.assert_array_equal(drawn_pred(display)[1:], expected)
    np.testing.assert_array_equal(display.positions[-STEPS:], expected.index)


def test_any_model_that_forecasts_is_drawn_ahead():
    windows = WindowTransformer(6, flatten=True)
    table = windows.fit_transform(KNOWN.to_frame())
    ridge = make_pipeline(windows, Ridge().fit(table[6:], KNOWN[6:]))
    display = ForecastDisplay.from_estimator(ridge, KNOWN.to_frame(), KNOWN, steps=3)
    expected = forecast(ridge, KNOWN.to_frame(), steps=3)
    np.testing.assert_array_equal(drawn_pred(display)[1:], expected)


# Bands


def errors_of(n=99):
    error = np.arange(1.0, n + 1)
    table = pd.DataFrame({"step": np.repeat(np.arange(1, STEPS + 1), n)})
    return table.assign(y_true=np.tile(error, STEPS), y_pred=0.0)


def test_bands_lie_between_their_bounds_and_begin_at_the_last_known_value():
    display = ForecastDisplay.from_predictions(KNOWN, Y_PRED, interval=BOUNDS)
    ((band,),) = display.bands_
    drawn = vertices(band)
    assert drawn[:, 1].min() == BOUNDS["lower"].min()
    assert drawn[:, 1].max() == BOUNDS["upper"].max()
    start = drawn[drawn[:, 0] == drawn[:, 0].min(), 1]
    np.testing.assert_array_equal(start, KNOWN.iloc[-1])
    assert legend_texts(display.ax_) == ["true", "forecast", "interval"]


BOUNDS_IN_FORMS = {
    "table": BOUNDS,
    "table of other columns too": BOUNDS.assign(y_pred=Y_PRED),
    "array": BOUNDS.to_numpy(),
    "list": BOUNDS.to_numpy().tolist(),
    "array of quantiles": np.column_stack([BOUNDS["lower"], Y_PRED, BOUNDS["upper"]]),
    "table of quantiles": pd.DataFrame(
        {0.9: BOUNDS["upper"], 0.1: BOUNDS["lower"], 0.5: Y_PRED}
    ),
}


@pytest.mark.parametrize("form", BOUNDS_IN_FORMS)
def test_bounds_come_in_many_forms(form):
    display = ForecastDisplay.from_predictions(
        KNOWN, Y_PRED, interval=BOUNDS_IN_FORMS[form]
    )
    (name,) = display.intervals
    assert name == ("80 % interval" if form == "table of quantiles" else "interval")
    np.testing.assert_array_equal(display.intervals[name][-STEPS:], BOUNDS)
    assert np.isnan(display.intervals[name][:-STEPS]).all()


def test_several_coverages_are_told_apart_the_widest_below():
    bounds = conformal_interval(Y_PRED, errors_of(), [0.5, 0.9])
    display = ForecastDisplay.from_predictions(KNOWN, Y_PRED, interval=bounds)
    assert list(display.intervals) == ["90 % interval", "50 % interval"]
    np.testing.assert_array_equal(display.intervals["50 % interval"][-STEPS:], bounds[0.5])
    wide, narrow = display.bands_[0]
    assert wide.get_alpha() < narrow.get_alpha()
    assert legend_texts(display.ax_)[2:] == ["90 % interval", "50 % interval"]


def test_bounds_may_come_in_one_table_with_the_forecast():
    bounds = conformal_interval(Y_PRED, errors_of(), [0.5, 0.9])
    table = bounds.copy()
    table["y_pred", ""] = Y_PRED
    display = ForecastDisplay.from_predictions(KNOWN, table["y_pred"], interval=table)
    assert list(display.intervals) == ["90 % interval", "50 % interval"]
    np.testing.assert_array_equal(display.intervals["90 % interval"][-STEPS:], bounds[0.9])


@pytest.mark.parametrize("coverage", [0.5, [0.5, 0.9]])
def test_targets_have_bands_of_their_own(coverage):
    both = pd.DataFrame({"level": Y_PRED, "driver": 10 * Y_PRED})
    errors = pd.concat(
        [
            errors_of().assign(target="level"),
            errors_of().assign(target="driver", y_true=lambda e: 10 * e["y_true"]),
        ]
    )
    history = pd.DataFrame({"level": KNOWN, "driver": 10 * KNOWN})
    for y_pred in (both, both[["driver", "level"]]):
        bounds = conformal_interval(y_pred, errors, coverage)
        display = ForecastDisplay.from_predictions(history, y_pred, interval=bounds)
        widths = [
            (bounds[..., 1] - bounds[..., 0])[-1] for bounds in display.intervals.values()
        ]
        for level, driver in widths:
            assert driver == pytest.approx(10 * level)
        assert len(display.bands_) == 2


@pytest.mark.parametrize("coverage", [0.8, [0.5, 0.8]])
def test_forecast_with_its_bounds_is_drawn_as_it_is(model, coverage):
    X = LEVEL.to_frame()
    cv = [(np.arange(60), np.arange(60, N))]
    errors = backtest(model, X[:N], KNOWN, cv=cv, steps=3, every=1)
    table = forecast(model, X[:N], steps=3, errors=errors, coverage=coverage)
    display = ForecastDisplay.from_predictions(LEVEL, table)
    y_pred = forecast(model, X[:N], steps=3)
    np.testing.assert_array_equal(drawn_pred(display)[1:4], y_pred)
    bounds = conformal_interval(y_pred, errors, coverage)
    widest = bounds[0.8] if isinstance(coverage, list) else bounds
    drawn = next(iter(display.intervals.values()))
    np.testing.assert_array_equal(drawn[np.isfinite(drawn).all(axis=1)], widest)
    both = pd.DataFrame({"a": KNOWN, "b": 2 * KNOWN})
    pair = make_pipeline(WindowTransformer(6), LSTMRegressor(3, epochs=1, random_state=0))
    pair.fit(both, both)
    targets = {"target": ["a", "b"]}
    errors = backtest(pair, both, both, cv=cv, steps=3, every=1, **targets)
    table = forecast(pair, both, steps=3, errors=errors, coverage=coverage, **targets)
    display = ForecastDisplay.from_predictions(both, table)
    expected = forecast(pair, both, steps=3, **targets)
    np.testing.assert_array_equal(drawn_pred(display, 1)[1:], expected["b"])
    assert len(display.bands_[1]) == np.size(coverage)


def test_bands_of_aligned_rows_have_no_joint():
    display = ForecastDisplay.from_predictions(LATER, Y_PRED, interval=BOUNDS)
    assert display.n_history == 0
    np.testing.assert_array_equal(display.intervals["interval"], BOUNDS)
    np.testing.assert_array_equal(drawn_pred(display), Y_PRED)


# Baselines


@pytest.mark.parametrize(("baseline", "season"), [("last", 1), (1, 1), (5, 5), (30, 30)])
def test_baseline_repeats_the_last_values_from_the_history_on(baseline, season):
    display = ForecastDisplay.from_predictions(LEVEL, Y_PRED, baseline=baseline)
    expected = np.resize(KNOWN.to_numpy()[-season:], STEPS)
    line = display.baseline_lines_[0].get_ydata()
    np.testing.assert_array_equal(line[1:], expected)
    assert line[0] == KNOWN.iloc[-1]
    name = "last value" if season == 1 else f"last {season} values"
    error = np.abs(LATER - expected).mean()
    assert legend_texts(display.ax_) == [
        "true",
        f"{name} repeated (MAE {error:.3g})",
        "forecast (MAE 0.25)",
    ]


def test_errors_that_are_not_known_yet_are_not_told():
    display = ForecastDisplay.from_predictions(KNOWN, Y_PRED, baseline="last")
    assert legend_texts(display.ax_) == ["true", "last value repeated", "forecast"]


@pytest.mark.parametrize("horizon", [1, 3])
def test_baseline_of_one_step_predictions_is_the_value_a_horizon_before(horizon):
    windows = WindowTransformer(6, horizon=horizon)
    model = make_pipeline(windows, LSTMRegressor(2, epochs=1, random_state=0))
    X = KNOWN.to_frame()
    model.fit(X, KNOWN)
    display = ForecastDisplay.from_estimator(model, X, KNOWN, baseline="last")
    values = np.asarray(display.baseline_lines_[0].get_ydata())
    np.testing.assert_array_equal(values[horizon:], SERIES[: N - horizon])
    assert np.isnan(values[:horizon]).all()
    season = ForecastDisplay.from_estimator(model, X, KNOWN, baseline=12)
    values = np.asarray(season.baseline_lines_[0].get_ydata())
    np.testing.assert_array_equal(values[12 + horizon :], SERIES[horizon : N - 12])


def test_errors_of_the_legend_are_those_of_a_backtest(model):
    X = LEVEL.to_frame()
    cv = [(np.arange(N), np.arange(N, N + STEPS))]
    errors = backtest(model, X, LEVEL, cv=cv, steps=STEPS, baseline=5, refit=False)
    y_pred = forecast(model, X[:N], steps=STEPS)
    display = ForecastDisplay.from_predictions(LEVEL, y_pred, baseline=5)
    told = [
        f"MAE {(errors['y_true'] - errors[name]).abs().mean():.3g}"
        for name in ("y_last_5", "y_pred")
    ]
    assert [text.partition("(")[2][:-1] for text in legend_texts(display.ax_)[1:]] == told


def test_errors_of_several_outputs_stand_above_each():
    both = pd.DataFrame({"a": LEVEL, "b": 2 * LEVEL})
    y_pred = pd.DataFrame({"a": Y_PRED, "b": 2 * Y_PRED})
    display = ForecastDisplay.from_predictions(both, y_pred, baseline="last")
    titles = [ax.get_title(loc="right") for ax in display.axes_]
    assert titles[0].startswith("MAE 0.25; last value repeated: ")
    assert titles[1].startswith("MAE 0.5; ")
    assert legend_texts(display.ax_) == ["true", "last value repeated", "forecast"]


# Looks


def test_legend_fits_into_the_figure_whatever_is_in_it():
    bounds = conformal_interval(Y_PRED, errors_of(), [0.5, 0.8, 0.9])
    display = ForecastDisplay.from_predictions(LEVEL, Y_PRED, interval=bounds, baseline=12)
    assert is_legible(display)
    with plt.rc_context({"figure.figsize": (3.0, 2.5)}):
        narrow = ForecastDisplay.from_predictions(LEVEL, Y_PRED, baseline=12)
        assert is_legible(narrow)


def test_true_values_stand_out_on_a_dark_ground():
    with plt.style.context("dark_background"):
        warm_up = np.arange(STEPS) < 2
        display = ForecastDisplay.from_predictions(LATER, Y_PRED, warm_up=warm_up)
        ground = display.ax_.get_facecolor()
        assert to_rgb(display.true_lines_[0].get_color()) == (1, 1, 1)
        assert to_rgb(ground) == (0, 0, 0)
        assert display.warm_up_spans_[0][0].get_alpha() < 0.2


def test_long_series_are_drawn_by_thin_lines():
    short, long = (ForecastDisplay.from_predictions(y, y) for y in (SERIES, np.zeros(9999)))
    assert long.pred_lines_[0].get_linewidth() < short.pred_lines_[0].get_linewidth()
    assert long.pred_lines_[0].get_alpha() < 1


def test_styles_of_the_user_come_first():
    display = ForecastDisplay.from_predictions(
        LEVEL,
        Y_PRED,
        interval=BOUNDS,
        baseline="last",
        pred_kwargs={"color": "red"},
        interval_kwargs={"alpha": 0.5, "label": "90 %"},
        baseline_kwargs={"ls": "--", "label": "naive"},
    )
    assert to_rgb(display.bands_[0][0].get_facecolor()[0]) == (1, 0, 0)
    assert display.bands_[0][0].get_alpha() == 0.5
    assert legend_texts(display.ax_) == ["true", "naive", "forecast (MAE 0.25)", "90 %"]


# Errors


WRONG = {
    "nothing to draw beside": (None, Y_PRED, {}, "leaves nothing to draw beside"),
    "arrays of two lengths": (
        KNOWN.to_numpy(),
        Y_PRED.to_numpy(),
        {},
        "pass them as history",
    ),
    "labels of two kinds": (KNOWN.to_numpy(), Y_PRED, {}, "pass them as history"),
    "dates and numbers": (
        pd.Series(SERIES[:N]),
        Y_PRED,
        {},
        "the same kind of index, or pass arrays",
    ),
    "history from later on": (
        None,
        Y_PRED,
        {"history": LEVEL},
        "which is no later",
    ),
    "history of two columns": (
        None,
        Y_PRED.to_numpy(),
        {"history": np.ones((9, 2))},
        "history has 2 columns, but y_pred 1",
    ),
    "truth of another length": (
        LATER[1:].to_numpy(),
        Y_PRED.to_numpy(),
        {"history": SERIES},
        r"y_true should be of shape \(8,\), like y_pred",
    ),
    "other columns": (
        pd.DataFrame({"a": KNOWN, "b": KNOWN}),
        pd.DataFrame({"a": Y_PRED, "c": Y_PRED}),
        {},
        "one column for each output",
    ),
    "labels that repeat": (
        KNOWN.set_axis(DAYS[:N].repeat(2)[:N]),
        Y_PRED,
        {},
        "repeats labels or is not in time order",
    ),
    "index of another length": (
        None,
        Y_PRED.to_numpy(),
        {"history": SERIES[:N], "index": DAYS[:5]},
        "index should have a label for each of 100 rows",
    ),
    "bounds of another forecast": (
        KNOWN,
        Y_PRED,
        {"interval": BOUNDS.set_axis(DAYS[:STEPS])},
        "interval has other labels than y_pred",
    ),
    "too few bounds": (KNOWN, Y_PRED, {"interval": BOUNDS[:3]}, "interval has 3 rows"),
    "one bound": (
        KNOWN,
        Y_PRED,
        {"interval": BOUNDS[["lower"]]},
        "needs the columns 'lower' and 'upper'",
    ),
    "an array of one bound": (
        KNOWN,
        Y_PRED,
        {"interval": np.ones((STEPS, 1))},
        r"interval should be of shape \(n_samples, 2\)",
    ),
    "an unknown baseline": (KNOWN, Y_PRED, {"baseline": "mean"}, "has to be 'last'"),
    "a season of 0": (KNOWN, Y_PRED, {"baseline": 0}, "1 or more"),
    "a season beyond the history": (
        KNOWN[-5:],
        Y_PRED,
        {"baseline": 12},
        "repeats the last 12 values, but only 5 are known",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_an_error_that_says_so(name):
    y_true, y_pred, arguments, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        ForecastDisplay.from_predictions(y_true, y_pred, **arguments)
    assert plt.get_fignums() == []


def test_true_values_of_text_are_an_error_that_names_them():
    with pytest.raises(ValueError, match=r"y_true cannot be read as .* to float: 'high'"):
        ForecastDisplay.from_predictions(["high", "low"], [1.0, 2.0])


def test_arguments_of_a_forecast_without_steps_are_an_error(model):
    with pytest.raises(ValueError, match="pass steps too"):
        ForecastDisplay.from_estimator(model, KNOWN.to_frame(), KNOWN, target="level")


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("steps", [None, 4])
def test_levels_of_a_quantile_model_are_drawn_as_bands(n_outputs, steps):
    y = np.sin(0.3 * np.arange(60))
    X = y[:, np.newaxis] if n_outputs == 1 else np.c_[y, y**2]
    y = y if n_outputs == 1 else X
    levels = (0.05, 0.25, 0.5, 0.8, 0.95)  # the inner pair is not symmetric
    lstm = LSTMRegressor(4, epochs=2, loss="quantile", quantiles=levels, random_state=0)
    model = make_pipeline(WindowTransformer(5), lstm).fit(X, y)
    target = None if steps is None else list(range(n_outputs))
    display = ForecastDisplay.from_estimator(model, X, y, steps=steps, target=target)
    assert [len(bands) for bands in display.bands_] == [2] * n_outputs
    assert list(display.intervals) == ["90 % interval", "0.25 to 0.8 quantile"]
    if steps is None:
        expected = predict_quantiles(model, X)
    else:
        expected = forecast(model, X, steps=steps, target=target, quantiles=True)
    n_rows = len(expected)
    widest = display.intervals["90 % interval"][-n_rows:]
    assert np.array_equal(widest, expected[..., [0, 4]])
    inner = display.intervals["0.25 to 0.8 quantile"][-n_rows:]
    assert np.array_equal(inner, expected[..., [1, 3]])
    assert np.array_equal(display.y_pred[-n_rows:], expected[..., 2])


def test_one_level_alone_has_no_band():
    y = np.sin(0.3 * np.arange(60))
    lstm = LSTMRegressor(4, epochs=2, loss="quantile", quantiles=(0.9,), random_state=0)
    model = make_pipeline(WindowTransformer(5), lstm).fit(y[:, np.newaxis], y)
    display = ForecastDisplay.from_estimator(model, y[:, np.newaxis], y, steps=3)
    assert display.bands_ == [[]]


# Several series.


def two_series(container):
    """A table of two series, its target, and how a transformer tells them apart."""
    days = pd.date_range("2024", periods=30)
    values = np.random.default_rng(0).normal(size=60).cumsum()
    if container == "array":
        return np.column_stack([values, np.repeat([0.0, 1.0], 30)]), values, -1
    index = pd.MultiIndex.from_product([["a", "b"], days], names=["shop", "day"])
    table = pd.DataFrame({"sales": values}, index=index)
    return table, table["sales"], "shop"


@pytest.mark.parametrize("steps", [None, 3])
@pytest.mark.parametrize("loss", ["squared_error", "quantile"])
@pytest.mark.parametrize("container", ["array", "table"])
def test_one_series_of_a_model_of_several_is_drawn_and_several_are_told_of(
    container, loss, steps
):
    X, y, groups = two_series(container)
    regressor = LSTMRegressor(4, loss=loss, epochs=1, random_state=0)
    model = make_pipeline(WindowTransformer(5, groups=groups), regressor).fit(X, y)
    ahead = {} if steps is None else {"steps": steps, "target": 0}
    if steps is None:
        with pytest.warns(
            UserWarning, match="X holds 2 series, whose rows are drawn on one"
        ):
            ForecastDisplay.from_estimator(model, X, y)
    else:
        with pytest.raises(
            ValueError, match="X holds 2 series, each of which has a forecast"
        ):
            ForecastDisplay.from_estimator(model, X, y, **ahead)
    display = ForecastDisplay.from_estimator(model, X[:30], y[:30], **ahead)
    n_rows = 30 if steps is None else 33
    assert len(display.y_pred) == n_rows
    if steps is not None:
        table = forecast(model, X[:30], **ahead)
        np.testing.assert_array_equal(display.y_pred[-3:].ravel(), np.ravel(table))
        assert display.xlabel == ("row" if container == "array" else "day")


@pytest.mark.parametrize("loss", ["squared_error", "quantile"])
@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("has_dates", [True, False])
def test_series_that_a_column_names_is_drawn_without_its_name(has_dates, n_outputs, loss):
    # The column of names in the forecast was read as an output.
    values = np.random.default_rng(0).normal(size=(60, n_outputs)).cumsum(axis=0)
    table = pd.DataFrame(values, columns=["sales", "visits"][:n_outputs])
    table["shop"] = np.repeat(["a", "b"], 30)
    if has_dates:
        table.index = pd.DatetimeIndex([*pd.date_range("2024", periods=30)] * 2, name="day")
    y = table["sales"] if n_outputs == 1 else table[["sales", "visits"]]
    lstm = LSTMRegressor(4, loss=loss, epochs=1, random_state=0)
    model = make_pipeline(WindowTransformer(5, groups="shop"), lstm).fit(table, y)
    ahead = {"steps": 3, "target": ["sales", "visits"][:n_outputs]}
    display = ForecastDisplay.from_estimator(model, table[30:], y[30:], **ahead)
    expected = forecast(model, table[30:], **ahead).drop(columns="shop")
    assert len(display.axes_) == n_outputs
    np.testing.assert_array_equal(display.y_pred[-3:].reshape(3, -1), expected)
    assert len(display.bands_[0]) == (loss == "quantile")
    assert display.xlabel == ("day" if has_dates else "row")


@pytest.mark.parametrize("container", ["array", "table"])
@pytest.mark.parametrize("steps", [None, 4])
def test_levels_of_a_quantile_model_are_computed_once(container, steps, monkeypatch):
    y = np.sin(0.3 * np.arange(60))
    X = np.c_[y, y**2]
    if container == "table":
        X = pd.DataFrame(X, pd.date_range("2024", periods=60), columns=["a", "b"])
    lstm = LSTMRegressor(4, epochs=2, loss="quantile", random_state=0)
    model = make_pipeline(WindowTransformer(5), lstm).fit(X, X)
    target = None if steps is None else [0, 1]
    expected = model.predict(X)
    if steps is not None:
        expected = np.asarray(forecast(model, X, steps=steps, target=target))
    calls = []
    predict = LSTMRegressor._predict_quantiles

    def counted(self, windows):
        calls.append("levels")
        return predict(self, windows)

    monkeypatch.setattr(LSTMRegressor, "_predict_quantiles", counted)
    monkeypatch.setattr(LSTMRegressor, "predict", lambda self, X: calls.append("values"))
    display = ForecastDisplay.from_estimator(model, X, X, steps=steps, target=target)
    assert calls == ["levels"] * (1 if steps is None else steps)
    assert np.array_equal(display.y_pred[-len(expected) :], expected)
