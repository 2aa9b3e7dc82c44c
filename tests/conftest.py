"""What must be set before SciPy and scikit-learn are imported."""

import os

# SciPy reads it when it is imported; scikit-learn skips its array API check without it.
os.environ["SCIPY_ARRAY_API"] = "1"
