"""Forecasts beyond the data, from any fitted model that reads windows.

Begin with `_recursive`, which feeds predictions back in. `_reading` checks what was passed,
by `_columns` and `_labels`, and `_rows` holds the rows that predictions are written into.
Several series of one table (`_series`) are read by `_series_reading`, with the rows ahead
of each (`_series_future`) and their labels (`_series_labels`), and forecast in the same
way.

`_backtest` and `_scorer` make forecasts from many origins, by `_origins`, in the folds that
`_folds` checks and `_progress` reports, of a table that `_layout` sorts by series; `_place`
says where in it each value is. `_baselines` has what repeating values would have forecast,
and `_skill` compares.

`_intervals` makes bounds around a forecast (`_forecast_table`) from the errors of a
backtest (`_margins`), `_quantiles` calls a model that predicts quantiles itself, and
`_targets` makes the targets of direct models. All of these go through the model's own
`predict`, and change no model.
"""
