"""
Many related series: one model for all, or one for each
=======================================================

Forecast the next seven days of sales in 24 shops. Each shop has a short history of its own,
but all of them follow similar rules. One model that is trained on all shops sees 24 times
as many rows as a model of one shop.
"""

# %%
# The shops
# ---------
# The data is simulated, in logarithms, so that shops of any size share one scale. Each shop
# has its own level, which wanders, and its own version of a week. Now and then it has a
# special offer: sales rise for a day, then fall for as long as customers' cupboards are
# full, the longer the larger the offer was.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, WindowTransformer

STEPS, SEQ_LENGTH = 7, 21
days = pd.date_range("2025-01-01", periods=150 + STEPS)
week = np.array([0.0, -0.2, -0.1, 0.0, 0.3, 0.6, -0.6])


def make_shop(rng):
    """Logarithm of the sales of one shop, and its special offers."""
    level = rng.normal(4, 1) + np.cumsum(rng.normal(scale=0.02, size=len(days)))
    own_week = week + rng.normal(scale=0.05, size=7)
    offers = np.where(rng.random(len(days)) < 0.08, rng.uniform(0.3, 1, len(days)), 0)
    store, effect = 0.0, []
    for offer in offers:
        store = max(store - 0.15, 0) + offer
        effect.append(offer - (0.5 if store > 0.2 and not offer else 0))
    noise = rng.normal(scale=0.08, size=len(days))
    sold = level + own_week[days.day_of_week] + effect + noise
    return pd.DataFrame({"sold": sold, "offer": offers}, index=days)


rng = np.random.default_rng(0)
shops = {f"shop {number}": make_shop(rng) for number in range(24)}
table = pd.concat(shops, names=["shop", "day"]).reset_index("shop")
known = table[table.index < days[150]]
print(f"{len(shops)} shops, {len(known) // len(shops)} days each")

# %%
# Targets seven days ahead
# ------------------------
# Row ``t`` has the sales of day ``t`` and of the six days after it as targets, and its
# window ends the day before. The last 30 days are left for the test: training uses the rows
# whose targets all lie before it.
targets = pd.concat(
    [known.groupby("shop")["sold"].shift(-step) for step in range(STEPS)], axis=1
).to_numpy()
test_start = days[120]
is_fitted = ~np.isnan(targets).any(axis=1)
is_train = known.index < test_start - pd.Timedelta(days=STEPS - 1)
is_test = (known.index >= test_start) & is_fitted


def make_ridge():
    """Ridge on the windows as rows of a table, unknown days filled with means."""
    windows = WindowTransformer(SEQ_LENGTH, groups="shop", flatten=True)
    return make_pipeline(windows, SimpleImputer(), Ridge())


def make_lstm(epochs):
    """An LSTM beside a linear forecast, each relative to the last day."""
    lstm = LSTMRegressor(
        24, residual=True, epochs=epochs, learning_rate=0.005, random_state=0
    )
    return make_pipeline(WindowTransformer(SEQ_LENGTH, groups="shop"), lstm)


# %%
# One for each, and one for all
# -----------------------------
# The yardstick repeats the last week. All errors are mean absolute errors of logarithms, in
# per cent: roughly, by how much of the sales a forecast is wrong.
def one_for_each(make):
    """Predictions of a model for each shop."""
    predictions = np.empty(targets.shape)
    for name in shops:
        is_own = known["shop"].to_numpy() == name
        rows = is_own & is_train
        model = make().fit(known[rows], targets[rows])
        predictions[is_own] = model.predict(known[is_own])
    return predictions


def one_for_all(make):
    """Predictions of one model for all shops."""
    return make().fit(known[is_train], targets[is_train]).predict(known)


by_shop = known.groupby("shop")["sold"]
last_week = pd.concat([by_shop.shift(7 - step) for step in range(STEPS)], axis=1)
predictions = {
    "the last week": last_week.to_numpy(),
    "Ridge, one for each": one_for_each(make_ridge),
    "Ridge, one for all": one_for_all(make_ridge),
    "LSTM, one for each": one_for_each(lambda: make_lstm(40)),
    "LSTM, one for all": one_for_all(lambda: make_lstm(12)),
}
print(f"{'MAE (per cent)':<21}{'day 1':>7}{'day 7':>7}{'all':>7}")
for name, y_pred in predictions.items():
    error = 100 * np.abs(y_pred - targets)[is_test]
    first, last = error[:, 0].mean(), error[:, -1].mean()
    print(f"{name:<21}{first:7.1f}{last:7.1f}{error.mean():7.1f}")

# %%
# On windows of one shop, 21 days give Ridge 42 columns and about 90 rows: it overfits, and
# so does an LSTM. Both gain from the other shops. The LSTM is a little better than Ridge,
# since what an offer takes from the days after it is no sum of the days before.

# %%
# The week to come
# ----------------
# Fit the best model to all rows whose targets are known. The row of the day after the last
# one is the forecast: its window ends the day before, and its own values are not read.
model = make_lstm(12).fit(known[is_fitted], targets[is_fitted])
next_day = known.groupby("shop").tail(1).set_axis([days[150]] * len(shops))
forecasts = model.predict(pd.concat([known, next_day]))[-len(shops) :]
forecasts = pd.DataFrame(forecasts, index=next_day["shop"], columns=days[150:])
print(np.exp(forecasts).iloc[:3].round(0).to_string())

figure, axes = plt.subplots(3, 1, figsize=(7, 6), sharex=True, layout="constrained")
for ax, name in zip(axes, list(shops)[:3], strict=True):
    sold = np.exp(shops[name]["sold"])
    ax.plot(sold[days[115:150]], color="black", label="known")
    ax.plot(sold[days[149:]], color="grey", ls="--", label="what came")
    ax.plot(np.exp(forecasts.loc[name]), color="C1", marker=".", label="forecast")
    ax.set(title=name, ylabel="sales", ylim=(0, None))
axes[0].set_ylim(0, 240)
axes[0].legend(loc="upper left", ncols=3)
axes[-1].set_xlabel("day")
figure.savefig("plot_many_series.png", dpi=120)
print("figure: plot_many_series.png")

# %%
# What this does not show
# -----------------------
# - Offers that are planned. Those of the next week are known in a shop; here, they come as
#   a surprise, and are most of the error that is left.
# - Shops that differ in kind. If the rules differ from shop to shop, add columns that
#   describe it (:doc:`/how-to/many-series`), or train a model for each kind.
