"""Puts the library into the wheel, if `cargo build --release` has made it in this checkout.

Such a wheel works wherever the library does, and its tag says so (`py3-none-linux_x86_64`). Without the
library the wheel is pure Python and loads `libqueuewatch.so.0` from where the system has it.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LibraryHook(BuildHookInterface):  # type: ignore[type-arg,unused-ignore,misc]
    """The build hook that hatchling calls."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the library and the tag of this platform to a wheel."""
        library = Path(self.root).resolve().parents[1] / "target/release/libqueuewatch.so"
        if self.target_name != "wheel" or version == "editable" or not library.is_file():
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["force_include"][str(library)] = "queuewatch/_lib/libqueuewatch.so.0"
