"""The forecast on the first page of the site, and how far off it is beside simpler models.

The page shows the lines from the first import to ``from_estimator``.
"""

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.datasets import sunspots

from sklstm import ForecastDisplay, LSTMRegressor, WindowTransformer

y = sunspots.load_pandas().data.set_index("YEAR")["SUNACTIVITY"]
X = y.to_frame()  # the series predicts itself, one year ahead
lstm = LSTMRegressor(random_state=0)
model = make_pipeline(StandardScaler(), WindowTransformer(seq_length=10), lstm)
model.fit(X.loc[:1949], y.loc[:1949])
ForecastDisplay.from_estimator(model, X.loc[1950:], y.loc[1950:])

import matplotlib.pyplot as plt  # noqa: E402
import pandas as pd  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from sklearn.linear_model import Ridge  # noqa: E402
from sklearn.metrics import mean_absolute_error, root_mean_squared_error  # noqa: E402

TRAIN, TEST = slice(None, 1949), slice(1950, None)


def predictions() -> dict[str, pd.Series]:
    """One-step forecasts of the test years by three models, the LSTM last."""
    windows = make_pipeline(StandardScaler(), WindowTransformer(10, flatten=True))
    table = windows.fit_transform(X.loc[TRAIN])
    ridge = Ridge().fit(table[10:], y.loc[TRAIN].iloc[10:])  # it takes no NaN
    index = y.loc[TEST].index
    return {
        "repeat last year": y.shift(1).loc[TEST],
        "Ridge": pd.Series(ridge.predict(windows.transform(X.loc[TEST])), index),
        "LSTM": pd.Series(model.predict(X.loc[TEST]), index),
    }


def table() -> str:
    """Test errors of the three as a Markdown table."""
    true = y.loc[TEST]
    lines = ["| model | RMSE | MAE |", "|---|---:|---:|"]
    for name, pred in predictions().items():
        errors = root_mean_squared_error(true, pred), mean_absolute_error(true, pred)
        lines.append(f"| {name} | {errors[0]:.1f} | {errors[1]:.1f} |")
    return "\n".join(lines) + "\n"


def draw() -> Figure:
    """The display of the shown lines, with Ridge beside it."""
    plt.close("all")
    figure, ax = plt.subplots(figsize=(6, 2.5), layout="constrained")
    ForecastDisplay.from_estimator(
        model, X.loc[TEST], y.loc[TEST], ax=ax, pred_kwargs={"label": "LSTM"}
    )
    ridge = predictions()["Ridge"]
    ax.plot(ridge, color="C0", ls=":", lw=1.5, label="Ridge")
    ax.set(xlabel="", ylabel="sunspots, yearly mean", ylim=(0, None))
    ax.get_legend().remove()
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
