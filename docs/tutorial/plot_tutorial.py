"""
A first LSTM: a noisy sine
==========================

You have a series of numbers, one a step, and want to predict the next one from those
before it. This page does that from the first line to a saved model: 100 points of a sine
with noise, an LSTM of 50 units that reads 10 steps at a time, trained on the first 80
points and tested on the last 20.
"""

# %%
# The series
# ----------
# One number a step: a slow wave, and noise whose standard deviation is 0.1.
import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import sklearn
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error
from sklearn.pipeline import make_pipeline

from sklstm import ForecastDisplay, HistoryDisplay, LSTMRegressor, WindowTransformer

rng = np.random.default_rng(0)
t = np.arange(100)
y = np.sin(0.1 * t) + rng.normal(scale=0.1, size=100)
y[:5].round(2)

# %%
# scikit-learn learns from a pair: a table ``X``, what is known, and the target ``y``, what
# is to be predicted, one row for each step. Here the series predicts itself, so that
# ``X`` holds the same numbers, as a table of one column.
X = y[:, np.newaxis]
print(X.shape, y.shape)

# %%
# The rows stand in time order, and they stay in it: the first 80 to train, the others to
# test. A random split would let the model learn from steps that come after those it is
# tested on.
X_train, X_test = X[:80], X[80:]
y_train, y_test = y[:80], y[80:]

# %%
# Windows
# -------
# To predict a step, the network reads the 10 steps before it: its *window*.
# :class:`~sklstm.WindowTransformer` gives each row its window. With windows of 3 steps,
# here are those of the first 6 rows, beside the values that they are to predict:
windows = WindowTransformer(seq_length=3).fit_transform(X_train)
print("shape:", windows.shape)
for window, target in zip(windows[:6, :, 0].round(2), y_train.round(2), strict=False):
    print(window, "->", target)

# %%
# The shape is (rows, steps of a window, columns of ``X``). 80 rows went in and 80 windows
# came out, so that window and target still stand side by side. ``nan`` is a step that is
# not known: nothing comes before the first row. Training leaves such rows out.

# %%
# The model
# ---------
# An LSTM is a network that reads a window step by step. It carries a memory along, here of
# 50 numbers (``units``), and learns from the data what to put into it, what to keep and
# what to forget. A dense layer makes a prediction of what the memory holds at the window's
# end. :doc:`/explanation/how-it-works` tells it in formulas.
#
# :class:`~sklstm.LSTMRegressor` is that network as a *regressor*, scikit-learn's word for
# what predicts numbers. A *Pipeline* puts the two steps one behind the other, and is
# then used as one model.
#
# ``epochs`` is how often training passes over the windows, ``batch_size`` how many windows
# it looks at before it corrects the weights. These values are the defaults, written out.
# Weights start at random; ``random_state`` makes them the same in every run.
lstm = LSTMRegressor(units=50, epochs=50, batch_size=16, verbose=1, random_state=0)
lstm.summary(input_shape=(10, 1))

# %%
# ``None`` stands for the number of windows. 10,651 weights, to be learned from the 70
# windows that are complete: whether they learn the wave or the noise, the test rows will
# show.

# %%
# Training
# --------
# ``fit`` trains. ``verbose=1`` prints the loss of each epoch: how far off the network
# is, as the mean squared error. The targets are scaled to variance 1 for training, so that
# a loss of 1 is that of a network which always predicts the mean.
#
# ``X_val`` and ``y_val`` are validation data: their loss is printed beside the training
# loss and has no part in it. Where the one falls and the other rises, the network
# learns its rows by heart. scikit-learn asks to be told that the LSTM wants both
# (``set_fit_request``), and that ``X_val`` must become windows first, as ``X`` does
# (``transform_input``).
sklearn.set_config(enable_metadata_routing=True)
model = make_pipeline(
    WindowTransformer(seq_length=10),
    lstm.set_fit_request(X_val=True, y_val=True),
    transform_input=["X_val"],
)
model.fit(X_train, y_train, X_val=X_test, y_val=y_test)

# %%
# The test rows serve as validation data here, which is fair only because nothing is chosen
# by their loss. Where it chooses the epoch to stop at, hold out other rows:
# :doc:`/how-to/validate-and-stop-early`.
#
# The same numbers are kept in ``history_``, and :class:`~sklstm.HistoryDisplay` draws them.
# The validation loss rises for a few epochs, and both end low and close together:
print(pd.DataFrame(model[-1].history_).round(4).tail(3).to_string(index=False))
_ = HistoryDisplay.from_estimator(model)

# %%
# Evaluation
# ----------
# The model has not learned from the last 20 steps. It predicts each of them from the 10
# true steps before it. For the first ones these lie in the training rows: ``fit`` remembers
# them, so that all 20 are predicted.
y_pred = model.predict(X_test)
print("predictions:", y_pred.shape)
print(f"test MSE {mean_squared_error(y_test, y_pred):.4f}")
print(f"test MAE {mean_absolute_error(y_test, y_pred):.4f}")
print(f"test R2  {model.score(X_test, y_test):.3f}")

# %%
# Is that good? Three yardsticks. Repeating the last value costs nothing, and any model
# should beat it. The noise, of variance 0.01, can not be predicted by any. In between
# stands Ridge, a linear model, on the same windows as rows of a table. It takes no NaN, so
# that it starts where the first window is complete.
repeated = y[79:-1]
flat = WindowTransformer(seq_length=10, flatten=True)
ridge = Ridge().fit(flat.fit_transform(X_train)[10:], y_train[10:])
yardsticks = {
    "repeating the last value": repeated,
    "Ridge": ridge.predict(flat.transform(X_test)),
    "the noise alone": np.sin(0.1 * t[80:]),
}
for name, prediction in yardsticks.items():
    print(f"{name:<26}MSE {mean_squared_error(y_test, prediction):.4f}")

# %%
# The LSTM is well ahead of repeating the last value, and not ahead of Ridge. That is no
# accident: a wave plus noise is a series for which a linear model has all it needs.

# %%
# True against predicted
# ----------------------
# :class:`~sklstm.ForecastDisplay` draws both, here over the whole series. Shaded are the
# rows without a complete window; right of the dotted line is the test.
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
ForecastDisplay.from_estimator(model, X, y, ax=ax)
ax.axvline(79.5, color="black", ls=":")
ax.set(title="A sine with noise, one step ahead", xlabel="step")
figure.savefig("plot_tutorial.png", dpi=120)
print("figure: plot_tutorial.png")

# %%
# The next step
# -------------
# What comes after the last known step? Train on all 100, and ask for one row more. Its
# window is the last 10 steps, and its own value is not read, so that any number can stand
# in its place. :doc:`/how-to/forecast-ahead` goes further.
model.set_params(lstmregressor__verbose=0)
model.fit(X, y)
print(f"step 100: predicted {model.predict([[0.0]])[0]:.2f}")
print(f"the wave itself:    {np.sin(0.1 * 100):.2f}")

# %%
# Save and load
# -------------
# A fitted model is an ordinary Python object. joblib writes it into a file. Load only files
# that you trust: they can run code.
joblib.dump(model, "plot_tutorial.joblib")
loaded = joblib.load("plot_tutorial.joblib")
print("predicts the same:", np.array_equal(loaded.predict(X_test), model.predict(X_test)))

# %%
# What this does not show
# -----------------------
# - Where an LSTM is worth its while. The :doc:`examples </generated/examples/index>` have
#   series where it is ahead of a linear model, and some where it is not.
# - How to choose ``seq_length`` and ``units``. A search does it:
#   :ref:`sphx_glr_generated_examples_plot_sunspots.py`.
# - Series with several columns, with missing steps, with a trend. The first is in the
#   examples, the last in :doc:`/how-to/drifting-series`; missing steps must be filled
#   before.
