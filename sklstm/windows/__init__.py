"""From a series to its windows, with NumPy, pandas and scikit-learn; no torch.

Begin with `_transformer` and `_make_windows`, which hold the public names, and `_views`,
which cuts windows.

Two questions take the other files. Do rows continue the fitted series, and are steps
missing? `_labels` reads the index, `_spacing` finds its step, `_week` its nights and
weekends, `_holes` the missing labels; `_continuation` decides without an index. Are the
arguments right? `_checks` covers series and their labels. `_layout` with `_overlap`, and
`_flat`, check windows that were made elsewhere. `_warnings` points a warning at the line of
the user's code.

`_lags` makes windows of tables of lags, with `_lag_columns` and `_lag_names`.

Forecasts ask for the windows of a few rows (`_requests`) and for the labels that come next
(`_next_labels`).
"""
