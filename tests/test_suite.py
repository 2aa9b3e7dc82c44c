"""What holds for the tests themselves."""

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
FILES = {
    path.relative_to(FOLDER).as_posix(): ast.parse(path.read_text("utf-8"))
    for path in sorted(FOLDER.rglob("*.py"))
}
ASSERTING = {"raises", "warns", "fail"}


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def asserts(function, helpers=frozenset()):
    """Whether it asserts anything, itself or by calling a function that does."""
    called = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    names = {getattr(call, "attr", getattr(call, "id", "")) for call in called}
    return (
        any(isinstance(node, ast.Assert) for node in ast.walk(function))
        or any(name.startswith("assert_") for name in names)
        or not names.isdisjoint(ASSERTING | helpers)
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("model.fit(X, y)", False),
        ("subprocess.run(command)", False),
        ("assert model.fit(X, y)", True),
        ("np.testing.assert_array_equal(found, expected)", True),
        ("with pytest.raises(ValueError): model.fit(X, y)", True),
        ("same(found, expected)", True),
    ],
)
def test_assertions_are_told_from_calls(body, expected):
    (function,) = ast.parse(f"def test():\n    {body}").body
    assert asserts(function, helpers={"same"}) is expected


@pytest.mark.parametrize("file", [file for file in FILES if "/test_" in f"/{file}"])
def test_every_test_asserts_something(file):
    # One that only calls says nothing of what came of the call. Where being quiet is the
    # claim, and its name, warnings are errors already.
    helpers = {one.name for one in functions(FILES[file]) if asserts(one)}
    silent = [
        one.name
        for one in functions(FILES[file])
        if one.name.startswith("test_") and not asserts(one, helpers)
    ]
    assert [name for name in silent if "quiet" not in name] == []
