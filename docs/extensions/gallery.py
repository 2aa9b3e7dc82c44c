"""What sphinx-gallery does between two examples."""

from typing import Any

import sklearn


def reset_sklearn(gallery_conf: dict[str, Any], file_name: str) -> None:
    """Take back what the tutorial sets, so that each example runs as it would alone."""
    sklearn.set_config(enable_metadata_routing=False)
