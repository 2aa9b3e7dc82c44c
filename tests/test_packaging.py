"""How the package is installed, what its source distribution holds, what it depends on."""

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import sklstm

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def python(code, cwd):
    """What an interpreter prints that finds installed packages, and those in `cwd`."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-W", "error", "-c", code]
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


# The installation.

FIND = """
from importlib.util import find_spec
print(getattr(find_spec("sklstm"), "origin", "nowhere"))
"""


def test_folder_of_the_same_name_does_not_hide_the_installed_package(tmp_path):
    # As the clone itself does, for a Python started in its parent folder: an editable
    # install that is a finder comes too late, and gives ImportError "(unknown location)".
    (tmp_path / "elsewhere").mkdir()
    if python(FIND, tmp_path / "elsewhere") == "nowhere":
        pytest.skip("sklstm is not installed, it is imported from the clone")
    (tmp_path / "sklstm" / "docs").mkdir(parents=True)
    assert python(FIND, tmp_path).endswith("__init__.py")


# The source distribution.


def files_below(folder):
    return {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def source_distribution(tmp_path_factory):
    """The files of a clone, and those of the source distribution made from it, unpacked."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("built")
    clone = folder / "clone"
    made_here = shutil.ignore_patterns("__pycache__", "_build", "generated")
    for name in ("docs", "sklstm", "tests"):
        shutil.copytree(ROOT / name, clone / name, ignore=made_here)
    for path in ROOT.iterdir():
        is_named = path.name in {"CITATION.cff", "LICENSE", "setup.py"}
        if path.suffix in {".in", ".md", ".toml", ".txt"} or is_named:
            shutil.copy(path, clone)
    expected = files_below(clone)
    build = "from setuptools.build_meta import build_sdist; build_sdist('..')"
    subprocess.run(
        [sys.executable, "-c", build], cwd=clone, check=True, capture_output=True
    )
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return expected, unpacked


def test_source_distribution_holds_everything_that_tests_and_docs_need(source_distribution):
    # Without tests/__init__.py, naive.py or the golden files, tests in it fail on import.
    expected, unpacked = source_distribution
    assert expected <= files_below(unpacked)


def test_description_for_an_index_needs_no_other_file(source_distribution):
    # An index shows neither relative links nor pictures of the repository.
    _, unpacked = source_distribution
    metadata = email.message_from_string((unpacked / "PKG-INFO").read_text("utf-8"))
    assert metadata["Description-Content-Type"] == "text/markdown"
    description = metadata.get_payload()
    targets = re.findall(r"\]\(([^)]*)\)", description)
    assert [target for target in targets if not target.startswith("https:")] == []
    assert "![" not in description
    assert "pip install sklstm" in description
    assert "venv" not in description
    readme = (ROOT / "README.md").read_text("utf-8")
    assert readme.count("```python\n") == description.count("```python\n") == 2
    linked = re.findall(r"\(`((?:docs/|\w+\.md)[^`]*)`\)", description)
    assert len(linked) > 5
    assert all((unpacked / path).exists() for path in linked)


def test_license_types_and_citation_are_in_the_distribution(source_distribution):
    _, unpacked = source_distribution
    assert {"LICENSE", "CITATION.cff", "sklstm/py.typed"} <= files_below(unpacked)


def test_citation_names_the_version():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    (version,) = re.findall(r"^version: (.+)$", citation, re.MULTILINE)
    assert Version(sklstm.__version__).base_version == version


# Dependencies.


def requirements(*, but_for=()):
    """All that the project and its extras ask for, but for its own extras."""
    extras = PROJECT["optional-dependencies"].items()
    texts = list(PROJECT["dependencies"])
    texts += [text for name, extra in extras if name not in but_for for text in extra]
    found = [Requirement(text) for text in texts]
    return {r.name: r for r in found if r.name != PROJECT["name"]}


def constraints(name="constraints.txt"):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("name", requirements(but_for=["benchmarks", "interop"]))
def test_constraints_pin_every_dependency_inside_its_range(name):
    pins = {canonicalize_name(r.name): str(r.specifier) for r in constraints()}
    version = pins[canonicalize_name(name)].removeprefix("==")
    assert requirements()[name].specifier.contains(version)


@pytest.mark.parametrize("text", PROJECT["optional-dependencies"]["interop"])
def test_interop_constraints_pin_the_libraries_that_sklstm_is_used_with(text):
    needed = Requirement(text)
    pins = {
        canonicalize_name(r.name): str(r.specifier).removeprefix("==")
        for r in constraints("constraints-interop.txt")
    }
    names = [canonicalize_name(needed.name)]
    if needed.name == PROJECT["name"]:  # its own extras
        names = [
            canonicalize_name(Requirement(one).name)
            for extra in needed.extras
            for one in PROJECT["optional-dependencies"][extra]
        ]
    assert all(needed.specifier.contains(pins[name]) for name in names)


# The site is built, and peers are measured, with one version of what they need.
@pytest.mark.parametrize("name", requirements(but_for=["benchmarks", "docs", "interop"]))
def test_oldest_constraints_are_the_lower_bounds(name):
    pins = {
        canonicalize_name(r.name): str(r.specifier).removeprefix("==")
        for r in constraints("constraints-oldest.txt")
    }
    (bound,) = [s.version for s in requirements()[name].specifier if s.operator == ">="]
    assert Version(pins[canonicalize_name(name)]).release[
        : len(Version(bound).release)
    ] == (Version(bound).release)


@pytest.mark.parametrize(
    "file", ["constraints.txt", "constraints-interop.txt", "constraints-oldest.txt"]
)
def test_constraints_are_exact_sorted_and_name_each_package_once(file):
    names = [canonicalize_name(requirement.name) for requirement in constraints(file)]
    assert names == sorted(set(names))
    for requirement in constraints(file):
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        assert Version(pin.version).local is None
