"""How the package is installed, what its source distribution holds, what it depends on."""

import os
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


def test_source_distribution_holds_everything_that_tests_and_docs_need(tmp_path):
    # Without tests/__init__.py, naive.py or the golden files, tests in it fail on import.
    pytest.importorskip("setuptools")
    clone = tmp_path / "clone"
    made_here = shutil.ignore_patterns("__pycache__", "_build", "generated")
    for folder in ("docs", "sklstm", "tests"):
        shutil.copytree(ROOT / folder, clone / folder, ignore=made_here)
    for path in ROOT.iterdir():
        if path.suffix in {".in", ".md", ".toml", ".txt"} or path.name == "LICENSE":
            shutil.copy(path, clone)
    expected = files_below(clone)
    build = "from setuptools.build_meta import build_sdist; build_sdist('..')"
    subprocess.run(
        [sys.executable, "-c", build], cwd=clone, check=True, capture_output=True
    )
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    assert expected <= found


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
