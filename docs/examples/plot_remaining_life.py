"""
Remaining life of many machines
===============================

Machines wear and fail. From the sensors of machines that ran until they failed, learn to
predict how many cycles another one has left. Each machine is a series of its own, so
windows must not cross from one into the next, and a machine that is new has a short past.
"""

# %%
# The machines
# ------------
# The data is simulated. Each machine starts with some wear, which grows with the load on
# it. It fails when its wear reaches 1, after 80 to 250 cycles. Four sensors drift with wear
# or load, below noise.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer

SENSORS = ["load", "temperature", "pressure", "speed"]


def make_machines(numbers, *, seed):
    """Rows of machines, one a cycle, from the first cycle to the last before failure."""
    rng = np.random.default_rng(seed)
    machines = []
    for number in numbers:
        n_cycles, start = rng.integers(80, 251), rng.uniform(0, 0.3)
        rate = (1 - start) / n_cycles
        load = 150 * rate * np.exp(0.3 * rng.normal(size=n_cycles))
        wear = start + (1 - start) * load.cumsum() / load.sum()
        noise = rng.normal(size=(3, n_cycles))
        sensors = {
            "load": load,
            "temperature": 500 + 30 * wear + 10 * load + 4 * noise[0],
            "pressure": 550 - 3 * wear**2 + 0.4 * noise[1],
            "speed": 2388 + 5 * wear + 0.8 * noise[2],
        }
        cycles = np.arange(n_cycles)
        about = {"machine": number, "cycle": cycles, "remaining": n_cycles - 1 - cycles}
        machines.append(pd.DataFrame(about | sensors))
    return pd.concat(machines, ignore_index=True)


table = make_machines(range(60), seed=0)
X, y = table.set_index("cycle")[["machine", *SENSORS]], table["remaining"].to_numpy()
print(f"{len(X)} rows of {X['machine'].nunique()} machines")

# %%
# Four models
# -----------
# Each window holds the last 30 cycles of one machine, the present one included
# (``horizon=0``). ``groups`` names the column that tells the machines apart. Ridge and
# gradient boosting read windows as rows of a table. The two LSTMs differ in what they do
# with the first 29 cycles of each machine, whose windows are incomplete: one leaves them
# out of training, the other is trained on them too.
SEQ_LENGTH = 30


def make_model(*after_windows, flatten=False):
    """Sensors to one scale, cut into windows within each machine, and a regressor."""
    scaler = ColumnTransformer(
        [("scale", StandardScaler(), SENSORS)],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    windows = WindowTransformer(SEQ_LENGTH, horizon=0, groups="machine", flatten=flatten)
    return make_pipeline(scaler, windows, *after_windows)


def make_lstm(incomplete, *, seed=0):
    """An LSTM, with or without the windows of the first cycles."""
    return make_model(
        LSTMRegressor(
            32,
            epochs=6,
            batch_size=64,
            learning_rate=0.005,
            incomplete=incomplete,
            random_state=seed,
        )
    )


models = {
    "Ridge": make_model(SimpleImputer(), Ridge(), flatten=True),
    "gradient boosting": make_model(
        HistGradientBoostingRegressor(random_state=0), flatten=True
    ),
    'LSTM, "skip"': make_lstm("skip"),
    'LSTM, "train"': make_lstm("train"),
}

# %%
# Machines that training has not seen
# -----------------------------------
# ``GroupKFold`` leaves out a third of the machines at a time, so that every machine is
# predicted by a model that was trained on others.
predictions = {
    name: cross_val_predict(model, X, y, groups=X["machine"], cv=GroupKFold(3))
    for name, model in models.items()
}


def rmse(errors):
    """Root mean squared error, in cycles."""
    return np.sqrt(np.mean(np.square(errors)))


is_early = X.index < SEQ_LENGTH - 1
print(f"{'RMSE in cycles':<19}{'first 29':>10}{'later':>8}")
for name, y_pred in predictions.items():
    early, later = rmse((y_pred - y)[is_early]), rmse((y_pred - y)[~is_early])
    print(f"{name:<19}{early:10.1f}{later:8.1f}")

# %%
# Trained on long windows alone, an LSTM is far off on short ones, although it predicts long
# ones better than the tables do: it has never seen a state that so few cycles leave.
# Trained on both, it is about as good on the first cycles as gradient boosting, whose trees
# learn from rows with missing columns too, and no worse on the later ones. Over several
# seeds, ``docs/examples/measure_incomplete.py`` finds the same.

# %%
# Machines at work
# ----------------
# Twenty other machines are still running. How long will each of them last? Fit the best
# model to all machines that failed, and take the prediction for the last row of each one.
rng = np.random.default_rng(2)
fleet = make_machines(range(100, 120), seed=1)
shares_of_life = fleet["machine"].map(dict(enumerate(rng.uniform(0.05, 0.95, 20), 100)))
n_cycles = fleet["cycle"] + fleet["remaining"] + 1
fleet = fleet[fleet["cycle"] < shares_of_life * n_cycles].set_index("cycle")

best = models['LSTM, "train"'].fit(X, y)
fleet["predicted"] = best.predict(fleet[["machine", *SENSORS]])
today = fleet.reset_index().groupby("machine").last()
print(today[["cycle", "remaining", "predicted"]].head().round(1))
error = rmse(today["predicted"] - today["remaining"])
print(f"20 machines at work: RMSE {error:.1f} cycles")

# %%
# By age, and machine by machine
# ------------------------------
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
ages = np.arange(80)
for name, color in {'LSTM, "skip"': "C0", 'LSTM, "train"': "C1"}.items():
    errors = predictions[name] - y
    left.plot(ages, [rmse(errors[X.index == age]) for age in ages], color, label=name)
left.axvline(SEQ_LENGTH - 1.5, color="grey", lw=1, ls=":")
left.set(title="Error by age", xlabel="cycles since the start", ylabel="RMSE (cycles)")
left.set_ylim(0, None)
left.legend()
longest = today[["remaining", "predicted"]].to_numpy().max()
right.plot([0, longest], [0, longest], color="grey", lw=1)
right.scatter(today["remaining"], today["predicted"], color="C1")
right.set(title="Machines at work", xlabel="cycles left", ylabel="predicted")
figure.savefig("plot_remaining_life.png", dpi=120)
print("figure: plot_remaining_life.png")

# %%
# What this does not show
# -----------------------
# - Real machines. Here, the load tells early how fast a machine wears. If the first cycles
#   say nothing about the life of a machine, no model can predict it from them.
# - Machines that have not failed yet as training rows. Their remaining life is not known,
#   so they are left out, which favours short lives if many of them are still running.
# - How sure the model is. :doc:`/how-to/prediction-intervals` adds bounds.
