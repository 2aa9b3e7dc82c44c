"""
A first LSTM: a noisy sine
==========================

You have a series of numbers, one for each time step, and want to predict the next one from
those before it. This page shows every step on the way, from the data to a saved model. The
series is 100 points of a noisy sine, and the model is an LSTM with 50 units that reads 10
steps at a time. You train it on the first 80 points and test it on the last 20. The
:doc:`/glossary` explains the words.
"""

# %%
# The series
# ----------
# The series has one number for each step: a slow wave, plus noise with a standard deviation
# of 0.1.
import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import sklearn
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error
from sklearn.pipeline import make_pipeline

from sklstm import (
    ForecastDisplay,
    HistoryDisplay,
    LSTMRegressor,
    WindowTransformer,
    forecast,
)

rng = np.random.default_rng(0)
t = np.arange(100)
y = np.sin(0.1 * t) + rng.normal(scale=0.1, size=100)
y[:5].round(2)

# %%
# scikit-learn learns from a table ``X`` of known inputs and a target ``y`` to predict, with
# one row for each step. Here the series predicts itself, so ``X`` holds the same numbers,
# as a table of one column.
X = y[:, np.newaxis]
print(X.shape, y.shape)

# %%
# The rows stay in time order: the first 80 are for training, the others for testing. A
# random split would let the model learn from steps that come after those it is tested on.
X_train, X_test = X[:80], X[80:]
y_train, y_test = y[:80], y[80:]

# %%
# Windows
# -------
# To predict a step, the network reads the 10 steps before it: its *window*.
# :class:`~sklstm.WindowTransformer` returns the window of each row. To keep the printout
# short, the windows here have 3 steps. These are the first 6, with the values to predict:
windows = WindowTransformer(seq_length=3).fit_transform(X_train)
print("shape:", windows.shape)
for window, target in zip(windows[:6, :, 0].round(2), y_train.round(2), strict=False):
    print(window, "->", target)

# %%
# The shape is (rows, steps of a window, columns of ``X``). The transformer returns one
# window per row, so the targets still match. ``nan`` is a step that is not known: nothing
# comes before the first row. Training leaves out rows with such a window.

# %%
# The model
# ---------
# An LSTM is a network that reads a window step by step. It carries a memory along, here of
# 50 numbers (``units``), and learns from the data what to store, what to keep and what to
# forget. A dense layer computes the prediction from the memory at the end of the window.
# :doc:`/explanation/how-it-works` has the formulas.
#
# :class:`~sklstm.LSTMRegressor` is that network as a *regressor*, scikit-learn's word for a
# model that predicts numbers. A *Pipeline* chains the two steps, and is then used as one
# model.
#
# ``epochs`` is how often training passes over the windows, and ``batch_size`` how many
# windows it reads before each correction of the weights. The values below are the defaults.
# The weights start at random; ``random_state`` makes every run start the same.
lstm = LSTMRegressor(units=50, epochs=50, batch_size=16, verbose=1, random_state=0)
lstm.summary(input_shape=(10, 1))

# %%
# ``None`` stands for the number of windows. The network has 10,651 weights, and only 70
# complete windows to learn them from. The test rows will show whether it learned the wave
# or the noise.

# %%
# Training
# --------
# ``fit`` trains the network. ``verbose=1`` prints the loss of each epoch, here the mean
# squared error. The targets are scaled to variance 1 for training, so a network that always
# predicts the mean has a loss of 1.
#
# ``X_val`` and ``y_val`` are validation data: their loss is printed beside the training
# loss, and training does not use it. If the training loss falls while the validation loss
# rises, the network is overfitting. A Pipeline needs two settings to pass the validation
# data on: ``set_fit_request`` says that the LSTM takes both, and ``transform_input`` that
# ``X_val`` is turned into windows first, like ``X``.
sklearn.set_config(enable_metadata_routing=True)
model = make_pipeline(
    WindowTransformer(seq_length=10),
    lstm.set_fit_request(X_val=True, y_val=True),
    transform_input=["X_val"],
)
model.fit(X_train, y_train, X_val=X_test, y_val=y_test)

# %%
# The test rows serve as validation data here. That is fair only because their loss decides
# nothing. If it chose the epoch to stop at, you would need other rows for validation:
# :doc:`/how-to/validate-and-stop-early`.
#
# ``history_`` keeps the same numbers, and :class:`~sklstm.HistoryDisplay` draws them. The
# validation loss rises for a few epochs, then both losses end low and close together:
print(pd.DataFrame(model[-1].history_).round(4).tail(3).to_string(index=False))
_ = HistoryDisplay.from_estimator(model)

# %%
# Evaluation
# ----------
# The model has not learned from the last 20 steps. It predicts each of them from the 10
# true steps before it. For the first test rows, some of these are training rows. ``fit``
# remembers them, so all 20 test rows get a prediction.
y_pred = model.predict(X_test)
print("predictions:", y_pred.shape)
print(f"test MSE {mean_squared_error(y_test, y_pred):.4f}")
print(f"test MAE {mean_absolute_error(y_test, y_pred):.4f}")
print(f"test R2  {model.score(X_test, y_test):.3f}")

# %%
# Is that good? Compare it with two baselines and with the best possible result. Repeating
# the last value costs nothing, and any model should beat it. Ridge is a linear model; it
# reads the same windows as rows of a table. It does not accept NaN, so its training rows
# start at the first complete window. The noise, with a variance of 0.01, cannot be
# predicted by any model.
repeated = y[79:-1]
flat = WindowTransformer(seq_length=10, flatten=True)
ridge = Ridge().fit(flat.fit_transform(X_train)[10:], y_train[10:])
baselines = {
    "repeating the last value": repeated,
    "Ridge": ridge.predict(flat.transform(X_test)),
    "the noise alone": np.sin(0.1 * t[80:]),
}
for name, prediction in baselines.items():
    print(f"{name:<26}MSE {mean_squared_error(y_test, prediction):.4f}")

# %%
# The LSTM is well ahead of repeating the last value, but not ahead of Ridge. That is no
# accident: a linear model is all you need to predict a wave plus noise.

# %%
# True against predicted
# ----------------------
# :class:`~sklstm.ForecastDisplay` draws both, here for the whole series. The rows without a
# complete window are shaded, and the test rows are to the right of the dotted line.
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
ForecastDisplay.from_estimator(model, X, y, ax=ax)
ax.axvline(79.5, color="black", ls=":")
ax.set(title="A sine with noise, one step ahead", xlabel="step")
figure.savefig("plot_tutorial.png", dpi=120)
print("figure: plot_tutorial.png")

# %%
# Save and load
# -------------
# A fitted model is an ordinary Python object, and joblib writes it to a file. Load only
# files that you trust: loading one can run code.
joblib.dump(model, "plot_tutorial.joblib")
loaded = joblib.load("plot_tutorial.joblib")
print("predicts the same:", np.array_equal(loaded.predict(X_test), model.predict(X_test)))

# %%
# Beyond the data
# ---------------
# What comes after the last known step? Train on all 100 steps, and let
# :func:`~sklstm.forecast` predict the next 30. It predicts step 100 from the last 10 steps,
# takes the prediction for the true value, predicts step 101 from it, and so on, so that
# errors add up. :class:`~sklstm.ForecastDisplay` joins the forecast to the series. The wave
# itself, which the model does not know, is dotted.
model.set_params(lstmregressor__verbose=0)
model.fit(X, y)
y_pred = forecast(model, X, steps=30)
figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
ForecastDisplay.from_predictions(None, y_pred, history=y, ax=ax)
ax.plot(np.arange(100, 130), np.sin(0.1 * np.arange(100, 130)), color="gray", ls=":")
ax.set(title="30 steps ahead", xlabel="step")
print(f"step 100: predicted {y_pred[0]:.2f}, the wave itself {np.sin(0.1 * 100):.2f}")

# %%
# How far can you trust it? The errors of forecasts in the past answer that:
# :doc:`/how-to/backtest` and :doc:`/how-to/prediction-intervals`. Dates, and inputs that
# are known ahead, are in :doc:`/how-to/forecast-ahead`.

# %%
# What this does not show
# -----------------------
# - When an LSTM is worth the effort. The :doc:`examples </generated/examples/index>` have
#   series where it is ahead of a linear model, and some where it is not.
# - How to choose ``seq_length`` and ``units``. A search does that:
#   :ref:`sphx_glr_generated_examples_plot_sunspots.py`.
# - Series with several columns, which are in the examples, and series with a trend:
#   :doc:`/how-to/drifting-series`.
# - Your own data: :doc:`/how-to/start-from-a-csv-file` and
#   :doc:`/how-to/missing-values`.
