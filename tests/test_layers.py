"""The import rule, read from syntax trees: imports point right, from the file; heavy dependencies have one home.

Every ``import`` counts, wherever it stands: at the top, inside a function, or under ``TYPE_CHECKING``.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "multiome"
FOLDER = Path(__file__).resolve().parents[1] / PACKAGE

# Left to right. A layer may import what stands further right; members of one set do not import each other.
LAYERS = [
    {"cli"},
    {"report", "pl", "datasets"},
    {"api"},
    {"predict"},
    {"train"},
    {"model"},
    {"data"},
    {"modalities"},
    {"nn", "likelihoods", "graph", "losses"},
    {"files"},
    {"types", "errors", "metrics"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
# They stand left of everything: the list of public names, and `python -m multiome`.
ENTRANCES = {"__init__", "__main__"}

ANNDATA_HOMES = {"data", "predict", "api", "datasets", "cli", "modalities", "graph.genome"}
# Dependency -> the only layers (or files) that may import it. The longest name that matches decides.
HOMES = {
    "bioframe": {"graph"},
    "torch_geometric": {"graph"},
    "torch_scatter": {"graph"},
    "torch_sparse": {"graph"},
    "pyg_lib": {"graph"},
    "pytorch_lightning": {"train"},
    "lightning": {"train"},
    "lightning_fabric": {"train"},
    "pyro": {"model", "likelihoods"},
    "pyro.infer": {"model", "likelihoods", "train"},  # the ELBO
    "mudata": ANNDATA_HOMES,
    "anndata": ANNDATA_HOMES,
    "scanpy": {"modalities", "pl"},
    "muon": {"modalities", "pl"},
}


@dataclass(frozen=True)
class Import:
    """One imported name: ``from base import name``, or ``import base``."""

    line: int
    base: str
    name: str | None = None

    def __str__(self) -> str:
        return f"from {self.base} import {self.name}" if self.name else f"import {self.base}"


def module_name(path: str) -> str:
    """Dotted name below the package: ``nn/mlp.py`` is ``nn.mlp``, ``nn/__init__.py`` is ``nn``."""
    parts = path.removesuffix(".py").split("/")
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def absolute(name: str, level: int, path: str) -> str:
    """Resolve the leading dots of an import that stands in the file ``path``."""
    if not level:
        return name
    around = [PACKAGE, *path.split("/")[:-1]]
    return ".".join([*around[: len(around) - level + 1], *([name] if name else [])])


def imports(source: str, path: str) -> Iterator[Import]:
    """All imports of a file, those by a literal name through importlib too."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                yield from (Import(node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom():
                base = absolute(node.module or "", node.level, path)
                yield from (Import(node.lineno, base, alias.name) for alias in node.names)
            case (
                ast.Call(func=ast.Name(id="import_module" | "__import__"), args=[ast.Constant(value=str(name)), *_])
                | ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_])
            ):
                bare = name.lstrip(".")
                yield Import(node.lineno, absolute(bare, len(name) - len(bare), path))


def inside(name: str, homes: set[str]) -> bool:
    """Whether a dotted name is one of ``homes`` or lies below one."""
    return any(name == home or name.startswith(f"{home}.") for home in homes)


def objection(imported: Import, importer: str, modules: set[str]) -> str | None:
    """Why this import breaks the rule, or None."""
    full = f"{imported.base}.{imported.name}" if imported.name else imported.base
    if imported.base.partition(".")[0] != PACKAGE:
        home = max((key for key in HOMES if inside(full, {key})), key=len, default=None)
        if home is None or inside(importer, HOMES[home]):
            return None
        return f"`{home}` lives only in {', '.join(sorted(HOMES[home]))}"

    target = imported.base.removeprefix(PACKAGE).lstrip(".")
    own, is_root = importer.partition(".")[0], importer == "__init__"
    if not target:
        if is_root and imported.name in LEVEL:
            return None
        return "import from the file, never from the package root"
    layer = target.partition(".")[0]
    if layer not in LEVEL:
        return f"`{layer}` is not a layer; give it a place in LAYERS"
    if own not in ENTRANCES and own != layer and LEVEL[layer] <= LEVEL[own]:
        return f"imports point right, and `{layer}` does not stand right of `{own}`"
    is_folder = any(module.startswith(f"{target}.") for module in modules)
    if is_folder and not is_root and f"{target}.{imported.name}" not in modules:
        return f"`{target}` is a folder; import from the file inside it"
    return None


def violations(sources: Mapping[str, str]) -> list[str]:
    """What breaks the rule in a package given as path (below the package) -> source."""
    modules = {module_name(path) for path in sources}
    modules |= {module.rpartition(".")[0] for module in modules if "." in module}
    found = []
    for path, source in sources.items():
        importer = module_name(path)
        layer = importer.partition(".")[0]
        if layer not in LEVEL and layer not in ENTRANCES:
            found.append(f"{path}: `{layer}` is not a layer; give it a place in LAYERS")
            continue
        for imported in imports(source, path):
            if reason := objection(imported, importer, modules):
                found.append(f"{path}:{imported.line}: `{imported}`: {reason}")
    return found


def test_package_keeps_the_rule():
    sources = {p.relative_to(FOLDER).as_posix(): p.read_text(encoding="utf-8") for p in sorted(FOLDER.rglob("*.py"))}
    found = violations(sources)
    assert not found, "\n".join(["the import rule is broken:", *found])


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("nn/mlp.py", "from multiome.model.vae import MultiomeVAE", "point right"),
        ("nn/mlp.py", "import multiome.model.vae", "point right"),
        ("nn/mlp.py", "from multiome.losses.clip import clip_loss", "point right"),
        ("types.py", "from multiome.errors import SpecMismatch", "point right"),
        ("metrics/pairing.py", "from multiome.types import Batch", "point right"),
        ("pl.py", "from multiome.datasets.simulate import simulate", "point right"),
        ("api.py", "from multiome.cli import main", "point right"),
        ("nn/mlp.py", "from ..model.vae import MultiomeVAE", "point right"),
        ("nn/mlp.py", "from ..model import vae", "point right"),
        ("nn/deep/block.py", "from ...model.vae import MultiomeVAE", "point right"),
        ("nn/__init__.py", "from ..api import fit", "point right"),
        ("nn/mlp.py", "def f():\n    from multiome.model.vae import MultiomeVAE", "point right"),
        ("nn/mlp.py", "if TYPE_CHECKING:\n    from multiome.model.vae import MultiomeVAE", "point right"),
        ("nn/mlp.py", "try:\n    import x\nexcept ImportError:\n    import multiome.model.vae", "point right"),
        ("nn/mlp.py", "import importlib\nimportlib.import_module('multiome.model.vae')", "point right"),
        ("nn/mlp.py", "from importlib import import_module\nimport_module('..model.vae', __package__)", "point right"),
        ("nn/mlp.py", "__import__('multiome.model.vae')", "point right"),
        ("predict/embed.py", "from multiome import ATAC", "package root"),
        ("predict/embed.py", "from multiome import errors", "package root"),
        ("predict/embed.py", "import multiome as mo", "package root"),
        ("predict/embed.py", "from .. import errors", "package root"),
        ("cli.py", "from . import api", "package root"),
        ("__init__.py", "from multiome import fit", "package root"),
        ("api.py", "from multiome.model import MultiomeVAE", "is a folder"),
        ("api.py", "from multiome.model import *", "is a folder"),
        ("api.py", "import multiome.model", "is a folder"),
        ("nn/fusion.py", "from . import MLP", "is a folder"),
        ("utils.py", "", "not a layer"),
        ("api.py", "from multiome.utils import helper", "not a layer"),
        ("nn/encoder.py", "import torch_geometric.nn as gnn", "lives only in graph"),
        ("losses/clip.py", "from torch_geometric.utils import scatter", "lives only in graph"),
        ("model/vae.py", "import pytorch_lightning as pl", "lives only in train"),
        ("api.py", "from lightning.pytorch import Trainer", "lives only in train"),
        ("nn/decoder.py", "import pyro", "lives only in likelihoods, model"),
        ("modalities/rna.py", "from pyro.distributions import Poisson", "lives only in likelihoods, model"),
        ("train/task.py", "import pyro", "lives only in likelihoods, model"),
        ("train/task.py", "from pyro import distributions", "lives only in likelihoods, model"),
        ("predict/impute.py", "from pyro.infer import Predictive", "lives only in likelihoods, model, train"),
        ("model/vae.py", "from mudata import MuData", "lives only in"),
        ("train/loop.py", "if TYPE_CHECKING:\n    from anndata import AnnData", "lives only in"),
        ("graph/guidance.py", "from anndata import AnnData", "lives only in"),
        ("pl.py", "import mudata", "lives only in"),
        ("data/readers.py", "import scanpy as sc", "lives only in modalities, pl"),
        ("metrics/mixing.py", "def f():\n    import scanpy as sc", "lives only in modalities, pl"),
        ("predict/embed.py", "import muon", "lives only in modalities, pl"),
        ("__init__.py", "import scanpy", "lives only in modalities, pl"),
    ],
)
def test_violation_is_found(path, source, reason):
    found = violations({"model/vae.py": "", "nn/mlp.py": "", path: source})
    assert len(found) == 1
    assert found[0].startswith(path)
    assert reason in found[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "cli.py",
            "from multiome.api import fit\nfrom multiome.pl import umap\nfrom multiome.errors import MultiomeError",
        ),
        ("model/vae.py", "from multiome.nn.mlp import MLP\nfrom multiome.nn import mlp\nimport multiome.nn.mlp"),
        ("model/vae.py", "from multiome.types import Batch\nimport pyro\nimport pyro.distributions as dist"),
        ("model/vae.py", "from .config import ModelConfig\nfrom multiome.model.config import ModelConfig"),
        ("model/__init__.py", "from .vae import MultiomeVAE\nfrom multiome.model.config import ModelConfig"),
        ("model/__init__.py", "from . import vae"),
        ("model/vae.py", "from ..nn.mlp import MLP"),
        ("train/task.py", "import pytorch_lightning\nfrom pyro.infer import Trace_ELBO\nfrom pyro import infer"),
        ("likelihoods/poisson.py", "from pyro.distributions import Poisson"),
        ("graph/encoder.py", "from torch_geometric.nn import GCNConv"),
        ("graph/genome.py", "from anndata import AnnData"),
        ("modalities/rna.py", "import scanpy as sc\nimport muon as mu\nfrom mudata import MuData"),
        ("pl.py", "import scanpy as sc"),
        ("predict/embed.py", "from mudata import MuData\nfrom anndata import AnnData"),
        ("metrics/pairing.py", "import numpy, scipy.sparse, sklearn.neighbors, torch"),
        ("nn/mlp.py", "import multiomics\nfrom pyrometer import heat"),  # names that merely begin alike
        ("__init__.py", "from multiome.api import fit as fit\nfrom multiome.model import MultiomeVAE"),
        ("__init__.py", "from multiome import pl as pl, metrics as metrics"),
        ("__main__.py", "from multiome.cli import main"),
    ],
)
def test_allowed_import_is_accepted(path, source):
    assert violations({"model/vae.py": "", "model/config.py": "", "nn/mlp.py": "", path: source}) == []
