"""Programs that fail, refuse, print, ask or end themselves: one readable error each, and nothing leaks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from slipform import plan
from slipform.plan import record

from .conftest import Plan

Write = Callable[..., Path]


def test_a_program_that_raises_shows_its_own_traceback_and_none_of_ours(write_project: Write) -> None:
    root = write_project("import parts\nparts.make()\n", parts="def make():\n    return {}['replicas']\n")
    with pytest.raises(plan.ProgramError) as raised:
        plan.run(root, "dev")
    assert str(raised.value).startswith(f"the program {root} raised KeyError: 'replicas'")
    shown = raised.value.traceback.splitlines()[1:]
    assert [line for line in shown if line.strip("~^ ")] == [  # where the carets stand is Python's
        f'  File "{root}/__main__.py", line 2, in <module>',
        "    parts.make()",
        f'  File "{root}/parts.py", line 2, in make',
        "    return {}['replicas']",
        "KeyError: 'replicas'",
    ]


def test_what_raises_within_an_apply_shows_the_users_line(planned: Plan) -> None:
    with pytest.raises(plan.ProgramError) as raised:
        planned("import pulumi\npulumi.export('x', pulumi.Output.from_input(1).apply(lambda n: n / 0))\n")
    assert "ZeroDivisionError" in str(raised.value)
    assert "__main__.py" in raised.value.traceback
    assert "recorder" not in raised.value.traceback
    assert "asyncio" not in raised.value.traceback


def test_what_raises_within_an_apply_shows_the_users_line_to_whoever_awaits_it_first(planned: Plan) -> None:
    with pytest.raises(plan.ProgramError) as raised:
        planned("""
            import pulumi

            broken = pulumi.Output.from_input(1).apply(lambda n: n / 0)
            for name in "abc":
                pulumi.export(name, pulumi.Output.all(broken, broken))
        """)
    assert "lambda n: n / 0" in raised.value.traceback


def test_the_cause_of_an_exception_is_cut_to_the_users_lines_too(planned: Plan) -> None:
    with pytest.raises(plan.ProgramError) as raised:
        planned("try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('no') from error\n")
    assert raised.value.traceback.count("__main__.py") == 2
    assert "runpy" not in raised.value.traceback


def test_a_syntax_error_names_its_line(planned: Plan) -> None:
    with pytest.raises(plan.ProgramError) as raised:
        planned("import pulumi\nfor\n")
    assert '__main__.py", line 2' in str(raised.value)
    assert "SyntaxError" in str(raised.value)
    assert "recorder" not in str(raised.value)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import pulumi\nraise pulumi.RunError('the spec is wrong')", "the spec is wrong"),
        ("import sys\nsys.exit('give a team')", "give a team"),
        ("import sys\nsys.exit(3)", "the program ended itself with exit code 3"),
    ],
)
def test_a_program_that_refuses_is_quoted_without_a_traceback(planned: Plan, program: str, said: str) -> None:
    with pytest.raises(plan.ProgramError) as raised:
        planned(program)
    assert str(raised.value) == said


def test_a_program_that_ends_itself_well_is_planned(planned: Plan) -> None:
    assert planned("import pulumi, sys\npulumi.export('x', 1)\nsys.exit(0)\n").outputs == {"x": 1}


def test_a_program_that_dies_is_an_error_with_what_it_printed(planned: Plan) -> None:
    with pytest.raises(plan.ProgramError, match="ended with 7 before it was done\nlast words"):
        planned("import os, sys\nprint('last words', flush=True)\nos._exit(7)\n")


def test_a_program_that_is_killed_says_by_which_signal(planned: Plan) -> None:
    with pytest.raises(plan.ProgramError, match="ended by signal 9"):
        planned("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")


def test_what_a_program_prints_goes_to_standard_error(planned: Plan, capfd: pytest.CaptureFixture[str]) -> None:
    planned("import os, subprocess\nprint('printed')\nos.system('echo from a child')\n")
    out, err = capfd.readouterr()
    assert out == ""
    assert "printed" in err
    assert "from a child" in err


def test_a_program_that_asks_a_question_gets_no_answer_and_does_not_hang(planned: Plan) -> None:
    with pytest.raises(plan.ProgramError, match="EOFError"):
        planned("input('sure? ')\n")


def test_a_program_runs_in_its_own_folder_with_its_own_modules_and_arguments(write_project: Write) -> None:
    root = write_project(
        "", pulumi_yaml="name: shop\nruntime: python\nmain: program/\nstackConfigDir: stacks/\n", other="x = 1"
    )
    (root / "program").mkdir()
    (root / "stacks").mkdir()
    (root / "stacks" / "Pulumi.dev.yaml").write_text("config: {a: b}\n")
    (root / "program" / "helper.py").write_text("value = 'helped'\n")
    (root / "program" / "__main__.py").write_text(
        "import os, sys, pulumi, helper\n"
        "pulumi.export('facts', [os.getcwd(), sys.argv, __name__, helper.value, pulumi.Config().require('a')])\n"
        "pulumi.export('root', pulumi.get_root_directory())\n"
    )
    folder = str((root / "program").resolve())
    before = (Path.cwd(), list(sys.argv), list(sys.path))
    graph = plan.run(root, "dev")
    assert graph.outputs["facts"] == [folder, [folder], "__main__", "helped", "b"]
    assert graph.outputs["root"] == str(root.resolve())
    assert (Path.cwd(), sys.argv, sys.path) == before


def test_main_may_name_a_file(write_project: Write) -> None:
    root = write_project("", pulumi_yaml="name: shop\nruntime: python\nmain: infra/app.py\n")
    (root / "infra").mkdir()
    (root / "infra" / "app.py").write_text("import pulumi\npulumi.export('x', 1)\n")
    assert plan.run(root, "dev").outputs == {"x": 1}


def test_the_project_is_found_from_any_folder_below(write_project: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_project("import pulumi\npulumi.export('x', 1)\n")
    (root / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(root / "deep" / "down")
    assert plan.run(Path(), "dev").outputs == {"x": 1}


@pytest.mark.parametrize(
    ("pulumi_yaml", "said"),
    [
        ("runtime: python\n", "`name` is missing"),
        ("name: shop\n", "`runtime` is missing"),
        ("name: shop\nruntime: nodejs\n", "the runtime is nodejs; only Python"),
        ("name: shop\nruntime: {name: go}\n", "the runtime is go; only Python"),
        ("name: shop\nruntime: python\nmain: nowhere/\n", "`main` names .*nowhere, which does not exist"),
        ("name: shop\nruntime: python\nmain: empty/\n", "has no __main__.py"),
        ("name: shop\nruntime: python\nconfig: [1]\n", "`config` must be a mapping"),
        ("name: [\n", "this is not YAML"),
    ],
)
def test_a_project_that_cannot_be_run_is_one_clear_error(write_project: Write, pulumi_yaml: str, said: str) -> None:
    root = write_project("", pulumi_yaml=pulumi_yaml)
    (root / "empty").mkdir()
    with pytest.raises(plan.ProjectError, match=said):
        plan.run(root, "dev")


def test_a_folder_outside_any_project_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(plan.ProjectError, match=r"no Pulumi\.yaml .* write one with `slipform new DIR`"):
        plan.run(tmp_path, "dev")


def test_the_environment_that_pulumi_yaml_names_runs_the_program_though_it_lacks_slipform(
    write_project: Write,
) -> None:
    root = write_project(
        "import pulumi, sys\npulumi.export('prefix', sys.prefix)\n"
        "try:\n    import slipform\nexcept ImportError:\n    pulumi.export('slipform', 'absent')\n",
        pulumi_yaml="name: shop\nruntime: {name: python, options: {virtualenv: theirs}}\n",
    )
    venv.create(root / "theirs", with_pip=False)
    site = next((root / "theirs").glob("lib/python*/site-packages"))
    ours = next(Path(entry) for entry in sys.path if (Path(entry) / "pulumi" / "__init__.py").exists())
    for package in ours.iterdir():  # all of ours but what makes `slipform` importable
        if package.suffix != ".pth" and "slipform" not in package.name:
            (site / package.name).symlink_to(package)
    assert plan.run(root, "dev").outputs == {"prefix": str(root / "theirs"), "slipform": "absent"}


def test_an_environment_without_pulumi_says_how_to_install_it(write_project: Write) -> None:
    root = write_project("", pulumi_yaml="name: s\nruntime: {name: python, options: {virtualenv: bare}}\n")
    venv.create(root / "bare", with_pip=False)
    with pytest.raises(plan.ProgramError, match=r"has no Pulumi: .*\n.*bare/bin/python -m pip install pulumi"):
        plan.run(root, "dev")


def test_an_environment_that_is_not_there_is_replaced_by_ours_and_said(write_project: Write) -> None:
    root = write_project("", pulumi_yaml="name: s\nruntime: {name: python, options: {virtualenv: .venv}}\n")
    (message,) = plan.run(root, "dev").messages
    assert message.severity == "info"
    assert "names the environment .venv, which is not there" in message.text


def test_only_these_specs_reach_the_program_as_absolute_paths(
    write_project: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_project("import os, pulumi\npulumi.export('only', os.environ.get('SLIPFORM_ONLY'))\n")
    monkeypatch.chdir(root)
    monkeypatch.setenv("SLIPFORM_ONLY", "left over")
    assert plan.run(root, "dev").outputs == {}
    only = [Path("a.yaml"), Path("b.yaml")]
    assert plan.run(root, "dev", only=only).outputs["only"] == os.pathsep.join(str(root / name) for name in only)


def test_resource_transforms_run_as_the_engine_runs_them(planned: Plan) -> None:
    graph = planned(
        """
import pulumi, pulumi_kubernetes as k8s

def mark(letter):
    def transform(args):
        if args.type_ != "kubernetes:core/v1:ConfigMap":
            return None
        order = args.props["data"].get("order", "") + letter
        options = args.opts
        options.protect = True
        return pulumi.ResourceTransformResult({**args.props, "data": {"order": order}}, options)
    return transform

class Part(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("shop:parts:Part", name, None, opts)

pulumi.runtime.register_resource_transform(mark("S"))
outer = Part("outer", pulumi.ResourceOptions(transforms=[mark("O")]))
inner = Part("inner", pulumi.ResourceOptions(parent=outer, transforms=[mark("I")]))
k8s.core.v1.ConfigMap("map", metadata={"name": "map"}, data={},
                      opts=pulumi.ResourceOptions(parent=inner, transforms=[mark("a"), mark("b")]))
"""
    )
    (config_map,) = (resource for resource in graph.resources if resource.name == "map")
    assert config_map.inputs["data"] == {"order": "abIOS"}
    assert config_map.options.protect


def test_older_transformations_run_too(planned: Plan) -> None:
    graph = planned(
        """
import pulumi, pulumi_kubernetes as k8s
def add(args):
    return pulumi.ResourceTransformationResult({**args.props, "data": {"added": "yes"}}, args.opts)
pulumi.runtime.register_stack_transformation(add)
k8s.core.v1.ConfigMap("map", metadata={"name": "map"}, data={})
"""
    )
    assert graph.resources[0].inputs["data"] == {"added": "yes"}


HEARING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
"""A process that is started in the background ignores SIGINT, and so would all that it starts."""


def test_an_interrupt_ends_the_programs_process_too(write_project: Write, tmp_path: Path) -> None:
    started = tmp_path / "started"
    root = write_project(
        f"import os, pathlib, time\npathlib.Path({str(started)!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n"
    )
    code = f"{HEARING}from pathlib import Path; from slipform import plan; plan.run(Path({str(root)!r}), 'dev')"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    child = _wait_for(started)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def _wait_for(file: Path) -> int:
    deadline = threading.Event()
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        if file.exists() and file.read_text():
            return int(file.read_text())
        deadline.wait(0.02)
    raise AssertionError(f"{file} was not written")


def test_the_recorder_needs_the_standard_library_and_pulumi_only() -> None:
    imports = {
        line.split()[1].split(".")[0]
        for file in record._RECORDER.glob("*.py")
        for line in file.read_text().splitlines()
        if line.lstrip().startswith(("import ", "from ")) and not line.split()[1].startswith(".")
    }
    allowed = {*sys.stdlib_module_names, "pulumi", "google"}
    assert {name.rstrip(",") for name in imports} <= allowed


def test_a_plan_leaves_nothing_in_the_project(write_project: Write) -> None:
    root = write_project("import pulumi\npulumi.export('x', 1)\n")
    before = sorted(path.name for path in root.rglob("*"))
    plan.run(root, "dev")
    assert sorted(path.name for path in root.rglob("*") if path.name != "__pycache__") == before
