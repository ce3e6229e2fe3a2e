"""_abi.py is include/queuewatch.h: functions, types, fields, offsets, values."""

from __future__ import annotations

import ctypes
import re
import subprocess
from ctypes import POINTER
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from queuewatch import _abi
from queuewatch._library import lib

HEADER = ROOT / "include/queuewatch.h"
OPAQUE = (
    "options",
    "watch",
    "snapshot",
    "messages",
    "reasons",
    "shape",
    "shape_rows",
    "verdict",
    "text",
    "error",
)
ROWS = (
    "bytes",
    "problem",
    "message",
    "delay",
    "reason",
    "shape_row",
    "finding",
    "event",
    "option",
    "measure",
    "cause",
    "instance",
)
SCALARS: dict[str, Any] = {
    "void": None,
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t,
    "double": ctypes.c_double,
}


def preprocessed(*flags: str) -> str:
    command = ["gcc", "-E", *flags, str(HEADER)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def header() -> str:
    # The attributes are for compilers.
    return re.sub(r"\s+", " ", preprocessed("-P", "-DQW_API=", "-DQW_NO_WARN_UNUSED"))


@pytest.fixture(scope="module")
def typedefs(header: str) -> dict[str, str]:
    return {name: kind for kind, name in re.findall(r"typedef (u?int\d+_t) (qw_\w+) ?;", header)}


def ctype(spelling: str, typedefs: dict[str, str]) -> Any:
    """The ctypes type of a C type, with or without a parameter's name behind it."""
    words = re.findall(r"\w+|\*", re.sub(r"\b(const|struct)\b", "", spelling))
    stars = words.count("*")
    base = words[0]
    base = typedefs.get(base, base)
    kind: Any
    if base == "char" and stars:
        kind, stars = ctypes.c_char_p, stars - 1
    elif base == "uint8_t" and stars == 1:
        return ctypes.c_void_p
    elif base == "void" and stars:
        kind, stars = ctypes.c_void_p, stars - 1
    else:
        kind = SCALARS[base] if base in SCALARS else getattr(_abi, base)
    for _ in range(stars):
        kind = POINTER(kind)
    return kind


def declared(header: str, typedefs: dict[str, str]) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    found = {}
    for result, name, parameters in re.findall(r"(?<=[;}{] )([\w *]+?)\b(qw_\w+) ?\(([^()]*)\) ?;", header):
        kinds = [] if parameters.strip() in ("", "void") else parameters.split(",")
        plain = result.replace("extern", "")
        found[name] = (ctype(plain, typedefs), tuple(ctype(kind, typedefs) for kind in kinds))
    return found


def test_every_function_has_its_prototype(header: str, typedefs: dict[str, str]) -> None:
    functions = declared(header, typedefs)
    mentioned = set(re.findall(r"\b(qw_\w+) ?\(", header))
    assert set(functions) == mentioned, "the parser of this test must see every function"
    assert set(functions) == set(_abi.PROTOTYPES)
    for name, prototype in functions.items():
        assert _abi.PROTOTYPES[name] == prototype, name
        function = getattr(lib, name)
        assert (function.restype, tuple(function.argtypes)) == prototype, name


def test_the_log_callback_is_as_declared(header: str, typedefs: dict[str, str]) -> None:
    match = re.search(r"typedef (\w+) \(\*qw_log_fn\)\(([^()]*)\) ?;", header)
    assert match is not None
    kinds = tuple(ctype(kind, typedefs) for kind in match[2].split(","))
    log: Any = _abi.qw_log_fn
    assert (log._restype_, log._argtypes_) == (ctype(match[1], typedefs), kinds)


def test_structs_have_the_fields_of_the_header(header: str, typedefs: dict[str, str]) -> None:
    declared_as = r"typedef struct (?:qw_\w+ )?\{([^{}]*)\} ?(qw_\w+) ?;"
    bodies = {name: body for body, name in re.findall(declared_as, header)}
    assert set(bodies) == {f"qw_{name}" for name in ROWS}
    for name, body in bodies.items():
        fields = [field.strip() for field in body.split(";") if field.strip()]
        wanted = [(field.split()[-1].lstrip("*"), ctype(field, typedefs)) for field in fields]
        assert list(getattr(_abi, name)._fields_) == wanted, name
    opaque = set(re.findall(r"typedef struct (qw_\w+) qw_\w+ ?;", header))
    assert opaque == {f"qw_{name}" for name in OPAQUE}


def test_values_and_offsets_are_those_of_the_compiler(tmp_path: Path) -> None:
    macros = set(re.findall(r"^#define (QW_\w+)\b", preprocessed("-dM"), re.MULTILINE))
    # These are for compilers.
    macros -= {"QW_API", "QW_WARN_UNUSED", "QW_DEPRECATED"}
    ours = {name: getattr(_abi, name) for name in vars(_abi) if name.startswith("QW_")}
    assert macros == set(ours)

    lines = []
    wanted = []
    for name, value in ours.items():
        if isinstance(value, str):
            lines.append(f'printf("{name} %s\\n", {name});')
        else:
            lines.append(f'printf("{name} %lld\\n", (long long)({name}));')
        wanted.append(f"{name} {-1 if value == _abi.QW_NUL else value}")
    for short in ROWS:
        struct = getattr(_abi, f"qw_{short}")
        lines.append(f'printf("{short} %zu\\n", sizeof(qw_{short}));')
        wanted.append(f"{short} {ctypes.sizeof(struct)}")
        end = 0
        for field, kind in struct._fields_:
            place = f"{short}.{field}"
            lines.append(
                f'printf("{place} %zu %zu\\n", offsetof(qw_{short}, {field}), '
                f"sizeof(((qw_{short} *)0)->{field}));"
            )
            wanted.append(f"{place} {getattr(struct, field).offset} {ctypes.sizeof(kind)}")
            assert getattr(struct, field).offset == end, f"{place}: a hole before it"
            end += ctypes.sizeof(kind)
        assert end == ctypes.sizeof(struct), f"{short}: a hole at its end"

    source = tmp_path / "layout.c"
    body = "\n".join(lines)
    source.write_text(
        f'#include "{HEADER}"\n#include <stddef.h>\n#include <stdio.h>\n'
        f"int main(void) {{\n{body}\nreturn 0; }}\n"
    )
    program = tmp_path / "layout"
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(source)], check=True)
    printed = subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == wanted


def test_a_handle_of_another_kind_is_refused() -> None:
    with pytest.raises(ctypes.ArgumentError):
        lib.qw_snapshot_free(_abi.verdict_p())
    with pytest.raises(ctypes.ArgumentError):
        lib.qw_snapshot_now(1234)


def test_the_gil_is_dropped_during_calls() -> None:
    assert isinstance(lib, ctypes.CDLL)
    assert not isinstance(lib, ctypes.PyDLL)
