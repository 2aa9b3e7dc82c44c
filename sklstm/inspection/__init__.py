"""Gates and gradients of a fitted regressor, and the displays.

Begin with `_gates`, the public functions; `_equations` computes them step by step. Each
display has a file of its own (`_forecast_display`, `_history_display`, `_gate_display`),
and all draw by `_axes`. A ForecastDisplay puts what it draws on one time axis
(`_forecast_rows`), and draws it as lines (`_forecast_lines`) and bands (`_bands`).
"""
