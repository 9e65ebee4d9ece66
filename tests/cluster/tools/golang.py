"""Go, and what is made from a Go module at an exact version.

A module is built in its own folder with its own go.sum, so every dependency has the contents that its authors
recorded; the module itself is held against the sum in its recipe.
"""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.tools import cache, debian
from tests.cluster.tools.errors import Unavailable
from tests.cluster.tools.progress import Note, step

OLDEST = (1, 21)  # the first Go that fetches a newer toolchain by itself where a module asks for one
TOOLCHAIN = "go1.26.8"


@dataclass(frozen=True)
class Module:
    """A Go module at an exact version, and the hash of its contents as `go mod download` reports it.

    `siblings` is the version of the modules that its go.mod takes from folders beside it and that are published
    on their own (Kubernetes' staging repositories).
    """

    path: str
    version: str
    sum: str
    siblings: str = ""


class Go:
    """A Go command that is new enough."""

    def __init__(self, command: Path) -> None:
        self.command = command

    def download(self, module: Module) -> Path:
        """Downloads a module, checks its sum, and returns its (read-only) folder."""
        fetched = subprocess.run(
            [self.command, "mod", "download", "-json", f"{module.path}@{module.version}"],
            env=_environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        answer = json.loads(fetched.stdout or "{}")
        if fetched.returncode != 0:
            raise Unavailable(f"{module.path}@{module.version}: {answer.get('Error') or fetched.stderr.strip()}")
        if answer["Sum"] != module.sum:
            raise Unavailable(
                f"{module.path}@{module.version} has the sum {answer['Sum']}, but its recipe says {module.sum}"
            )
        return Path(answer["Dir"])

    def build(
        self, module: Module, package: str, output: Path, note: Note, variables: str = "", *, optimised: bool = True
    ) -> None:
        """Builds one package of a module; `variables` are the linker's -X settings."""
        source = self.download(module)
        modfile = output.parent / "go.mod"
        _write_modfile(module, source, modfile)
        self._compile(
            [
                "-C", str(source), f"-modfile={modfile}", "-ldflags", f"-s -w {variables}".strip(),
                *([] if optimised else ["-gcflags=all=-N -l"]),
            ],
            package, output, note,
        )  # fmt: skip
        modfile.unlink()
        modfile.with_suffix(".sum").unlink()

    def build_with(self, modfile: Path, package: str, output: Path, note: Note) -> None:
        """Builds a package of a module that has no go.mod: with ours, and its go.sum beside it."""
        copies = {modfile: output.parent / "go.mod", modfile.with_suffix(".sum"): output.parent / "go.sum"}
        for given, copy in copies.items():
            shutil.copyfile(given, copy)
        self._compile(["-C", str(output.parent), "-ldflags", "-s -w"], package, output, note)
        for copy in copies.values():
            copy.unlink()

    def generate(self, module: Module, command: list[str], packages: tuple[str, ...]) -> None:
        """Runs a code generator over packages of a module."""
        done = subprocess.run(
            [*command, *(f"paths={package}" for package in packages)],
            cwd=self.download(module), env=_environment() | {"PATH": f"{self.command.parent}:{os.environ['PATH']}"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise Unavailable(f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}".rstrip())

    def _compile(self, arguments: list[str], package: str, output: Path, note: Note) -> None:
        command = [str(self.command), "build", *arguments]
        command += ["-mod=mod", "-trimpath", "-v", "-o", str(output), package]
        lines: list[str] = []
        with subprocess.Popen(command, env=_environment(), stderr=subprocess.PIPE, text=True) as build:
            assert build.stderr is not None
            try:
                for line in build.stderr:
                    lines.append(line)
                    note(f"{len(lines)} packages fetched or compiled")
            except BaseException:
                build.terminate()
                raise
        if build.returncode != 0:
            raise Unavailable(f"`{' '.join(command)}` failed:\n{''.join(lines[-30:])}".rstrip())


def find_go() -> Go:
    """Go from PATH, or the one that an earlier run put in the cache, or a fresh one."""
    if (command := shutil.which("go")) and _is_new_enough(Path(command)):
        return Go(Path(command))
    toolchain = cache.folder("go", TOOLCHAIN.removeprefix("go"))
    if not toolchain.is_dir():
        with step(f"go {TOOLCHAIN}: fetching, because PATH has none from {'.'.join(map(str, OLDEST))} on"):
            _fetch_toolchain(toolchain)
    return Go(toolchain / "bin" / "go")


def _is_new_enough(command: Path) -> bool:
    words = subprocess.run([command, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\bgo(\d+)\.(\d+)", words)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST


def _fetch_toolchain(target: Path) -> None:
    """Go's releases are modules too, so any old Go can fetch a new one and check it: here Debian's."""
    with cache.making(target) as folder:
        if folder is None:
            return
        debianized, modules = folder / "debian", folder / "modules"
        debianized.mkdir()
        try:
            compiler = debian.dependency("golang-go", "golang-1.")
            debian.unpack([compiler, compiler.replace("-go", "-src")], debianized)
        except Unavailable as error:
            raise Unavailable(
                f"Go {'.'.join(map(str, OLDEST))} or newer is needed to build the tools; install it from "
                f"https://go.dev/dl and put it on PATH ({error})"
            ) from error
        old_go = next(debianized.glob("usr/lib/go-1.*/bin/go"))
        version = f"golang.org/toolchain@v0.0.1-{TOOLCHAIN}.{'-'.join(cache.go_platform())}"
        fetched = subprocess.run(
            [old_go, "mod", "download", "-json", version],
            env=_environment() | {"GOROOT": str(old_go.parent.parent), "GOMODCACHE": str(modules)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if fetched.returncode != 0:
            raise Unavailable(f"{version}: {fetched.stdout}{fetched.stderr}".rstrip())
        for entry in Path(json.loads(fetched.stdout)["Dir"]).iterdir():
            shutil.move(entry, folder / entry.name)
        for program in [*folder.glob("bin/*"), *folder.glob("pkg/tool/*/*")]:
            program.chmod(0o755)  # a module's files carry no execute bit
        cache.remove(debianized)
        cache.remove(modules)


def _write_modfile(module: Module, source: Path, modfile: Path) -> None:
    """The module's own go.mod and go.sum, with its modules in folders beside it replaced by published ones."""
    text = (source / "go.mod").read_text()
    if module.siblings:
        text = re.sub(r"=> \./\S*?((?:[\w-]+\.)+\w+/\S+)", rf"=> \1 {module.siblings}", text)
    text = re.sub(r"(?m)^(replace )?\s*\S+ => \.\S*$", "", text)
    modfile.write_text(text)
    modfile.with_suffix(".sum").write_bytes((source / "go.sum").read_bytes())


def _environment() -> dict[str, str]:
    # No C compiler is asked for, and no go.work of a folder above takes part.
    return os.environ | {"CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": os.environ.get("GOTOOLCHAIN", "auto")}
