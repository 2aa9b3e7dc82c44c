"""
A first LSTM: a noisy sine
==========================

100 points of a sine with noise. The first 80 train an LSTM of 50 units on windows of 10
steps, for 50 epochs in batches of 16; the last 20 test it.
"""

# %%
# The series
# ----------
import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import mean_absolute_error, mean_squared_error
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, WindowTransformer

rng = np.random.default_rng(0)
t = np.arange(100)
y = np.sin(0.1 * t) + rng.normal(scale=0.1, size=100)
X = y[:, np.newaxis]  # one series that predicts itself: (n_steps, n_features)
X_train, X_test, y_train, y_test = X[:80], X[80:], y[:80], y[80:]

# %%
# The model
# ---------
# These values are the defaults, written out. The windows of the first 10 training steps
# are not complete, and the network is trained on the other 70.
model = make_pipeline(
    WindowTransformer(seq_length=10),
    LSTMRegressor(units=50, epochs=50, batch_size=16, random_state=0),
)
model.fit(X_train, y_train)

# %%
# The loss of each epoch is the mean squared error on targets scaled to variance 1.
history = pd.DataFrame(model[-1].history_)
print(history[["epoch", "train_loss"]].to_string(index=False))

# %%
# Evaluation
# ----------
# All 20 test steps are predicted: the first ones from windows that reach back into the
# training steps. The noise alone, of variance 0.01, is an error that no model avoids.
y_pred = model.predict(X_test)
print(f"test MSE {mean_squared_error(y_test, y_pred):.4f}")
print(f"test MAE {mean_absolute_error(y_test, y_pred):.4f}")

# %%
figure, (left, right) = plt.subplots(
    1, 2, figsize=(11, 4), width_ratios=[2, 3], layout="constrained"
)
left.plot(history["epoch"], history["train_loss"])
left.set(title="Training", xlabel="epoch", ylabel="mean squared error (scaled y)")
left.set_ylim(0, None)
right.plot(t, y, color="black", marker="o", markersize=3, lw=1, label="true")
right.plot(t[80:], y_pred, color="C1", lw=2, label="predicted, one step ahead")
right.axvline(79.5, color="grey", ls=":")
right.set(title="Series (test: right of the dotted line)", xlabel="step t", ylabel="y")
right.set_ylim(-1.3, 1.9)
right.legend(loc="upper left")
figure.savefig("plot_tutorial.png", dpi=120)
print("figure: plot_tutorial.png")

# %%
# Save and load
# -------------
joblib.dump(model, "plot_tutorial.joblib")
loaded = joblib.load("plot_tutorial.joblib")
print("loaded, predicts the same:", np.array_equal(loaded.predict(X_test), y_pred))
