"""The Makefile and CI: every command is listed, set-up happens once, refusals are one sentence."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import chromium
import ci_summary
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# --- make

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def _make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what set-up reads, and no environment yet."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def _script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@needs_make
def test_help_is_the_default_and_lists_every_command(checkout: Path) -> None:
    done = _make(checkout)
    assert done.returncode == 0
    assert done.stdout == _make(checkout, "help").stdout
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)", _text("Makefile"), re.MULTILINE)
    assert phony
    targets = set(phony.group(1).replace("\\\n", " ").split())
    assert targets == set(re.findall(r"^  ([a-z-]+) ", done.stdout, re.MULTILINE))


@needs_make
@pytest.mark.parametrize("body", ["exit 1", "echo 'No module named venv' >&2; exit 1"])
def test_an_old_or_missing_python_gives_one_clear_sentence(checkout: Path, body: str) -> None:
    old = _script(checkout / "old-python", body)
    for python in (str(old), "no-such-python"):
        done = _make(checkout, "book", f"PYTHON={python}")
        assert done.returncode != 0
        first, *rest = done.stderr.splitlines()
        assert "needs Python 3.11 or newer" in first
        assert python in first
        assert "PYTHON=/path/to/python3.12" in first
        assert all(line.startswith("make") for line in rest)
        assert not (checkout / ".venv").exists()


@needs_make
def test_set_up_happens_once_and_again_when_the_pins_change(checkout: Path) -> None:
    """A stand-in for Python notes what it is asked for; real installation is CI's first step."""
    log = checkout / "log"
    body = f"""echo "$@" >> {log}
case "$*" in
  "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac"""
    python = _script(checkout / "python", body)

    def installs() -> int:
        assert _make(checkout, "setup", f"PYTHON={python}").returncode == 0
        return log.read_text(encoding="utf-8").count("-m pip install")

    assert installs() == 1
    assert installs() == 1
    pip = next(x for x in log.read_text(encoding="utf-8").splitlines() if "pip install" in x)
    assert "-c constraints.txt" in pip
    assert ".[book,test,real]" in pip
    later = (checkout / ".venv/.installed").stat().st_mtime + 5
    os.utime(checkout / "constraints.txt", (later, later))
    assert installs() == 2


@needs_make
def test_a_failed_installation_is_tried_again(checkout: Path) -> None:
    body = """case "$*" in
  "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  "-m pip "*) exit 1 ;;
esac"""
    python = _script(checkout / "python", body)
    for _ in range(2):
        done = _make(checkout, "setup", f"PYTHON={python}")
        assert done.returncode != 0
        assert "PIP_INDEX_URL" in done.stderr
        assert not (checkout / ".venv/.installed").exists()


# --- CI


def test_the_public_workflow_runs_the_same_commands() -> None:
    jobs = yaml.safe_load(_text(".github/workflows/ci.yml"))["jobs"]
    assert ".ci/run" in [step.get("run") for step in jobs["test"]["steps"]]
    assert jobs["publish"]["needs"] == "test"
    without_make = [s["run"] for s in jobs["without-make"]["steps"] if "run" in s]
    readme = _text("README.md")
    assert all(command.removeprefix("python -m ") in readme for command in without_make)


def test_ci_run_is_sound_and_calls_make() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    lines = script.read_text(encoding="utf-8").splitlines()
    assert [x for x in lines if x.startswith("make ")] == [
        "make test",
        "make book",
        "make test-real",
    ]
    assert "set -euo pipefail" in lines


def test_the_summary_counts_what_the_reports_say(tmp_path: Path) -> None:
    suite = (
        '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'
    )
    (tmp_path / "a.xml").write_text(suite.format(10, 2, 1, 3))
    (tmp_path / "b.xml").write_text(suite.format(5, 0, 0, 0))
    assert ci_summary.summary(tmp_path) == "9 passed, 3 failed, 3 skipped"


def test_a_named_chromium_wins_and_a_wrong_name_is_not_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named = _script(tmp_path / "my-chromium", "exit 0")
    monkeypatch.setenv("CHAPTER10_CHROMIUM", str(named))
    assert chromium.find_chromium() == str(named)
    monkeypatch.setenv("CHAPTER10_CHROMIUM", str(tmp_path / "gone"))
    assert chromium.find_chromium() is None
    monkeypatch.delenv("CHAPTER10_CHROMIUM")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert chromium.find_chromium() is None
    _script(tmp_path / "google-chrome", "exit 0")
    assert chromium.find_chromium() == str(tmp_path / "google-chrome")


def test_no_file_of_the_project_is_larger_than_five_megabytes() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    if not listed:
        pytest.skip("not a git checkout")
    assert [f for f in listed if (ROOT / f).is_file() and (ROOT / f).stat().st_size > 5e6] == []
