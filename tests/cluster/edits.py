"""Changes as people make them to specs and stacks, drawn at random; kept where the project stays right."""

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from tests.cluster.edit_values import SPEC, STACK

from slipform.project import load
from slipform.spec.findings import SlipformError
from slipform.spec.stack import Capability

Document = dict[str, Any]
_SPECS = "model_specs"


def edit(root: Path, stack: str, chance: random.Random, number: int, *, kinds: Sequence[str] = ()) -> list[str]:
    """Makes `number` changes to the specs and the stack's file of a project, of all kinds or some; says each."""
    chosen = [change for change in _WEIGHTED if not kinds or change[0] in kinds]
    made: list[str] = []
    while len(made) < number:
        before = read(root, stack)
        after = copy.deepcopy(before)
        kind, what = chance.choice(chosen)
        said = what(after, chance)
        if said is None or after == before or not is_right(root, stack, before, after):
            continue
        write(root, stack, before, after)
        made.append(f"{kind}: {said}")
    return made


def is_right(root: Path, stack: str, before: Document, after: Document) -> bool:
    """Whether the project would be right with these specs and this stack in place of those that are there."""
    write(root, stack, before, after)
    try:
        load(root, stack)
    except SlipformError:
        return False
    finally:
        write(root, stack, after, before)
    return True


_CAPABILITIES = get_args(Capability)


def _field(documents: Document, chance: random.Random) -> str | None:
    file = chance.choice(_specs(documents))
    return _set(documents[file], file, chance, SPEC)


def _stack_field(documents: Document, chance: random.Random) -> str | None:
    return _set(documents["stack"], "stack", chance, STACK)


def _set(document: Document, where: str, chance: random.Random, paths: dict[str, tuple[Any, ...]]) -> str | None:
    path = chance.choice(tuple(paths))
    value = chance.choice(paths[path])
    if not put(document, path, value):
        return None
    return f"{where} {path} left out" if value is ... else f"{where} {path} = {value}"


def put(document: Document, path: str, value: Any) -> bool:
    """Sets a field, or with `...` leaves it out; False where the document has no such place."""
    *parents, last = path.split(".")
    place: Any = document
    for key in parents:
        place = place.setdefault(key, {})
        if not isinstance(place, dict):
            return False
    if value is ...:
        place.pop(last, None)
    else:
        place[last] = copy.deepcopy(value)
    return True


# -- models and capabilities that come and go ------------------------------------------------------


def _new_model(documents: Document, chance: random.Random) -> str:
    source = chance.choice(_specs(documents))
    name = f"new-{chance.randrange(1000)}"
    made = copy.deepcopy(documents[source]) | {"name": name}
    made.pop("expose", None)
    documents[name] = made
    return f"{name}, a copy of {source}"


def _ensemble(documents: Document, chance: random.Random) -> str:
    """One of a single step, in the server of its step."""
    step = chance.choice(_specs(documents))
    server = documents[step]["serving"].setdefault("server", "together")
    name, of_step = f"flow-{chance.randrange(1000)}", documents[step]["model"]
    steps = [
        {
            "model": documents[step]["name"],
            "inputs": {each["name"]: each["name"] for each in of_step["inputs"]},
            "outputs": {each["name"]: each["name"] for each in of_step["outputs"]},
        }
    ]
    made = {key: value for key, value in documents[step].items() if key not in ("build", "rollout", "expose", "slo")}
    tensors = {side: of_step[side] for side in ("inputs", "outputs")}
    let_off = {"exempt": {"promised": "its step promises"}}
    documents[name] = copy.deepcopy(made) | {"name": name, "model": {"ensemble": steps, **tensors}} | let_off
    return f"{name}, an ensemble of {step} in the server {server}"


def _removed_model(documents: Document, chance: random.Random) -> str | None:
    if len(_specs(documents)) < 3:
        return None
    file = chance.choice(_specs(documents))
    del documents[file]
    return file


def _renamed_model(documents: Document, chance: random.Random) -> str:
    file = chance.choice(_specs(documents))
    documents[file]["name"] = f"{file}-{chance.randrange(10)}"
    return f"{file} is now {documents[file]['name']}"


def _capability(documents: Document, chance: random.Random) -> str:
    name = chance.choice(_CAPABILITIES)
    has = documents["stack"]["has"]
    (has.remove if name in has else has.append)(name)
    return f"{name}, {'now' if name in has else 'no longer'}"


_Change = Callable[[Document, random.Random], str | None]
_WEIGHTED: tuple[tuple[str, _Change], ...] = (
    *[("field", _field)] * 14,
    *[("stack", _stack_field)] * 4,
    ("capability", _capability),
    *[("new model", _new_model)] * 2,
    ("ensemble", _ensemble),
    ("removed model", _removed_model),
    ("renamed model", _renamed_model),
)
KINDS = {kind for kind, _ in _WEIGHTED}


# -- files -----------------------------------------------------------------------------------------


def _specs(documents: Document) -> list[str]:
    return sorted(documents.keys() - {"stack"})


def read(root: Path, stack: str) -> Document:
    """The specs by their files' names, and the stack's config as `stack`, without the prefix of its keys."""
    config = yaml.safe_load((root / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]
    specs = {file.stem: yaml.safe_load(file.read_text()) for file in (root / _SPECS).glob("*.yaml")}
    return {**specs, "stack": {key.removeprefix("slipform:"): value for key, value in config.items()}}


def write(root: Path, stack: str, old: Document, new: Document) -> None:
    for name, document in _differing(old, new):
        if name == "stack":
            config = {f"slipform:{key}": value for key, value in document.items()}
            file, document = root / "stacks" / f"Pulumi.{stack}.yaml", {"config": config}
        else:
            file = root / _SPECS / f"{name}.yaml"
        if document is None:
            file.unlink()
        else:
            file.write_text(yaml.safe_dump(document, sort_keys=False))


def _differing(old: Document, new: Document) -> Iterator[tuple[str, Any]]:
    for name in old.keys() | new.keys():
        if old.get(name) != new.get(name):
            yield name, new.get(name)
