"""Finds libqueuewatch, loads it once, and checks that it is the one that _abi.py describes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

from . import _abi

SONAME = "libqueuewatch.so.1"
VARIABLE = "QUEUEWATCH_LIBRARY"
REMEDY = (
    f"build it with `cargo build --release`, or install {SONAME} where the loader looks (then run ldconfig), "
    f"or set {VARIABLE} to its path"
)


def candidates() -> Iterator[tuple[str, str]]:
    """Yield where the library may be, in the order of the search, each with the reason.

    If the environment names a path, no other is tried.
    """
    given = os.environ.get(VARIABLE)
    if given:
        yield f"${VARIABLE}", given
        return
    package = Path(__file__).resolve().parent
    yield "in the package", str(package / "_lib" / SONAME)
    above = list(package.parents)
    # Only where this is the checkout: an installed package must not load from some folder above it.
    if len(above) > 3 and [folder.name for folder in above[:3]] == ["src", "python", "bindings"]:
        yield "in the checkout", str(above[3] / "target/release/libqueuewatch.so")
    yield "on the system", SONAME


def load() -> ctypes.CDLL:
    """Return the library with its prototypes; ImportError lists all that was tried."""
    attempts = []
    for origin, path in candidates():
        try:
            # CDLL and not PyDLL: the GIL is dropped during every call.
            library = ctypes.CDLL(path)
            _refuse_other_versions(library)
            _abi.bind(library)
        except (OSError, AttributeError, _WrongVersionError) as why:
            attempts.append(f"\n  {origin}: {path}: {why}")
        else:
            return library
    raise ImportError(f"cannot load libqueuewatch; {REMEDY}; tried:{''.join(attempts)}", name=__package__)


class _WrongVersionError(Exception):
    pass


def _refuse_other_versions(library: ctypes.CDLL) -> None:
    library.qw_abi_version.restype, library.qw_abi_version.argtypes = _abi.PROTOTYPES["qw_abi_version"]
    library.qw_version.restype, library.qw_version.argtypes = _abi.PROTOTYPES["qw_version"]
    abi = library.qw_abi_version()
    version = library.qw_version().decode("ascii")
    if abi != _abi.QW_ABI_VERSION:
        wanted = _abi.QW_ABI_VERSION
        raise _WrongVersionError(f"it has ABI {abi} (version {version}), this package needs {wanted}")


lib = load()
