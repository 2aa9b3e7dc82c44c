"""From a series to its windows, with NumPy, pandas and scikit-learn; no torch.

Begin with `_transformer` and `_make_windows`, which hold the public names, and `_windows`,
the noun that all rooms below read: rows of one buffer of steps. `_views` cuts windows of
one series, `_panel` those of several, and `_mapped` those of a file that is mapped into
memory.

`_one_series` remembers one series and answers whether later rows continue it. `_by_series`
does so for many series at once, with `_groups` (which row belongs to which),
`_fitted_series` (what is remembered), `_first_rows` and `_repetitions` (`_continuation` of
many), `_series_labels` (`_holes` of many) and `_panel_checks`.

Two questions take the other files. Do rows continue the fitted series, and are steps
missing? `_labels` reads the index, `_spacing` finds its step, `_week` its nights and
weekends, `_holes` the missing labels; `_continuation` decides without an index. Are the
arguments right? `_series_checks` and `_checks` cover series and their labels. `_layout`
with `_overlap`, and `_flat`, check windows that were made elsewhere. `_warnings` points a
warning at the line of the user's code.

`_lags` makes windows of tables of lags, with `_lag_columns` and `_lag_names`.
`_forward_fill` fills missing values from earlier rows, with `_filling`.

Forecasts ask for the windows of a few rows (`_requests`) and for the labels that come next
(`_next_labels`).
"""
