"""Examples in the docstrings of methods, and how many examples there are.

Public classes call themselves `sklstm.…`, so that pytest looks for their examples in
sklstm/__init__.py. It passes over methods, which are not written there, in silence.
"""

import doctest
import importlib
import pkgutil
import re
import sys
from pathlib import Path

import pytest

import sklstm

FINDER = doctest.DocTestFinder()
FOLDER = Path(sklstm.__file__).parent
CLASSES = [name for name in sklstm.__all__ if isinstance(getattr(sklstm, name), type)]


def method_examples(cls):
    """The doctests of all that is written in a class, with its module's names to use."""
    tests = []
    for name, member in vars(cls).items():
        function = getattr(member, "__func__", getattr(member, "fget", member))
        module = sys.modules.get(getattr(function, "__module__", None))
        if module is not None and (function.__doc__ or "").strip():
            tests += FINDER.find(function, f"{cls.__name__}.{name}", globs=vars(module))
    return tests


def module_examples():
    """The doctests that pytest collects, module by module."""
    names = [name for _, name, _ in pkgutil.walk_packages([str(FOLDER)], "sklstm.")]
    modules = [sklstm, *map(importlib.import_module, names)]
    return [test for module in modules for test in FINDER.find(module)]


def failures(test, flags):
    """What the examples print that they should not, as text."""
    lines = []
    doctest.DocTestRunner(optionflags=flags).run(test, out=lines.append)
    return "".join(lines)


@pytest.fixture
def flags(request):
    """The option flags of pyproject.toml."""
    names = request.config.getini("doctest_optionflags")
    return sum(doctest.OPTIONFLAGS_BY_NAME[name] for name in names)


@pytest.mark.parametrize("name", CLASSES)
def test_examples_of_methods_print_what_they_say(name, flags):
    for test in method_examples(getattr(sklstm, name)):
        assert failures(test, flags) == ""


def test_every_example_of_the_package_is_run():
    tests = module_examples()
    for name in CLASSES:
        tests += method_examples(getattr(sklstm, name))
    sources = [path.read_text("utf-8") for path in FOLDER.rglob("*.py")]
    n_prompts = sum(len(re.findall(r"^ *>>> ", source, re.MULTILINE)) for source in sources)
    assert sum(len(test.examples) for test in tests) == n_prompts
    assert n_prompts > 50


class Wrong:
    """A class whose methods' examples are all wrong."""

    def method(self):
        """Return nothing.

        >>> CLASSES
        []
        """

    @classmethod
    def from_class(cls):
        """Return nothing.

        >>> 1 + 1
        3
        """

    @property
    def shown(self):
        """Nothing.

        >>> sklstm.no_such_name
        """


Wrong.__module__ = "sklstm"  # as public classes say, and so that pytest passes over it


def test_wrong_examples_of_methods_are_seen(flags):
    tests = method_examples(Wrong)
    assert len(tests) == 3
    for test in tests:
        assert "Failed example" in failures(test, flags)
