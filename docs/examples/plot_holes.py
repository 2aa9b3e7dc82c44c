"""
A series with holes: cut the windows, or fill them
==================================================

Sensors fail, and weeks go missing. A window that holds a missing week can be cut, so that
it knows only the weeks after the hole, or the hole can be filled from the weeks before it.
Here is what either costs on the weekly carbon dioxide over Mauna Loa.
"""

# %%
# The series and its holes
# ------------------------
# statsmodels ships the weekly values of March 1958 to December 2001, of which 59 are
# missing. To see more of what holes do, let the instrument fail 60 times more, for one to
# eight weeks.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.api import datasets

from sklstm import ForwardFill, LSTMRegressor, WindowTransformer

measured = datasets.co2.load_pandas().data["co2"]
rng = np.random.default_rng(0)
co2 = measured.copy()
for start in rng.integers(0, len(co2), size=60):
    co2.iloc[start : start + rng.integers(1, 9)] = np.nan
print(
    f"{len(co2)} weeks, {measured.isna().sum()} missing, {co2.isna().sum()} after failures"
)

# %%
# The models
# ----------
# Each predicts the value of four weeks later from 26 weeks. The models differ in what they
# do with holes. :class:`~sklstm.ForwardFill` repeats the last known value, also for the
# first weeks of the test, and can add how old it is. A week whose value is not known cannot
# be learned either, so it has weight 0.
SEQ_LENGTH, HORIZON = 26, 4
train, test = slice("1989"), slice("1990", None)
weight = co2.notna().astype(float)


def fit(*, fill="passthrough", missing="error", incomplete="skip"):
    """The predictions of the test weeks, by a model that is trained until 1989."""
    model = make_pipeline(
        fill,
        StandardScaler(),
        WindowTransformer(SEQ_LENGTH, horizon=HORIZON, missing=missing),
        LSTMRegressor(
            24,
            residual=True,
            epochs=10,
            learning_rate=0.002,
            incomplete=incomplete,
            random_state=0,
        ),
    ).set_output(transform="pandas")
    model.fit(X[train], co2[train], lstmregressor__sample_weight=weight[train])
    return pd.Series(model.predict(X[test]), index=X[test].index)


X = co2.to_frame()
predictions = {
    "last value known": co2.ffill().shift(HORIZON)[test],
    "filled": fit(fill=ForwardFill()),
    "filled, with its age": fit(fill=ForwardFill(add_indicator=True)),
    "cut": fit(missing="cut"),
    "cut, all trained on": fit(missing="cut", incomplete="train"),
}

# %%
# Scores
# ------
# The windows that :class:`~sklstm.WindowTransformer` returns with ``missing="cut"`` say how
# many steps each of them knows. After a hole, and with a horizon of four weeks, a window
# may know none.
windows = WindowTransformer(SEQ_LENGTH, horizon=HORIZON, missing="cut").fit_transform(X)
n_known = pd.Series(windows.n_known, index=co2.index)
print(f"{(n_known < SEQ_LENGTH).mean():.0%} of the windows are cut")

is_known, n_known = co2[test].notna(), n_known[test]
kinds = {
    "whole": n_known == SEQ_LENGTH,
    "1 to 25 weeks": n_known.between(1, SEQ_LENGTH - 1),
    "none": n_known == 0,
}
print(f"{'MAE (ppm) of windows':<21}" + "".join(f"{kind:>15}" for kind in kinds))
for name, y_pred in predictions.items():
    maes = [
        mean_absolute_error(co2[test][is_known & kind], y_pred[is_known & kind])
        for kind in kinds.values()
    ]
    print(f"{name:<21}" + "".join(f"{mae:15.2f}" for mae in maes))

# %%
# Filling is best here, above all with the age of each value as an input, from which the
# network learns how far the series has moved on since. Where a window knows some weeks,
# cutting costs little, although training has seen less than half of the windows: from the
# weeks after the hole alone, the model predicts about as well as from weeks that were
# filled in. Where a window knows no week at all, a model of cut windows can only predict
# the mean of its training rows, which this series has long left. So fill if predictions are
# needed right after a hole, or if holes are so frequent that few windows are left to train
# on. Cut if holes are long, if a value that stays the same would mean something else (a
# machine that stands still), or to leave out what is not known.

# %%
# A year with a hole
# ------------------
shown = slice("1994-09", "1996-06")
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.plot(measured[shown], color="lightgrey", lw=4, label="never seen")
axes.plot(co2[shown], color="black", lw=2, label="measured")
cut = predictions["cut"].where(n_known > 0)
axes.plot(predictions["filled"][shown], color="C0", lw=1, label="filled")
axes.plot(cut[shown], color="C1", lw=1, label="cut, where a week is known")
axes.set(title="Four weeks ahead, across holes", ylabel="CO2 (ppm)", xlabel="month")
axes.set_ylim(top=369)  # room for the legend
axes.legend(loc="upper left", ncols=2)
figure.savefig("plot_holes.png", dpi=120)
print("figure: plot_holes.png")

# %%
# What this does not show
# -----------------------
# - Holes that say something. These come at random. If a sensor fails when it is hot, that a
#   value is missing says something, which ``ForwardFill(add_indicator=True)`` passes on.
# - Filling by interpolation. It reads the week after the hole, so a test would look better
#   than any forecast made at the time.
