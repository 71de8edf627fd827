"""What every test may use: the reference data, and which engine of the codec serves.

Reference data (vectors, recordings of real cars and chargers) belongs to others and is no part of the project. Tests
that use it look in `$OPENHLC_REFERENCE`, by default `../shared` beside the checkout, and skip where it is absent.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = Path(os.environ.get("OPENHLC_REFERENCE") or ROOT.parent / "shared")

# A shared machine may be slow: examples are bounded by their number, not by the clock.
settings.register_profile("openhlc", deadline=None, print_blob=True)
settings.load_profile("openhlc")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough", action="store_true", help="try every case where a sample is the rule; takes many minutes"
    )


def pytest_collection_finish() -> None:
    """What has been collected stays: the garbage collector need not look at thousands of tests within each of them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def thorough(pytestconfig: pytest.Config) -> bool:
    """Whether every case is to be tried where a sample is the rule."""
    return bool(pytestconfig.getoption("--thorough"))


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference data; tests that ask for it are skipped where there is none."""
    if not REFERENCE.is_dir():
        pytest.skip(f"no reference data at {REFERENCE} (set OPENHLC_REFERENCE)")
    return REFERENCE


def pytest_report_header() -> str:
    """Say which engine the commands and the sessions under test use; codec tests use every engine that there is."""
    try:
        import exi
    except ImportError as error:
        return f"exi engine: not importable ({error})"
    return f"exi engine: {exi.engine}; reference data: {REFERENCE if REFERENCE.is_dir() else 'none'}"
