"""steps_ahead: the targets of a model that predicts several steps at once."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from sklstm._arrays import reading
from sklstm._sklearn_compat import at_least, validate_params
from sklstm.windows._checks import check_labels


@validate_params(
    {"y": ["array-like"], "steps": [at_least(1)]},
    prefer_skip_nested_validation=True,
)
def steps_ahead(y: ArrayLike, steps: int) -> NDArray[np.float64] | pd.DataFrame:
    """Make the targets of a direct model, which predicts several steps at once.

    Row ``t`` holds ``y[t]``, ``y[t + 1]``, ..., ``y[t + steps - 1]``, so that the window of
    row ``t`` predicts all of them. The last ``steps - 1`` rows are not known in full and
    end in NaN.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        One series in time order.

    steps : int
        Number of columns. More steps need fewer predictions to be fed back in, and give the
        network more to learn at once.

    Returns
    -------
    targets : ndarray or DataFrame of shape (n_samples, steps)
        Column ``j`` is ``y[t + j]``. A DataFrame with the index of `y`, its columns
        numbered from 0, if that is a Series.

    Raises
    ------
    TypeError
        If `y` holds times.

    ValueError
        If `y` has more than one column, holds inf, is no longer than ``steps - 1``, or if
        its index is not in time order or holds several series.

    See Also
    --------
    forecast : Predicts as many steps as the model has outputs, and further ones.
    make_windows : Windows and targets outside a Pipeline.

    Notes
    -----
    Train with ``LSTMRegressor(multi_step=True)``. It leaves out the last ``steps - 1`` rows
    that it is given, which end in NaN or, in a fold of cross-validation, hold values of the
    test rows. Its own `score` leaves out rows that are not known in full.

    Other estimators, also a :class:`~sklearn.compose.TransformedTargetRegressor`, and named
    scorers such as "neg_mean_absolute_error", refuse NaN: for these, pass
    ``X[: -(steps - 1)]`` and the targets up to there. Other estimators also need
    ``TimeSeriesSplit(gap=steps - 1)``, which keeps targets and test rows apart.

    Examples
    --------
    >>> import numpy as np
    >>> from sklstm import steps_ahead
    >>> steps_ahead(np.arange(4), steps=2)
    array([[ 0.,  1.],
           [ 1.,  2.],
           [ 2.,  3.],
           [ 3., nan]])
    """
    with reading(y, "y"):
        values = check_array(
            y,
            dtype=np.float64,
            ensure_2d=False,
            ensure_all_finite="allow-nan",
            input_name="y",
        )
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(
            f"y has shape {values.shape}; expected one series of shape (n_samples,). Call "
            "steps_ahead for each series alone."
        )
    if len(values) < steps:
        raise ValueError(
            f"y has {len(values)} rows; steps={steps} needs at least {steps}. Lower steps "
            "or pass more rows."
        )
    check_labels(y, name="y", warn=False)
    targets = np.full((len(values), int(steps)), np.nan)
    for step in range(int(steps)):
        targets[: len(values) - step, step] = values[step:]
    index: pd.Index | None = y.index if isinstance(y, (pd.Series, pd.DataFrame)) else None
    return targets if index is None else pd.DataFrame(targets, index)
