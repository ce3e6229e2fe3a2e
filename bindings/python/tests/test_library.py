"""Finding the library: where, in which order, and what is said if it is not there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import queuewatch
from queuewatch import _abi, _library
from queuewatch._library import lib

SOURCE = Path(_library.__file__).parents[1]


def test_one_version_everywhere() -> None:
    cargo = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    project = re.search(
        r'^version = "(.+)"$', (ROOT / "bindings/python/pyproject.toml").read_text(), re.MULTILINE
    )
    assert cargo is not None
    assert project is not None
    assert lib.qw_version().decode() == queuewatch.__version__ == cargo[1] == project[1]
    assert lib.qw_abi_version() == _abi.QW_ABI_VERSION


def test_a_checkout_looks_in_its_own_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUEUEWATCH_LIBRARY", raising=False)
    paths = [path for _, path in _library.candidates()]
    assert paths == [
        str(SOURCE / "queuewatch/_lib/libqueuewatch.so.1"),
        str(ROOT / "target/release/libqueuewatch.so"),
        "libqueuewatch.so.1",
    ]


def test_an_installed_package_does_not_look_above_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("QUEUEWATCH_LIBRARY", raising=False)
    module = tmp_path / "lib/python3/site-packages/queuewatch/_library.py"
    monkeypatch.setattr(_library, "__file__", str(module))
    paths = [path for _, path in _library.candidates()]
    assert paths == [str(module.parent / "_lib/libqueuewatch.so.1"), "libqueuewatch.so.1"]


def imported(library: Path) -> str:
    """What an import says that may use only `library`."""
    program = "import sys\ntry:\n import queuewatch\nexcept ImportError as e:\n print(e.name, e, sep='|')"
    environment = {**os.environ, "QUEUEWATCH_LIBRARY": str(library), "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def made(folder: Path, source: str) -> Path:
    library = folder / "libother.so"
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-o", str(library), "-"]
    subprocess.run(command, input=source, text=True, check=True)
    return library


def test_no_library_is_an_import_error_with_the_remedy(tmp_path: Path) -> None:
    said = imported(tmp_path / "none.so")
    assert said.startswith("queuewatch|cannot load libqueuewatch; build it with `cargo build --release`, or ")
    assert f"$QUEUEWATCH_LIBRARY: {tmp_path}/none.so: " in said
    assert said.count("\n  ") == 1, "an order in the environment is the only attempt"


def test_every_attempt_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = [("in the package", "/none/a.so"), ("on the system", "libnone.so.0")]
    monkeypatch.setattr(_library, "candidates", lambda: iter(tried))
    with pytest.raises(ImportError) as caught:
        _library.load()
    for origin, path in tried:
        assert f"\n  {origin}: {path}: " in str(caught.value)


@pytest.mark.parametrize(
    ("abi", "version", "said"),
    [
        (7, "0.1.0", "it has ABI 7 (version 0.1.0), this package needs 1"),
        (0, "0.1.0", "it has ABI 0 (version 0.1.0), this package needs 1"),
        (1, "9.9.9", "undefined symbol: qw_options_new"),
    ],
)
def test_another_library_is_refused(tmp_path: Path, abi: int, version: str, said: str) -> None:
    source = f"unsigned qw_abi_version(void) {{ return {abi}; }}"
    source += f'const char *qw_version(void) {{ return "{version}"; }}'
    assert said in imported(made(tmp_path, source))


def test_a_library_of_somebody_else_is_refused(tmp_path: Path) -> None:
    assert "undefined symbol: qw_abi_version" in imported(made(tmp_path, "int one(void) { return 1; }"))
