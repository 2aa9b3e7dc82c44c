"""Write inventories of the libraries beneath, of their names as they are installed here.

sphinx.ext.intersphinx links a name to its page by the library's inventory. Each library
publishes one (objects.inv); those written here need no network, and hold no name that the
installed version has not. python.inv is the published one of Python 3.11.
"""

import inspect
import zlib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

# The modules of each library whose public names are listed, and the page of a name.
PAGES = {
    "matplotlib": {
        "axes figure lines pyplot": "api/_as_gen/matplotlib.{module}.{name}.html",
    },
    "numpy": {"": "reference/generated/numpy.{name}.html"},
    "pandas": {"": "reference/api/pandas.{name}.html"},
    "skorch": {
        "net": "net.html",
        "regressor": "regressor.html",
        "callbacks": "callbacks.html",
    },
    "sklearn": {
        "": "modules/generated/sklearn.{name}.html",
        "base calibration callback cluster compose covariance cross_decomposition datasets "
        "decomposition discriminant_analysis dummy ensemble exceptions feature_extraction "
        "feature_selection frozen gaussian_process impute inspection isotonic "
        "kernel_approximation kernel_ridge linear_model manifold metrics mixture "
        "model_selection multiclass multioutput naive_bayes neighbors neural_network "
        "pipeline preprocessing random_projection semi_supervised svm tree utils": (
            "modules/generated/sklearn.{module}.{name}.html"
        ),
    },
    "torch": {
        "": "generated/torch.{name}.html",
        "nn optim": "generated/torch.{module}.{name}.html",
    },
}
# Modules whose classes have pages of other kinds.
FUNCTIONS_ONLY = {"numpy", "torch"}
# Names on pages of other kinds, and the sections and terms of scikit-learn that its
# docstrings refer to.
OTHERS = {
    "numpy": {
        ("py:class", "numpy.memmap"): "reference/generated/numpy.memmap.html#$",
        ("py:class", "numpy.ndarray"): "reference/generated/numpy.ndarray.html#$",
        ("py:function", "numpy.random.default_rng"): "reference/random/generator.html#$",
        ("py:data", "numpy.typing.ArrayLike"): "reference/typing.html#$",
    },
    "pandas": {
        ("py:method", "pandas.DataFrame.ffill"): (
            "reference/api/pandas.DataFrame.ffill.html#$"
        ),
    },
    "sklearn": {
        ("py:exception", "sklearn.exceptions.InconsistentVersionWarning"): (
            "modules/generated/sklearn.exceptions.InconsistentVersionWarning.html#$"
        ),
        ("py:class", "sklearn.utils.metadata_routing.MetadataRequest"): (
            "modules/generated/sklearn.utils.metadata_routing.MetadataRequest.html#$"
        ),
        ("std:label", "combining_estimators"): "modules/compose.html#combining-estimators",
        ("std:label", "df_output_transform"): (
            "modules/df_output_transform.html#df-output-transform"
        ),
        ("std:label", "metadata_routing"): "metadata_routing.html#metadata-routing",
        ("std:label", "r2_score"): "modules/model_evaluation.html#r2-score",
        ("std:label", "sphx_glr_auto_examples_miscellaneous_plot_set_output.py"): (
            "auto_examples/miscellaneous/plot_set_output.html"
            "#sphx-glr-auto-examples-miscellaneous-plot-set-output-py"
        ),
        ("std:term", "fit"): "glossary.html#term-fit",
        ("std:term", "meta-estimator"): "glossary.html#term-meta-estimator",
        ("std:term", "metadata"): "glossary.html#term-metadata",
    },
    "skorch": {("py:class", "skorch.hf.AccelerateMixin"): "hf.html#$"},
    "torch": {
        ("py:class", "torch.Tensor"): "tensors.html#$",
        ("py:class", "torch.device"): "tensor_attributes.html#$",
        ("py:class", "torch.nn.parallel.DistributedDataParallel"): (
            "generated/torch.nn.parallel.DistributedDataParallel.html#$"
        ),
    },
}
HEADER = """\
# Sphinx inventory version 2
# Project: {library}
# Version: {version}
# The remainder of this file is compressed using zlib.
"""


def public_names(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Classes and functions that a module offers, each with its role.

    Without ``__all__`` these are the ones that the module or its submodules define.
    """
    for name in sorted(getattr(module, "__all__", vars(module))):
        obj = vars(module).get(name)
        defined_in = str(getattr(obj, "__module__", None))
        is_offered = hasattr(module, "__all__") or defined_in.startswith(module.__name__)
        if name.startswith("_") or not callable(obj) or not is_offered:
            continue
        if not inspect.isclass(obj):
            yield name, "py:function"
        elif module.__name__ not in FUNCTIONS_ONLY:
            yield name, "py:class"


def entries(library: str) -> Iterator[str]:
    """Lines of the inventory: name, role, priority, address, and a dash for no title."""
    for modules, page in PAGES[library].items():
        for module in modules.split() or [""]:
            prefix = f"{library}.{module}".rstrip(".")
            for name, role in public_names(import_module(prefix)):
                address = page.format(module=module, name=name)
                yield f"{prefix}.{name} {role} 1 {address}#$ -"
    for (role, name), address in OTHERS.get(library, {}).items():
        yield f"{name} {role} 1 {address} -"


def write(library: str) -> None:
    """Write the inventory of one library beside this file."""
    distribution = "scikit-learn" if library == "sklearn" else library
    header = HEADER.format(library=library, version=version(distribution).partition("+")[0])
    body = "".join(f"{entry}\n" for entry in entries(library))
    target = Path(__file__).with_name(f"{library}.inv")
    target.write_bytes(header.encode() + zlib.compress(body.encode(), 9))


if __name__ == "__main__":
    for library in PAGES:
        write(library)
