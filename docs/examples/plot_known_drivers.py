"""
Known drivers: what a catchment does with rain
==============================================

From the rain and temperature of each day, predict how much water leaves a catchment on that
day. The same rain causes a flood on wet soil and nothing on dry soil, so the prediction
depends on weeks of earlier rain. With ``horizon=0``, each day's own inputs are part of its
window.
"""

# %%
# The series
# ----------
# The data is simulated, so the truth is known. Soil is a store of water: rain fills it,
# warmth dries it, a little seeps out, and what does not fit overflows. The models see only
# rain and temperature, not the store. The flow is measured with an error of 5 per cent.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import ForecastDisplay, LSTMRegressor, WindowTransformer

rng = np.random.default_rng(0)
days = pd.date_range("2010", "2015-12-31")
summer = np.sin(2 * np.pi * (days.day_of_year.to_numpy() - 100) / 365)
weather = np.convolve(rng.normal(scale=3, size=len(days) + 4), np.ones(5) / 5**0.5, "valid")
X = pd.DataFrame(
    {
        "rain": np.where(rng.random(len(days)) < 0.35, rng.exponential(8, len(days)), 0),
        "temperature": 10 + 10 * summer + weather,
    },
    index=days,
)


def flow_of(drivers, *, capacity=100.0):
    """Flow out of a store that holds `capacity` millimetres, in millimetres a day."""
    store, flow = capacity / 2, []
    for rain, temperature in drivers.to_numpy():
        drying = 0.25 * max(temperature, 0) * min(store / capacity, 1)
        store += rain - min(drying, store)
        leaving = 0.5 * max(store - capacity, 0) + 0.02 * store
        store -= leaving
        flow.append(leaving)
    return pd.Series(flow, index=drivers.index, name="flow")


true_flow = flow_of(X)
y = true_flow * np.exp(rng.normal(scale=0.05, size=len(days)))

X_train, X_test = X[:"2013"], X["2014":]
y_train, y_test = y[:"2013"], y["2014":]

# %%
# Three models on the same windows
# --------------------------------
# Each window holds 90 days and ends with the day to predict. Ridge and gradient boosting
# read it as a row of a table, the LSTM as it is. Ridge does not accept NaN, so the unknown
# days before the start of the series are filled with means.
SEQ_LENGTH = 90


def windows(*, flatten=False):
    """Today and the 89 days before it."""
    return WindowTransformer(SEQ_LENGTH, horizon=0, flatten=flatten)


lstm = LSTMRegressor(32, epochs=30, learning_rate=0.005, random_state=0)
models = {
    "Ridge": make_pipeline(
        StandardScaler(), windows(flatten=True), SimpleImputer(), Ridge()
    ),
    "gradient boosting": make_pipeline(
        windows(flatten=True), HistGradientBoostingRegressor(random_state=0)
    ),
    "LSTM": make_pipeline(StandardScaler(), windows(), lstm),
}
predictions = pd.DataFrame(
    {
        name: model.set_output(transform="pandas").fit(X_train, y_train).predict(X_test)
        for name, model in models.items()
    },
    index=y_test.index,
)

# %%
# Scores
# ------
# The last line compares the true flow with the measured one: no model can be better.
print(f"{'test':<19}{'R2':>6}{'MAE':>7}")
for name, y_pred in predictions.assign(truth=true_flow["2014":]).items():
    r2, mae = r2_score(y_test, y_pred), mean_absolute_error(y_test, y_pred)
    print(f"{name:<19}{r2:6.2f}{mae:7.2f}")

# %%
# With ``random_state`` 0 to 4, the LSTM's R2 is 0.83 to 0.90.
#
# The other two models see 180 columns and have to learn separately for each day how much
# its rain matters. The LSTM learns one rule, applies it day after day, and carries the
# content of the store along. This is how the series was made.

# %%
# One winter
# ----------
shown = slice("2014-10", "2015-04")
figure, (above, below) = plt.subplots(
    2, 1, figsize=(7, 5), sharex=True, height_ratios=[1, 3], layout="constrained"
)
above.bar(X[shown].index, X[shown]["rain"], color="grey", width=1)
above.set(title="Rain, and the flow it makes", ylabel="rain\n(mm a day)")
ForecastDisplay.from_predictions(
    y_test[shown],
    predictions["LSTM"][shown],
    ax=below,
    true_kwargs={"label": "measured", "linewidth": 2.5},
    pred_kwargs={"label": "LSTM"},
)
below.plot(
    predictions["gradient boosting"][shown],
    color="C0",
    lw=1,
    ls="--",
    label="gradient boosting",
)
below.set(ylabel="flow (mm a day)", xlabel="month", ylim=(0, None))
below.legend(loc="upper right")
figure.savefig("plot_known_drivers.png", dpi=120)
print("figure: plot_known_drivers.png")

# %%
# What this does not show
# -----------------------
# - A forecast. The rain of the day is known here. To predict tomorrow's flow, you need a
#   forecast of tomorrow's rain, whose error adds to that of the model.
# - A real catchment. The simulation suits an LSTM: it has one store with one rule, which
#   does not change in four years of training data.
# - The flow as an input. With ``horizon=0``, the window would contain the value to predict:
#   :doc:`/explanation/windows` explains what leaks.
