"""Gates and gradients of a fitted regressor, and the displays.

Begin with `_gates`, the public functions. `_equations` computes them step by step; each
display has a file of its own, and all draw by `_axes`.
"""
