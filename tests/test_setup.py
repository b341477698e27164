"""Set-up: what is installed, what the READMEs promise, one address, one version, clear refusals."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, requires
from itertools import chain
from pathlib import Path

import pytest
import rattler
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import chapter10

ROOT = Path(__file__).resolve().parent.parent
READMES = ["README.md", "README.zh.md"]
COMMANDS = ["pretrain", "finetune", "generate", "fill", "data", "evidence", "bench", "doctor"]


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


PROJECT = tomllib.loads(_text("pyproject.toml"))["project"]
CONFIG = yaml.safe_load(_text("_config.yml"))
ENVIRONMENT = yaml.safe_load(_text("environment.yml"))
ADDRESS = CONFIG["repository"]["url"]
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(r"^([\w.-]+)==(\S+)$", _text("constraints.txt"), re.MULTILINE)
}
EXTRAS = PROJECT["optional-dependencies"]
ASKED = [Requirement(line) for line in [*PROJECT["dependencies"], *chain(*EXTRAS.values())]]


# --- versions


def test_every_line_of_the_constraints_is_an_exact_pin() -> None:
    lines = [x for x in _text("constraints.txt").splitlines() if x and not x.startswith("#")]
    assert len(lines) == len(PINS) > 100
    assert not any("+" in line or "@" in line for line in lines)


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_pin_lies_in_the_range(asked: Requirement) -> None:
    assert PINS[canonicalize_name(asked.name)] in asked.specifier


@pytest.mark.parametrize("name", sorted(PINS))
def test_the_pin_installs_on_the_oldest_python_we_name(name: str) -> None:
    """Debian 12 has Python 3.11.2, and some packages ask for 3.11.5."""
    try:
        wanted = metadata(name).get("Requires-Python", "")
    except PackageNotFoundError:
        pytest.skip("not installed here")
    assert PROJECT["requires-python"] == ">=3.11"
    assert SpecifierSet(wanted).contains("3.11.0")


def test_everything_that_set_up_brings_is_pinned() -> None:
    """What a package asks for exactly needs no pin of ours, nor do torch's CUDA libraries."""
    todo, seen, unpinned = list(ASKED), set(), set()
    while todo:
        asked = todo.pop()
        name = canonicalize_name(asked.name)
        key = (name, *sorted(asked.extras))
        if key in seen or (
            any(spec.operator == "==" for spec in asked.specifier) and name not in PINS
        ):
            continue
        seen.add(key)
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        if name not in PINS:
            unpinned.add(name)
        for line in map(Requirement, lines):
            extras = [*asked.extras, ""]
            if line.marker is None or any(line.marker.evaluate({"extra": e}) for e in extras):
                todo.append(line)
    assert {
        name
        for name in unpinned
        if not name.startswith(("cuda-", "nvidia-", "setuptools", "wheel"))
    } == set()


def test_the_version_is_the_same_everywhere() -> None:
    version = PROJECT["version"]
    assert chapter10.__version__ == version
    assert yaml.safe_load(_text("CITATION.cff"))["version"] == version
    assert re.search(rf"^## {re.escape(version)}\b", _text("CHANGELOG.md"), re.MULTILINE)


def test_an_installed_package_has_its_data_files() -> None:
    """An editable install, as ours, finds files that a wheel would leave out."""
    setuptools = tomllib.loads(_text("pyproject.toml"))["tool"]["setuptools"]
    patterns = setuptools["package-data"]["chapter10"]
    package = ROOT / "chapter10"
    files = [
        path.relative_to(package)
        for path in package.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    ]
    shipped = {f.relative_to(package) for pattern in patterns for f in package.glob(pattern)}
    assert files
    assert sorted(str(file) for file in set(files) - shipped) == []


# --- conda and Binder

CONDA_NAMES = {"matplotlib-base": "matplotlib", "pytorch": "torch"}


def test_environment_yml_has_valid_specs_and_the_same_ranges() -> None:
    *specs, from_pypi = ENVIRONMENT["dependencies"]
    assert from_pypi == {"pip": ["-e .[book]"]}
    ours = {
        canonicalize_name(r.name): r.specifier for r in map(Requirement, PROJECT["dependencies"])
    }
    shared = 0
    for spec in specs:
        match = rattler.MatchSpec(spec, strict=True)
        name = str(match.name.normalized if hasattr(match.name, "normalized") else match.name)
        pypi_name = CONDA_NAMES.get(name, name)
        if pypi_name in ours:
            shared += 1
            assert spec == f"{name}{_ordered(str(ours[pypi_name]))}"
    assert shared >= 4
    assert ENVIRONMENT["name"] == "chapter10"
    assert ENVIRONMENT["channels"][0] == "conda-forge"


def _ordered(specifier: str) -> str:
    """Write a range with its lower end first; packaging keeps no order."""
    return ",".join(sorted(specifier.split(","), reverse=True))


def test_a_bad_spec_would_be_found() -> None:
    with pytest.raises(Exception, match="unable to parse"):
        rattler.MatchSpec("numpy>=>1", strict=True)


# --- one address


@pytest.mark.parametrize(
    "name",
    ["CITATION.cff", "pyproject.toml", "CHANGELOG.md", *READMES]
    + [p.relative_to(ROOT).as_posix() for p in sorted((ROOT / "book").glob("*.ipynb"))],
)
def test_the_address_is_the_one_in_the_config(name: str) -> None:
    owner_and_name = ADDRESS.removeprefix("https://github.com/")
    found = re.findall(r"(?:github\.com|/gh|/github)/([\w.-]+/chapter10)\b", _text(name))
    assert set(found) <= {owner_and_name}
    if name in {"CITATION.cff", "pyproject.toml", *READMES}:
        assert found


# --- what the READMEs promise


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):(?!=)", _text("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("name", READMES)
def test_every_make_command_of_a_readme_exists(name: str) -> None:
    promised = set(re.findall(r"\bmake ([a-z-]+)", _text(name)))
    promised -= {"and", "or"}
    assert {"book", "test", "serve", "notebooks", "evidence", "bench", "clean"} <= promised
    assert promised <= _targets()


def test_both_readmes_show_the_same_code() -> None:
    def code(name: str) -> list[str]:
        blocks = re.findall(r"```(?:sh|powershell|python)\n(.*?)```", _text(name), re.DOTALL)
        return [re.sub(r"\s*# .*", "", block) for block in blocks]

    assert code("README.md") == code("README.zh.md")
    headings = [len(re.findall(r"^#+ ", _text(name), re.MULTILINE)) for name in READMES]
    assert headings[0] == headings[1]


@pytest.mark.parametrize("name", READMES)
def test_every_path_of_a_readme_exists(name: str) -> None:
    layout = re.findall(r"^([\w./-]+)  +\S", _text(name), re.MULTILINE)
    links = re.findall(r"\]\(([\w./]+)\)", _text(name))
    assert len(layout) >= 7
    assert [path for path in [*layout, *links] if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", READMES)
def test_the_readme_example_runs(name: str, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", _text(name), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\(\[?2, \d+, \d+\]?\)", done.stdout)
    config = json.loads((tmp_path / "runs/tiny/config.json").read_text(encoding="utf-8"))
    assert config["hidden_size"] == 64
    assert (tmp_path / "runs/tiny/model.safetensors").is_file()


@pytest.mark.parametrize("name", READMES)
def test_the_readme_names_the_commands_of_the_package(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chapter10", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for command in COMMANDS:
        assert f"`{command}`" in _text(name)
        assert re.search(rf"\b{command}\b", done.stdout)
