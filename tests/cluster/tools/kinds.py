"""The ways in which a tool is made. Each fills one folder of the cache."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.cluster.tools import debian
from tests.cluster.tools.errors import Unavailable
from tests.cluster.tools.golang import Module, find_go
from tests.cluster.tools.progress import Note


class Recipe(Protocol):
    """What is made (the name of its file), its version, and how."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    def make(self, folder: Path, note: Note) -> None:
        """Writes `folder / name`, and what it needs beside it."""


@dataclass(frozen=True)
class ModuleFile:
    """A script that a Go module carries."""

    name: str
    module: Module
    path: str

    def write(self, folder: Path) -> None:
        shutil.copyfile(find_go().download(self.module) / self.path, folder / self.name)
        (folder / self.name).chmod(0o755)


@dataclass(frozen=True)
class GoProgram:
    """A program built from a package of a Go module, and the scripts that it looks for beside itself.

    One that has little to do is not `optimised`: to compile it takes 0.6 of the processor's time then.
    """

    name: str
    module: Module
    package: str
    variables: str = ""
    beside: tuple[ModuleFile, ...] = ()
    optimised: bool = True

    @property
    def version(self) -> str:
        return self.module.version

    def make(self, folder: Path, note: Note) -> None:
        go, program = find_go(), folder / self.name
        go.build(self.module, self.package, program, note, self.variables, optimised=self.optimised)
        for file in self.beside:
            file.write(folder)


@dataclass(frozen=True)
class OldGoProgram:
    """A program of a Go module that is older than go.mod: `NAME.mod` and `NAME.sum` beside this file pin the rest."""

    name: str
    module: Module
    package: str

    @property
    def version(self) -> str:
        return self.module.version.removesuffix("+incompatible")

    def make(self, folder: Path, note: Note) -> None:
        go = find_go()
        go.download(self.module)
        modfile = Path(__file__).with_name(f"{self.name}.mod")
        go.build_with(modfile, f"{self.module.path}/{self.package}", folder / self.name, note)


@dataclass(frozen=True)
class DebianProgram:
    """A program of a Debian package, at the version that this Debian has."""

    name: str
    package: str

    @property
    def version(self) -> str:
        return debian.release()

    def make(self, folder: Path, note: Note) -> None:
        try:
            debian.unpack([self.package], folder)
        except Unavailable as error:
            raise Unavailable(f"install {self.name} and put it on PATH ({error})") from error
        (folder / self.name).symlink_to(Path("usr/bin") / self.name)
