"""Marks of tests that need what older versions of scikit-learn lack."""

import pytest
import sklearn
from packaging.version import Version

SKLEARN = Version(sklearn.__version__)

needs_callbacks = pytest.mark.skipif(
    Version("1.9") > SKLEARN, reason="scikit-learn has callbacks since 1.9"
)
needs_array_api = pytest.mark.skipif(
    Version("1.9") > SKLEARN, reason="older scikit-learn names its checks otherwise"
)

if Version("1.9") <= SKLEARN:
    from sklearn.callback import ProgressBar, ScoringMonitor
else:
    ProgressBar = ScoringMonitor = None

__all__ = ["SKLEARN", "ProgressBar", "ScoringMonitor", "needs_array_api", "needs_callbacks"]
