"""to_onnx: a fitted model as an ONNX file. onnx is imported only when it is called."""

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Literal
from uuid import uuid4

from sklearn.base import BaseEstimator

from sklstm._storage._checksum import versions
from sklstm._storage._files import path_beside, write_atomically
from sklstm.export._parts import Parts, parts_of

# Largest size of a protobuf file, the format of ONNX, less room for all but the weights.
LARGEST_BYTES = 2**31 - 2**20


def to_onnx(
    estimator: BaseEstimator,
    path: str | os.PathLike[str],
    *,
    dtype: Literal["float32", "float64"] = "float32",
) -> str:
    """Write a fitted model as one ONNX graph, from windows to predictions.

    Like `predict`, the graph scales the features of windows, runs the network and returns
    predictions in the target's units. It runs in any ONNX runtime, without Python,
    scikit-learn or torch.

    Its input, ``"windows"``, has the shape (n, seq_length, n_features) and the dtype
    `dtype`, with any number n of windows. Its output, ``"predictions"``, is float64 and has
    the shape that `predict` returns, (n,) or (n, n_outputs). Build the windows outside the
    graph, as :func:`make_windows` and :class:`WindowTransformer` do, from the series that
    the Pipeline reads, before any scaling. A Pipeline with :class:`LagsToWindows` is
    exported from its table of lags on: its input is ``"lags"``, of shape (n, n_columns).
    With ``loss="quantile"`` there is a second output, ``"quantiles"``, of the shape that
    :func:`predict_quantiles` returns.

    Leading NaN steps count as not known yet, and the window is predicted from the others,
    as in `predict`. The prediction is NaN for a window that `predict` rejects, because it
    contains inf, or NaN elsewhere.

    Parameters
    ----------
    estimator : estimator
        A fitted :class:`LSTMRegressor`; a :class:`~sklearn.pipeline.Pipeline` that ends in
        one, optionally after a :class:`WindowTransformer` or :class:`LagsToWindows`; or a
        fitted search over either, whose best estimator is exported. Before the windows may
        stand any number of StandardScaler, MinMaxScaler, RobustScaler, MaxAbsScaler, PCA,
        "passthrough", and ColumnTransformer of these, also nested.

    path : str or path-like
        The file, by convention ending in ``.onnx``. An existing file is replaced once the
        new one is complete.

    dtype : {"float32", "float64"}, default="float32"
        Dtype of the windows that the graph reads. "float32" is half as large, and what
        most callers of ONNX send; "float64" keeps all digits of a series whose level is
        many times its variation.

    Returns
    -------
    digest : str
        SHA-256 of the file, in hexadecimal. An ONNX file contains no checksum: store the
        digest with it, and compare before loading.

    Raises
    ------
    ImportError
        If onnx is not installed.

    NotFittedError
        If `estimator`, or a step of it, is not fitted.

    TypeError
        If `estimator` does not end in an :class:`LSTMRegressor`.

    ValueError
        If a step cannot be exported, such as FunctionTransformer, the search has
        ``refit=False``, or the weights are larger than an ONNX file can be.

    OSError
        If the file cannot be written. An existing file is left unchanged.

    See Also
    --------
    LSTMRegressor : Estimator to export.
    WindowTransformer : Builds the windows that the graph reads.

    Notes
    -----
    The metadata of the file contain the versions that wrote it (``sklstm``,
    ``scikit-learn`` and ``torch``), ``seq_length``, ``n_features`` (of the graph's input),
    ``n_outputs`` and, if known, ``horizon`` and ``feature_names`` (a list in JSON, in the
    order of the features or columns of the input); also ``quantiles``, the levels (a list
    in JSON), if there are any.

    Pass at least one window to the graph: without any, the LSTM of onnxruntime (1.32)
    crashes the process.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import PowerTransformer, StandardScaler
    >>> from sklstm import LSTMRegressor, WindowTransformer, to_onnx
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> lstm = LSTMRegressor(units=4, epochs=1)
    >>> model = make_pipeline(StandardScaler(), WindowTransformer(seq_length=8), lstm)
    >>> with TemporaryDirectory() as folder:
    ...     digest = to_onnx(model.fit(X, X[:, 0]), Path(folder) / "model.onnx")
    >>> len(digest)
    64

    Some steps have no counterpart in ONNX:

    >>> model = make_pipeline(PowerTransformer(), WindowTransformer(seq_length=8), lstm)
    >>> to_onnx(model.fit(X, X[:, 0]), "model.onnx")
    Traceback (most recent call last):
    ...
    ValueError: The step 'powertransformer', PowerTransformer, cannot be exported: before...
    """
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype should be 'float32' or 'float64', got {dtype!r}.")
    parts = parts_of(estimator)
    n_bytes = sum(weight.nbytes for weight in parts.weights.values())
    if n_bytes > LARGEST_BYTES:
        raise ValueError(
            f"The weights are {n_bytes} bytes, and an ONNX file holds at most "
            f"{LARGEST_BYTES}. Lower units."
        )
    content = _checked_model(parts, dtype)
    _write(Path(os.path.realpath(path)), content)
    return hashlib.sha256(content).hexdigest()


def _checked_model(parts: Parts, dtype: str) -> bytes:
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            "to_onnx needs the package onnx. Install it with: pip install 'sklstm[onnx]'."
        ) from error
    from sklstm.export._graph import make_model

    model = make_model(parts, dtype=dtype, metadata=_metadata(parts))
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _metadata(parts: Parts) -> dict[str, str]:
    metadata: dict[str, str | int] = {
        **versions(),
        "seq_length": parts.input.seq_length,
        "n_features": parts.input.shape[-1],
        "n_outputs": len(parts.target_mean),
    }
    if parts.input.horizon is not None:
        metadata["horizon"] = parts.input.horizon
    if parts.input.feature_names is not None:
        metadata["feature_names"] = json.dumps(parts.input.feature_names)
    if parts.quantiles:
        metadata["quantiles"] = json.dumps(parts.quantiles)
    return {key: str(value) for key, value in metadata.items()}


def _write(path: Path, content: bytes) -> None:
    def check_can_be_replaced() -> None:
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "Not a regular file", str(path))

    # A name of its own, since several processes may export to one path.
    part = path_beside(path, f".{uuid4().hex}")
    write_atomically(path, [content], part=part, check=check_can_be_replaced)
