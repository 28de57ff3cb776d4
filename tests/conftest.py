from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import yearmark

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def tagger() -> yearmark.Tagger:
    return yearmark.load()


@pytest.fixture(scope="session")
def command():
    """Run the command in a process of its own; returns it with stdout and stderr as bytes."""

    def run(*arguments: object, stdin: bytes = b"", cwd: Path = ROOT) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [Path(sys.executable).with_name("yearmark"), *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=cwd,
            timeout=120,
        )

    return run
