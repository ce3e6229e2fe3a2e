"""Wheels, editable installs and sdists: what pip makes of bindings/python, used where there is no Rust."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import NOW, ROOT

PROJECT = ROOT / "bindings/python"
BUILT = Path(os.environ.get("QUEUEWATCH_LIBRARY") or ROOT / "target/release/libqueuewatch.so")
PLATFORM = sysconfig.get_platform().replace("-", "_").replace(".", "_")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")

# Says which file was loaded, so that no test can pass by another library of this machine.
LOOK = """if True:
    import sys, queuewatch
    snap = queuewatch.scan(queue_directory=sys.argv[1], now=int(sys.argv[2]))
    maps = open("/proc/self/maps").read().split()
    print(snap["deferred.messages"], {word for word in maps if "libqueuewatch" in word}, sep="|")
"""


def ran(
    *command: str | Path, path: str = "/usr/bin:/bin", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run with nothing in the environment that could help, cargo and the library least of all."""
    words = [str(word) for word in command]
    cwd = environment.pop("cwd", "/")
    environment = {"PATH": path, "HOME": cwd, "LC_ALL": "C.UTF-8", **environment}
    return subprocess.run(words, env=environment, cwd=cwd, capture_output=True, text=True, check=False)


def done(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def wheel(source: Path, folder: Path, path: str = "/usr/bin:/bin", **environment: str) -> Path:
    """Build a wheel as pip does, with the backend that is here instead of a download."""
    done(
        ran(
            *PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, source, path=path, **environment
        )
    )
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of a fresh virtual environment."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    return tmp_path / "venv/bin/python"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """The project alone, without anything else of the checkout."""
    # Three folders down, so that nothing of the checkout is two folders above.
    folder = tmp_path / "some/folder/python"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("_lib", "__pycache__", ".*_cache"))
    return folder


def looked(python: Path, spool: Path, empty: Path) -> Path:
    """Scan from an empty folder; return the library that did it."""
    messages, loaded = done(ran(python, "-c", LOOK, spool, str(NOW), cwd=str(empty))).strip().split("|")
    assert messages == "194"
    return Path(loaded.strip("{}'"))


def stripped(library: Path, folder: Path) -> bytes:
    """Return the library as in a wheel if there is a strip: without debug information."""
    copy = folder / "stripped.so"
    done(ran("/usr/bin/strip", "--strip-unneeded", "-o", copy, library))
    return copy.read_bytes()


def test_a_wheel_runs_where_there_is_no_rust(spool: Path, tmp_path: Path, python: Path, empty: Path) -> None:
    made = wheel(PROJECT, tmp_path, QUEUEWATCH_LIBRARY=str(BUILT))
    assert made.name == f"queuewatch-{version()}-py3-none-{PLATFORM}.whl"
    with zipfile.ZipFile(made) as archive:
        assert archive.read("queuewatch/_lib/libqueuewatch.so.1") == stripped(BUILT, tmp_path)
        names = archive.namelist()
        metadata = archive.read(f"queuewatch-{version()}.dist-info/METADATA").decode()
    assert sum("libqueuewatch" in name for name in names) == 1
    assert "queuewatch/py.typed" in names
    assert [name for name in names if name.endswith(("/LICENSE-MIT", "/LICENSE-APACHE"))]
    assert "Requires-Python: >=3.9" in metadata
    assert [
        line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra" not in line
    ] == []

    done(ran(*PIP, "--python", python, "install", "--no-index", "--no-deps", made))
    loaded = looked(python, spool, empty)
    assert loaded.parts[-4:] == ("site-packages", "queuewatch", "_lib", "libqueuewatch.so.1")
    assert loaded.is_relative_to(tmp_path)
    assert "Version: " + version() in metadata


def test_an_editable_install_runs_the_checkout(spool: Path, python: Path, empty: Path, alone: Path) -> None:
    editable = (*PIP, "--python", python, "install", "--no-index", "--no-deps", "--no-build-isolation")
    backend = str(Path(sysconfig.get_path("purelib")))
    done(ran(*editable, "--editable", alone, QUEUEWATCH_LIBRARY=str(BUILT), PYTHONPATH=backend))
    assert looked(python, spool, empty) == BUILT.resolve()
    # It is the source that runs, and not a copy of it.
    with (alone / "src/queuewatch/__init__.py").open("a") as source:
        source.write("\nedited = 'yes'\n")
    assert done(ran(python, "-c", "import queuewatch; print(queuewatch.edited)")) == "yes\n"


def test_pip_builds_the_library_by_cargo(tmp_path: Path) -> None:
    """Quick, as cargo finds the library that these tests run with up to date."""
    cargo = shutil.which("cargo")
    assert cargo is not None, "cargo built the library, and must be in PATH"
    path = f"{Path(cargo).parent}:/usr/bin:/bin"
    made = wheel(PROJECT, tmp_path, path=path, **{"HOME": str(Path.home()), **cargo_settings()})
    library = cargo_target() / "release/libqueuewatch.so"
    with zipfile.ZipFile(made) as archive:
        assert archive.read("queuewatch/_lib/libqueuewatch.so.1") == stripped(library, tmp_path)


def test_without_cargo_a_library_that_was_built_is_taken(alone: Path, tmp_path: Path) -> None:
    core = alone / "core"
    (core / "src/ffi").mkdir(parents=True)
    (core / "src/ffi/cbindgen.toml").touch()
    (core / "target/release").mkdir(parents=True)
    shutil.copy(BUILT, core / "target/release/libqueuewatch.so")
    # Debian's cargo lies in /usr/bin: nothing is found there.
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    with zipfile.ZipFile(wheel(alone, tmp_path, path=str(nothing))) as archive:
        assert archive.read("queuewatch/_lib/libqueuewatch.so.1") == BUILT.read_bytes()


def test_a_bare_name_leaves_the_library_to_the_system(alone: Path, tmp_path: Path) -> None:
    made = wheel(alone, tmp_path, QUEUEWATCH_LIBRARY="libqueuewatch.so.1")
    assert made.name == f"queuewatch-{version()}-py3-none-any.whl"
    with zipfile.ZipFile(made) as archive:
        assert not [name for name in archive.namelist() if "_lib/" in name]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "there is no Rust core above"),
        (
            {"QUEUEWATCH_LIBRARY": "/nonexistent/x.so"},
            "$QUEUEWATCH_LIBRARY: /nonexistent/x.so: there is no such",
        ),
    ],
    ids=["nothing", "no such file"],
)
def test_what_cannot_be_built_says_why(alone: Path, tmp_path: Path, given: dict[str, str], said: str) -> None:
    build = (*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, alone)
    ended = ran(*build, **given)
    assert ended.returncode != 0
    assert said in ended.stderr
    assert not list(tmp_path.glob("*.whl"))


def test_an_sdist_holds_the_core(tmp_path: Path) -> None:
    done(ran(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=str(PROJECT)))
    (made,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(made) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    core = {f"core/{path.relative_to(ROOT)}" for path in (ROOT / "src").rglob("*") if path.is_file()}
    needed = {"core/Cargo.toml", "core/Cargo.lock", "core/build.rs", "core/include/queuewatch.h"}
    needed |= {f"core/tests/{binary}/main.rs" for binary in ("hermetic", "real")}
    assert core | needed <= names
    own = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / "src").rglob("*.py")}
    own |= {
        "src/queuewatch/py.typed",
        "pyproject.toml",
        "hatch_build.py",
        "README.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
    }
    # Nothing is missing, and nothing else is in it.
    core |= needed | {f"core/{name}" for name in ("README.md", "LICENSE-MIT", "LICENSE-APACHE")}
    core |= {f"core/{path.relative_to(ROOT)}" for path in (ROOT / "include").iterdir()}
    assert names == own | core | {"PKG-INFO"}


def version() -> str:
    import queuewatch

    return queuewatch.__version__


def cargo_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("CARGO_", "RUSTUP_"))}


def cargo_target() -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
