"""HistoryDisplay: the loss in each epoch of training."""

from typing import TYPE_CHECKING, Self

import numpy as np
from sklearn.base import BaseEstimator

from sklstm._network._losses import resolve_loss
from sklstm._pipelines import resolve_regressor
from sklstm._regressor import LSTMRegressor
from sklstm._sklearn_compat import check_matplotlib_support
from sklstm._types import Epoch
from sklstm.inspection._axes import (
    FEW_POINTS,
    Style,
    add_legend,
    label_positions,
    make_axes,
    merged_style,
    text_color,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class HistoryDisplay:
    """Training and validation loss of a regressor in each epoch.

    Create one with :meth:`from_estimator`. With `early_stopping`, the epoch whose weights
    were kept is marked.

    Parameters
    ----------
    history : list of dict
        The `history_` of an :class:`LSTMRegressor`: for each epoch `epoch`, `train_loss`
        and, with validation data, `valid_loss`.

    best_epoch : int, default=None
        Epoch whose weights were kept, counted from 1. By default no epoch is marked.

    loss_name : str, default="loss"
        Name and units of the loss, used as label of the vertical axis.

    Attributes
    ----------
    train_line_ : matplotlib Line2D
        Training loss.

    valid_line_ : matplotlib Line2D or None
        Validation loss; None without validation data.

    best_line_ : matplotlib Line2D or None
        Mark of the epoch kept; None without `best_epoch`.

    ax_ : matplotlib Axes
        Axes of the lines.

    figure_ : matplotlib Figure
        Figure of the Axes.

    See Also
    --------
    ForecastDisplay : Plot of true and predicted values over time.
    sklearn.model_selection.LearningCurveDisplay : Plot of scores by training set size.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklstm import HistoryDisplay, LSTMRegressor, make_windows
    >>> windows, targets = make_windows(np.sin(0.3 * np.arange(80)))
    >>> regressor = LSTMRegressor(units=8, epochs=5, early_stopping=True, random_state=0)
    >>> display = HistoryDisplay.from_estimator(regressor.fit(windows, targets))
    >>> display.ax_.get_ylabel()
    'mean squared error / variance of y'
    >>> display.ax_.set_yscale("log")

    Other regressors have no epochs:

    >>> HistoryDisplay.from_estimator(Ridge().fit(windows[:, :, 0], targets))
    Traceback (most recent call last):
    ...
    ValueError: Expected a fitted LSTMRegressor, or a Pipeline or a search that ends...
    """

    def __init__(
        self,
        history: list[Epoch],
        *,
        best_epoch: int | None = None,
        loss_name: str = "loss",
    ) -> None:
        self.history = history
        self.best_epoch = best_epoch
        self.loss_name = loss_name

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        train_kwargs: Style | None = None,
        valid_kwargs: Style | None = None,
        best_kwargs: Style | None = None,
    ) -> Self:
        """Draw the losses.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure by default.

        train_kwargs, valid_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of the training and the validation loss.

        best_kwargs : dict, default=None
            Keywords for matplotlib's ``axvline`` at the epoch that was kept.

        Returns
        -------
        display : HistoryDisplay
            The display, with what was drawn as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        (self.ax_,) = make_axes(ax, 1, caller=f"{type(self).__name__}.plot")
        self.figure_ = self.ax_.figure
        epochs = [epoch["epoch"] for epoch in self.history]
        is_short = len(epochs) <= FEW_POINTS
        train_style = {
            "label": "training",
            "color": "C0",
            "marker": "o" if is_short else "",
            "markersize": 3,
        }
        (self.train_line_,) = self.ax_.plot(
            epochs, self._losses("train_loss"), **merged_style(train_style, train_kwargs)
        )
        valid_style = {
            "label": "validation",
            "color": "C1",
            "linestyle": "--",
            "marker": "s" if is_short else "",
            "markersize": 3,
        }
        self.valid_line_, self.best_line_ = None, None
        if np.isfinite(self._losses("valid_loss")).any():
            (self.valid_line_,) = self.ax_.plot(
                epochs,
                self._losses("valid_loss"),
                **merged_style(valid_style, valid_kwargs),
            )
        if self.best_epoch is not None:
            best_style = {
                "label": f"kept: epoch {self.best_epoch}",
                "color": text_color(),
                "linestyle": ":",
            }
            self.best_line_ = self.ax_.axvline(
                self.best_epoch, **merged_style(best_style, best_kwargs)
            )
        label_positions(self.ax_, np.array(epochs))
        self.ax_.set(xlabel="epoch", ylabel=self.loss_name)
        self.ax_.set_ylim(bottom=0.0, auto=None)
        add_legend(self.ax_, is_own_figure=ax is None, loc="upper right")
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        ax: "Axes | None" = None,
        train_kwargs: Style | None = None,
        valid_kwargs: Style | None = None,
        best_kwargs: Style | None = None,
    ) -> Self:
        """Draw the losses of a fitted regressor.

        Parameters
        ----------
        estimator : estimator instance
            A fitted :class:`LSTMRegressor`, a :class:`~sklearn.pipeline.Pipeline` that
            ends in one, or a fitted search over either, whose best estimator is drawn.

        ax : matplotlib Axes, default=None
            Axes to draw on; a new figure by default.

        train_kwargs, valid_kwargs : dict, default=None
            Keywords for matplotlib's ``plot`` of the training and the validation loss.

        best_kwargs : dict, default=None
            Keywords for matplotlib's ``axvline`` at the epoch that was kept.

        Returns
        -------
        display : HistoryDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `estimator` does not end in an :class:`LSTMRegressor`.

        NotFittedError
            If `estimator` is not fitted.

        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        regressor, _ = resolve_regressor(estimator)
        display = cls(
            regressor.history_,
            best_epoch=getattr(regressor, "best_epoch_", None),
            loss_name=_loss_name(regressor),
        )
        return display.plot(
            ax=ax,
            train_kwargs=train_kwargs,
            valid_kwargs=valid_kwargs,
            best_kwargs=best_kwargs,
        )

    def _losses(self, name: str) -> list[float]:
        return [epoch.get(name, np.nan) for epoch in self.history]


def _loss_name(regressor: LSTMRegressor) -> str:
    training = regressor.net_.training
    loss = resolve_loss(training.loss, training.quantiles)
    return loss.label + (loss.unit if training.normalize_y else "")
