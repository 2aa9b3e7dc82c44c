"""Gates and states over one window, of an LSTM that copies the first step to the end."""

from copying import copying_lstm, keeping_unit, test_windows
from matplotlib.figure import Figure

from sklstm import GateDisplay


def draw() -> Figure:
    """Six panels, with the unit that keeps the value drawn by itself."""
    windows = test_windows()
    row = int(windows[:, 0, 0].argmax())  # a number to remember that is far from 0
    display = GateDisplay.from_estimator(
        copying_lstm(), windows, row=row, units=[keeping_unit()]
    )
    return display.figure_
