"""The ways in which CustomResourceDefinitions are taken from Go modules, each as one JSON file with a list of them."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from tests.cluster.tools.errors import Unavailable
from tests.cluster.tools.golang import Module, find_go
from tests.cluster.tools.progress import Note


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: an unquoted `=` is a string."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: node.value)


@dataclass(frozen=True)
class CrdFiles:
    """The CustomResourceDefinitions that a Go module carries, as one file."""

    name: str
    module: Module
    patterns: tuple[str, ...]

    @property
    def version(self) -> str:
        return self.module.version

    def make(self, folder: Path, note: Note) -> None:
        source = find_go().download(self.module)
        files = [path for pattern in self.patterns for path in sorted(source.glob(pattern))]
        if not files:
            raise Unavailable(f"{self.module.path}@{self.version} has no {' or '.join(self.patterns)}")
        _write(files, folder / self.name)


@dataclass(frozen=True)
class GeneratedCrds:
    """CustomResourceDefinitions that controller-gen makes from a module's Go types."""

    name: str
    module: Module
    generator: Module
    packages: tuple[str, ...]

    @property
    def version(self) -> str:
        return self.module.version

    def make(self, folder: Path, note: Note) -> None:
        go = find_go()
        generator, made = folder / "controller-gen", folder / "made"
        go.build(self.generator, "./cmd/controller-gen", generator, note)
        go.generate(self.module, [str(generator), "crd:crdVersions=v1", f"output:dir={made}"], self.packages)
        _write(sorted(made.iterdir()), folder / self.name)
        generator.unlink()
        shutil.rmtree(made)


def _write(files: Iterable[Path], target: Path) -> None:
    documents = (document for file in files for document in yaml.load_all(file.read_text(), Loader=_Loader))
    definitions = [found for found in documents if found and found["kind"] == "CustomResourceDefinition"]
    target.write_text(json.dumps(definitions))
