"""Forecasts beyond the data, from any fitted model that reads windows.

Begin with `_recursive`, which feeds predictions back in. `_reading` checks what was passed,
by `_columns` and `_labels`, and `_rows` holds the rows that predictions are written into.
Several series of one table are read by `_series_reading`, and forecast in the same way.
`_backtest` and `_scorer` make forecasts from many origins, by `_origins`, in the folds that
`_folds` checks, of a table that `_layout` sorts by series. `_baselines` has what repeating
values would have forecast, and `_skill` compares. `_intervals` has bounds from the errors
of a backtest, `_targets` the targets of direct models. All of these go through the model's
own `predict`, and change no model.
"""
