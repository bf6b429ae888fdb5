"""What is shipped: the wheel's contents, its metadata, and what its sources never do."""

import ast
import importlib.util
import re
import tomllib
import zipfile
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from pileup.kernel_cache import SHIPPED
from varcall import __version__

PACKAGES = ("varcall", "pileup", "models")
# Reading any of these can run code that a file brings along.
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {("torch", "load"), ("torch", "save"), ("os", "system")}


def sources(root: Path) -> list[Path]:
    return sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))


@pytest.fixture(scope="module")
def wheel_names(root: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    from hatchling.builders.wheel import WheelBuilder

    folder = tmp_path_factory.mktemp("dist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VARCALL_BUILD_KERNELS", "0")
        (wheel,) = WheelBuilder(str(root)).build(directory=str(folder), versions=["standard"])
    assert wheel.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_wheel_holds_exactly_three_packages(wheel_names: list[str]) -> None:
    top_level = {name.partition("/")[0] for name in wheel_names}
    assert top_level == {*PACKAGES, f"varcall_pileup-{__version__}.dist-info"}


def test_wheel_holds_every_source_weight_and_profile(root: Path, wheel_names: list[str]) -> None:
    shipped = {
        str(path.relative_to(root))
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.is_file()
        and path.suffix
        in {"", ".py", ".json", ".safetensors", ".onnx", ".smk", ".typed", ".npz", ".yaml"}
    }
    assert shipped <= set(wheel_names)
    for package in PACKAGES:
        assert f"{package}/py.typed" in wheel_names


def test_wheel_holds_no_tests_data_or_caches(wheel_names: list[str]) -> None:
    for name in wheel_names:
        assert not any(part in {"tests", "benchmarks", "__pycache__"} for part in name.split("/"))
        assert not name.endswith((".bam", ".vcf.gz", ".fa", ".fa.gz", ".pt", ".pkl", ".nbi"))


class Application:
    """Hears what a build says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def display_info(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def hook(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The build hook, which compiles two empty kernels."""
    spec = importlib.util.spec_from_file_location("hatch_build", root / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.KernelHook(str(root), {}, None, None, str(tmp_path), "wheel", Application())

    def compiled(folder: Path) -> list[Path]:
        paths = [folder / name for name in ("scan.nbi", "scan.nbc")]
        for path in paths:
            path.touch()
        return paths

    monkeypatch.setattr(made, "_compile", compiled)
    monkeypatch.delenv(module.SWITCH, raising=False)
    return made


def test_compiled_kernels_go_where_they_are_looked_for(
    hook: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook, "_run", lambda *_, **__: "x86-64-v3\n")
    build_data: dict[str, Any] = {"force_include": {}}
    hook.initialize("standard", build_data)
    packed = {root / place for place in build_data["force_include"].values()}
    assert packed == {SHIPPED / "scan.nbi", SHIPPED / "scan.nbc"}
    assert all(Path(path).is_file() for path in build_data["force_include"])
    # A wheel with machine code is for one Python on one kind of machine.
    assert build_data["pure_python"] is False
    assert build_data["infer_tag"] is True
    hook.finalize("standard", build_data, "")
    assert not any(Path(path).exists() for path in build_data["force_include"])


@pytest.mark.parametrize(
    ("version", "switch", "needed", "level", "reason"),
    [
        ("editable", "1", (), "x86-64-v3", "a checkout compiles its own"),
        ("standard", "0", (), "x86-64-v3", "VARCALL_BUILD_KERNELS=0"),
        ("standard", "1", ("no_such_package",), "x86-64-v3", "no_such_package not found"),
        ("standard", "1", (), "", "this CPU has not the level"),
    ],
)
def test_without_what_it_takes_the_wheel_is_pure(
    hook: Any,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    switch: str,
    needed: tuple[str, ...],
    level: str,
    reason: str,
) -> None:
    monkeypatch.setenv("VARCALL_BUILD_KERNELS", switch)
    monkeypatch.setitem(type(hook).initialize.__globals__, "NEEDED", needed)
    monkeypatch.setattr(hook, "_run", lambda *_, **__: f"{level}\n")
    build_data: dict[str, Any] = {"force_include": {}}
    hook.initialize(version, build_data)
    hook.finalize(version, build_data, "")
    assert build_data == {"force_include": {}}
    (said,) = hook.app.said
    assert reason in said


def test_kernels_that_do_not_compile_end_the_build(hook: Any, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)could not be compiled.*of no use"):
        hook._run("-c", "raise SystemExit('of no use')", cwd=tmp_path)


def test_wheel_has_one_console_script_and_its_licence(wheel_names: list[str], root: Path) -> None:
    info = f"varcall_pileup-{__version__}.dist-info"
    assert f"{info}/licenses/LICENSE" in wheel_names
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"varcall": "varcall.cli:main"}


def test_weights_are_small(root: Path) -> None:
    folder = root / "models" / "weights"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 20_000_000


def test_sources_never_unpickle_or_run_a_shell(root: Path) -> None:
    offences = []
    for path in sources(root):
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            if offence := unsafe(node):
                offences.append(f"{path.relative_to(root)}:{node.lineno}: {offence}")
    assert not offences


def unsafe(node: ast.AST) -> str:
    """Name what is unsafe about a node; empty where nothing is."""
    if isinstance(node, ast.Import):
        found = [alias.name for alias in node.names if alias.name.split(".")[0] in UNSAFE_MODULES]
        return f"imports {found[0]}" if found else ""
    if isinstance(node, ast.ImportFrom):
        module = (node.module or "").split(".")[0]
        names = {(module, alias.name) for alias in node.names}
        return f"imports from {module}" if module in UNSAFE_MODULES or names & UNSAFE_CALLS else ""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    if isinstance(function, ast.Name) and function.id in {"eval", "exec"}:
        return f"calls {function.id}"
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        if (function.value.id, function.attr) in UNSAFE_CALLS:
            return f"calls {function.value.id}.{function.attr}"
    for keyword in node.keywords:
        if keyword.arg in {"shell", "allow_pickle"} and not (
            isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        ):
            return f"passes {keyword.arg}"
    return ""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import pickle", "imports pickle"),
        ("from torch import load", "imports from torch"),
        ("torch.load(p)", "calls torch.load"),
        ("np.load(p, allow_pickle=True)", "passes allow_pickle"),
        ("np.load(p, allow_pickle=False)", ""),
        ("subprocess.run(c, shell=True)", "passes shell"),
        ("eval(text)", "calls eval"),
        ("model.eval()", ""),
    ],
)
def test_unsafe_sees_what_it_must(source: str, expected: str) -> None:
    found = [unsafe(node) for node in ast.walk(ast.parse(source))]
    assert (expected in found) if expected else not any(found)


def test_import_directions(root: Path) -> None:
    """`models` may import two small files of `pileup`, which imports neither of the others."""
    forbidden = {"pileup": ("varcall", "models"), "models": ("varcall", "pileup")}
    shared = ("pileup.spec", "pileup.accelerate")
    offences = []
    for path in sources(root):
        package = path.relative_to(root).parts[0]
        for module in imported_modules(path):
            head = module.split(".")[0]
            if head in forbidden.get(package, ()) and not module.startswith(shared):
                offences.append(f"{path.relative_to(root)} imports {module}")
    assert not offences


def import_graph(root: Path) -> dict[str, set[str]]:
    """What every module imports of the others: at the top, inside functions, for type checking."""
    modules = {module_name(path, root): path for path in sources(root)}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        # `from package import module` and `from module import name` look alike.
        found = {part for full in imported_modules(path) for part in (full, parent(full))}
        graph[name] = (found & modules.keys()) - {name}
    return graph


def module_name(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def parent(module: str) -> str:
    return module.rpartition(".")[0]


def test_no_import_leads_back(root: Path) -> None:
    """No module imports another that imports it, not even lazily or through others."""
    graph = import_graph(root)
    assert "models.feature_model.tree_kernels" in graph["models.feature_model.trees"], "it is lazy"
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


#: Stages of the figure and what lies around them: each imports only what stands before it.
LAYERS = (
    "errors", "version", "clock", "options", "log", "formats", "output", "inputs", "reads",
    "evidence", "genotyping", "workers", "pipeline", "joint", "training", "scoring", "show",
    "report", "simulate", "demo", "make_model", "workflow", "api", "cli",
)  # fmt: skip


def test_stages_import_only_earlier_ones(root: Path) -> None:
    graph = {
        name: {other.split(".")[1] for other in imported if other.startswith("varcall.")}
        for name, imported in import_graph(root).items()
        if name.startswith("varcall.")
    }
    assert {name.split(".")[1] for name in graph} - {"__main__"} == set(LAYERS)
    later = [
        f"{name} imports {layer}"
        for name, imported in graph.items()
        for layer in imported
        if name != "varcall.__main__" and LAYERS.index(layer) > LAYERS.index(name.split(".")[1])
    ]
    assert not later


def test_what_is_required_is_imported(root: Path) -> None:
    """Nobody installs a package that no module needs."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    required = {re.split("[<>=~! ]", text)[0] for text in project["dependencies"]}
    imported = {name.split(".")[0] for path in sources(root) for name in imported_modules(path)}
    assert {"numpy", "torch"} <= required
    assert required <= imported


def test_calling_imports_no_package_of_other_commands(root: Path) -> None:
    """They would make every start slower."""
    graph = import_graph(root)
    reached = {"varcall.pipeline"}
    while more := {module for name in reached for module in graph[name]} - reached:
        reached |= more
    assert "pileup.kernels.reads.records" in reached
    files = {path for path in sources(root) if module_name(path, root) in reached}
    imported = {name.split(".")[0] for path in files for name in imported_modules(path)}
    assert "pysam" in imported
    assert not imported & {"cyvcf2", "pyfaidx", "lightgbm", "matplotlib", "jinja2"}


def imported_modules(path: Path) -> list[str]:
    modules = []
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules += [f"{node.module}.{alias.name}" for alias in node.names]
    return modules


def test_constraints_fit_the_declared_dependencies(root: Path) -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    pinned = {
        requirement.name.lower(): str(requirement.specifier).removeprefix("==")
        for line in (root / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
        for requirement in [Requirement(line)]
    }
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *extras["dev"], *extras["report"]]:
        requirement = Requirement(text)
        if requirement.name != "varcall-pileup":
            assert requirement.specifier.contains(pinned[requirement.name.lower()]), text


def test_readme_names_every_command_and_no_other(root: Path) -> None:
    from varcall.cli import app

    table = re.search(r"\| command \|.*?\n\n", (root / "README.md").read_text(), re.DOTALL)
    assert table is not None
    named = set(re.findall(r"`(?:varcall )?([a-z]+)`", table[0]))
    assert named == {command.name for command in app.registered_commands}
