"""
What the past of a test fold is worth
=====================================

GridSearchCV scores windows of 3, 10 and 20 steps on a noisy sine, twice. In one run, the
first rows of each test fold see the training rows before them (``context="auto"``). In the
other, they do not (``context="never"``). A test fold has 20 rows, so without its past it
has no complete window of 20 steps. The README's table of R² is the output of this script.
"""

# %%
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline

from sklstm import LSTMRegressor, WindowTransformer

# %%
# The sine has a variance of 0.5 and the noise one of 0.04. Over a longer window, the noise
# averages out.
rng = np.random.default_rng(0)
y = np.sin(0.1 * np.arange(400)) + rng.normal(scale=0.2, size=400)
model = Pipeline(
    [
        ("windows", WindowTransformer()),
        ("lstm", LSTMRegressor(16, epochs=30, learning_rate=0.01, random_state=0)),
    ]
)
search = GridSearchCV(
    model,
    {"windows__context": ["never", "auto"], "windows__seq_length": [3, 10, 20]},
    cv=TimeSeriesSplit(n_splits=6, test_size=20),
    scoring="r2",
    refit=False,
)
search.fit(y[:, np.newaxis], y)

# %%
table = pd.DataFrame(search.cv_results_).pivot_table(
    index="param_windows__context",
    columns="param_windows__seq_length",
    values="mean_test_score",
    sort=False,
)
table.index.name, table.columns.name = "context", "seq_length"
print(table.round(2).to_string())
for context, scores in table.iterrows():
    print(f'context="{context}" chooses seq_length={scores.idxmax()}')
