"""Puts the library into the wheel, built by cargo from the Rust core that is beside it.

In a checkout the core is two folders up; in an sdist it is the folder `core`. `$QUEUEWATCH_LIBRARY` means the
same as when the package is imported: a path is the library to take, without cargo, and a bare name such as
`libqueuewatch.so.1` is one that the loader finds on the system, so that the wheel holds none.

A wheel with the library is tagged for any Python 3 on this platform, such as `py3-none-linux_x86_64`: ctypes
needs no ABI of Python's. It claims no manylinux: it asks for the C library of the machine that built it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "QUEUEWATCH_LIBRARY"
BUNDLED = "queuewatch/_lib/libqueuewatch.so.1"
# The notices of the crates in the library, for a wheel that others get: a file beside the library.
NOTICES = "QUEUEWATCH_NOTICES"


class LibraryHook(BuildHookInterface):  # type: ignore[type-arg,unused-ignore,misc]
    """The build hook that hatchling calls."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the library and the tag of this platform to a wheel."""
        root = Path(self.root).resolve()
        if self.target_name == "sdist":
            included = build_data["force_include"]
            # hatchling adds that of the checkout.
            for path in [path for path in included if Path(path).name == ".gitignore"]:
                del included[path]
            included.update(core_files(root))
            return
        library = found(root)
        if library is None:
            return
        if version == "editable":
            linked(library, root / "src" / BUNDLED)
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["force_include"][str(stripped(library, Path(self.directory)))] = BUNDLED
        if os.environ.get(NOTICES):
            build_data["force_include"][os.environ[NOTICES]] = str(Path(BUNDLED).with_name("THIRD-PARTY.txt"))


def found(root: Path) -> Path | None:
    """Return the library for the wheel, built if need be; None if it is to be the system's."""
    given = os.environ.get(VARIABLE)
    if given:
        if "/" not in given:
            return None
        if not Path(given).is_file():
            raise SystemExit(
                f"${VARIABLE}: {given}: there is no such file; unset it to build the library by cargo"
            )
        return Path(given).resolve()
    core, cargo = core_of(root), shutil.which("cargo")
    if core is not None and cargo is not None:
        return built(cargo, core)
    if core is not None and (core / "target/release/libqueuewatch.so").is_file():
        return core / "target/release/libqueuewatch.so"
    missing = "cargo is not in PATH" if core is not None else f"there is no Rust core above {root} or in it"
    raise SystemExit(
        f"cannot build libqueuewatch: {missing}; install Rust, or install the sdist or the whole checkout, "
        f"or set {VARIABLE} to the path of a libqueuewatch.so, or to libqueuewatch.so.1 if the system has it"
    )


def core_of(root: Path) -> Path | None:
    """Return the folder of the crate: that of an sdist or of a checkout, and no other Rust project above."""
    places = (root / "core", *list(root.parents)[1:2])
    return next((folder for folder in places if (folder / "src/ffi/cbindgen.toml").is_file()), None)


def built(cargo: str, core: Path) -> Path:
    """Return the library that cargo made or found up to date, wherever its settings put it."""
    # The library alone: without the programs, and with the header that is committed.
    features = ("--lib", "--no-default-features")
    command = [cargo, "build", "--release", "--locked", *features, "--message-format=json-render-diagnostics"]
    ended = subprocess.run(command, cwd=core, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if ended.returncode != 0:
        raise SystemExit(f"cannot build libqueuewatch: `{' '.join(command)}` in {core} failed; see above")
    messages = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    files = [file for message in messages for file in message.get("filenames", ())]
    return Path(next(file for file in reversed(files) if file.endswith("/libqueuewatch.so")))


def stripped(library: Path, folder: Path) -> Path:
    """Return a copy without debug information, most of the library; itself where there is no strip."""
    strip = shutil.which("strip")
    if strip is None:
        return library
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / Path(BUNDLED).name
    subprocess.run([strip, "--strip-unneeded", "-o", copy, library], check=True)  # noqa: S603
    return copy


def linked(library: Path, place: Path) -> None:
    """Make `place` lead to `library`, so that an editable install finds each new build."""
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(library)


def core_files(root: Path) -> dict[str, str]:
    """Return what cargo needs of a checkout, and where it is in the sdist."""
    core = core_of(root)
    if core is None:
        raise SystemExit(f"an sdist holds the Rust core, and {root} is not in its checkout")
    names = (
        "Cargo.toml",
        "Cargo.lock",
        "build.rs",
        "src",
        "include",
        "README.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        # Cargo.toml names them, so cargo refuses a package without them; nothing compiles them here.
        "tests/hermetic/main.rs",
        "tests/real/main.rs",
    )
    return {str(core / name): f"core/{name}" for name in names}
