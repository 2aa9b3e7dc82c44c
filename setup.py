"""The README as an index of packages can show it; all else is in pyproject.toml.

An index knows neither the other files of the repository nor its pictures, and its readers
install a release.
"""

import re
from pathlib import Path

from setuptools import setup

README = Path(__file__).with_name("README.md")
PICTURE = re.compile(r"^!\[[^\]]*\]\([^)]*\)\n\n", re.MULTILINE)
LINK_TO_FILE = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)]+)\)")
SET_UP = re.compile(r"^## Set up\n.*", re.MULTILINE | re.DOTALL)
INSTALL = """\
## Install

You need Python 3.11 or later.

```sh
pip install sklstm
```

Add the extra `examples` for the displays, `onnx` for `to_onnx`, and `skops` for saving:
`pip install "sklstm[examples,onnx,skops]"`. On Linux, `pip` chooses a PyTorch build with
CUDA, which takes several gigabytes. If you have no NVIDIA GPU, install PyTorch's CPU build
first.

The files named above are in the source distribution, with the tests. BSD 3-Clause licence.
"""


def readme_for_index(readme: str) -> str:
    """Name files instead of linking to them, leave out pictures, and install a release."""
    readme = LINK_TO_FILE.sub(r"\1 (`\2`)", PICTURE.sub("", readme))
    return SET_UP.sub(INSTALL, readme)


setup(
    long_description=readme_for_index(README.read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
