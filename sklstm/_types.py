"""Names of types that have no class of their own.

`Any` stands here once for what these names mean. Elsewhere it stands only in the signatures
of skorch, torch and onnx that we override or call.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike
from sklearn.model_selection import BaseCrossValidator

# What a user passed, before it is checked: a table of any library, an array, or anything.
Passed = Any
# Nested dicts and lists of arrays and plain values, or one of these.
Tree = Any
# What is saved of an object: a Tree for each name.
State = dict[str, Any]
# What a history records of one epoch, by name.
Epoch = dict[str, Any]
# Arguments that are passed on, by name.
Keywords = dict[str, Any]
# Name of a row, a column or a series.
Label = Hashable
# Step of an even index: a number, a duration of NumPy or pandas, or an offset of pandas.
Step = Any

# The parameter `target`: which columns of a table hold the target.
Target = Label | Sequence[Label] | None
# The parameter `cv`: a number of folds, a splitter, or the folds themselves.
Splits = int | BaseCrossValidator | Iterable[tuple[ArrayLike, ArrayLike]] | None
# The parameter `by`: which errors of a backtest belong together.
By = Callable[[pd.Index], ArrayLike] | str | None
# The parameter `coverage`: with which probability bounds should hold.
Coverage = float | Sequence[float]
