"""Looking into a fitted regressor: its gates and gradients, and the displays.

`_gates` holds the functions, over the equations of `_equations`; the displays share
`_axes`.
"""
