"""A recursion by hand through plain `predict`, to hold the functions against."""

import numpy as np
import pandas as pd


def forecast(model, X, *, steps, horizon, targets=(0,), future=None, index=None):
    """Predictions (steps, n_targets): a block of rows appended, predicted and filled in.

    `X` is an array or a DataFrame, `future` has all its columns (those of targets count
    with horizon=0 only), `index` are the labels of the rows ahead.
    """
    targets, n_known = list(targets), len(X)
    rows = pd.DataFrame(X).astype(float)
    for k in range(steps):
        ahead = (
            rows.iloc[-1].copy() if future is None else pd.Series(future[k], rows.columns)
        )
        if horizon:
            ahead.iloc[targets] = rows.iloc[n_known - 1, targets]
        elif k:
            ahead.iloc[targets] = np.nan
        rows.loc[len(rows) if index is None else index[k]] = ahead
    block, predictions = max(horizon, 1), []
    while len(predictions) < steps:
        done = len(predictions)
        stop = min(done + block, steps)
        read = rows.iloc[: n_known + stop]
        if not isinstance(X, pd.DataFrame):
            read = read.to_numpy()
        y_pred = np.reshape(model.predict(read), (len(read), -1))[n_known + done :]
        for k, values in enumerate(y_pred, start=done):
            predictions.append(values)
            if horizon:
                rows.iloc[n_known + k, targets] = values
            elif k + 1 < steps:
                rows.iloc[n_known + k + 1, targets] = values
    return np.array(predictions)
