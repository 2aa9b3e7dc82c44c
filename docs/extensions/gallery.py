"""Order of the gallery, and what sphinx-gallery resets between two examples."""

from typing import Any

import sklearn

# From the first that a newcomer should read to the most special.
ORDER = ["sunspots", "compare_candidates", "known_drivers", "co2", "gates"]


class ReadingOrder:
    """Sort the examples as in `ORDER`; those that it does not list come last, by name."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, file_name: str) -> tuple[int, str]:
        """Sort key of one file."""
        name = file_name.removeprefix("plot_").removesuffix(".py")
        return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def reset_sklearn(gallery_conf: dict[str, Any], file_name: str) -> None:
    """Undo what the tutorial sets, so that each example runs as it would alone."""
    sklearn.set_config(enable_metadata_routing=False)
