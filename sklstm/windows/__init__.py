"""From a series to its windows, with NumPy, pandas and scikit-learn; no torch.

`_transformer` holds the public names; begin there. `_views` cuts windows, `_labels` and
`_continuation` tell whether rows continue the fitted series, `_checks` says what a series
may hold.
"""
