"""Where an import of one file of a project leads, among the files that the project has."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from bot.source.surroundings import normal, within

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator, Mapping

_ENDINGS = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json")
# `./config.js` in TypeScript means the file that will be compiled to it.
_COMPILED = {".js": (".ts", ".tsx"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}


def typescript_targets(
    source: str, spec: str, files: Container[str], roots: Collection[str], packages: Mapping[str, str]
) -> str | None:
    """The file that a module specifier means; `roots` are folders with a package.json or tsconfig.json."""
    for base in _typescript_bases(source, spec, roots, packages):
        for path in _with_endings(base):
            if path in files:
                return path
    return None


def _typescript_bases(source: str, spec: str, roots: Collection[str], packages: Mapping[str, str]) -> Iterator[str]:
    if spec.startswith("."):
        yield normal(PurePosixPath(source).parent / spec)
        return
    if spec.startswith(("@/", "~/", "~~/", "$lib/", "#/")):
        rest = spec.partition("/")[2]
        near = sorted((root for root in roots if within(source, root)), key=len, reverse=True)
        for root in near:
            for inner in ("", "src", "app", "lib", "src/lib"):
                yield normal(PurePosixPath(root) / inner / rest)
        return
    for name, folder in packages.items():
        if spec != name and not spec.startswith(f"{name}/"):
            continue
        rest = spec[len(name) + 1 :]
        for inner in ("src", "", "lib"):
            yield normal(PurePosixPath(folder) / inner / (rest or "index"))


def _with_endings(base: str) -> Iterator[str]:
    yield base
    for ending, sources in _COMPILED.items():
        if base.endswith(ending):
            for other in sources:
                yield base[: -len(ending)] + other
    for ending in _ENDINGS:
        yield base + ending
    for ending in _ENDINGS:
        yield f"{base}/index{ending}"


def python_target(source: str, spec: str, files: Container[str], top: str) -> str | None:
    """The file that a module name means; `top` is the folder above which nothing is looked for."""
    name = spec.lstrip(".")
    dots = len(spec) - len(name)
    if not dots and name.partition(".")[0] == "livekit":
        return None  # a folder of that name in the project is not the package
    inner = name.replace(".", "/")
    folder = PurePosixPath(source).parent
    bases: list[PurePosixPath] = []
    if dots:
        for _ in range(dots - 1):
            folder = folder.parent
        bases.append(folder)
    else:
        while True:
            bases.extend([folder, folder / "src"])
            if str(folder) == top or folder == folder.parent or not within(str(folder), top):
                break
            folder = folder.parent
    for base in bases:
        stem = normal(base / inner) if inner else normal(base)
        for path in (f"{stem}.py", f"{stem}/__init__.py"):
            if path in files and path != source:
                return path
    return None
