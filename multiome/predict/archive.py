"""A fitted model as one file: a zip of weights, spec, configuration and history, written whole or not at all."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from io import BytesIO, StringIO
from pathlib import Path

import pandas as pd
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from multiome.data.spec import DataSpec
from multiome.errors import InvalidModelFile, MultiomeError
from multiome.files import check_name, check_output, draft
from multiome.graph.guidance import GuidanceGraph
from multiome.model.config import ModelConfig
from multiome.model.vae import MultiomeVAE
from multiome.predict.calibration import Calibration
from multiome.predict.depth import DepthModel
from multiome.predict.evidence import EdgeEvidence
from multiome.predict.fitted import Fitted
from multiome.predict.novelty import Usual
from multiome.predict.shrinkage import Shrinkage

FORMAT = 11
"""Raised when older versions of the package could not read the file; this version reads every format up to it."""
DATA = (".h5mu", ".h5ad", ".h5", ".loom", ".zarr")
"""How names of data end, never those of models."""


def save(fitted: Fitted, history: pd.DataFrame, path: str | os.PathLike, *, overwrite: bool = False) -> None:
    """Write beside the target and rename into place: a killed process leaves the old or the new file, never half.

    Where ``path`` is a symbolic link, what it leads to is replaced, and the link stays.
    """
    target = check_output(check_name("path", path, example="x.multiome"), overwrite=overwrite)
    if target.suffix in DATA:
        raise MultiomeError(f"{str(target)!r} is named as data are; name the model otherwise, such as 'x.multiome'.")
    members = {
        "format.json": json.dumps({"format": FORMAT, "package": "multiome", "models": 1 + len(fitted.others)}).encode(),
        "spec.json": json.dumps(fitted.spec.to_json()).encode(),
        "config.json": json.dumps(asdict(fitted.config)).encode(),
        "history.csv": history.to_csv(index=False).encode(),
    }
    for number, one in enumerate((fitted, *fitted.others)):
        members |= {folder(number) + name: content for name, content in trained(one).items()}
    if fitted.reliability is not None:
        members["reliability.csv"] = fitted.reliability.to_csv(index=False).encode()
    if fitted.usual is not None:
        fitted.usual.write(usual := BytesIO())
        members["usual.npz"] = usual.getvalue()
    if fitted.graph is not None:
        fitted.graph.write(graph := BytesIO())
        members["graph.npz"] = graph.getvalue()
    if fitted.evidence is not None:
        fitted.evidence.write(evidence := BytesIO())
        members["evidence.npz"] = evidence.getvalue()
    with draft(target) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=zipfile.ZIP_DEFLATED)


def folder(number: int) -> str:
    """Where what belongs to one of several models lies in the archive; the first one's lies at the top."""
    return f"model{number}/" if number else ""


def trained(fitted: Fitted) -> dict[str, bytes]:
    """Weights, and what was learnt of their predictions."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in fitted.vae.state_dict().items()}
    return {
        "depth.json": json.dumps(fitted.depth.to_json()).encode(),
        "shrinkage.json": json.dumps(fitted.shrinkage.to_json()).encode(),
        "calibration.json": json.dumps(fitted.calibration.to_json()).encode(),
        "weights.safetensors": save_tensors(weights),
    }


def read_trained(
    members: Mapping[str, bytes], number: int, spec: DataSpec, config: ModelConfig, *, version: int
) -> Fitted:
    """What `trained` wrote of one of the models."""
    at = folder(number)
    known = json.loads(members[at + "depth.json"])
    # before format 9 depths were told by a covariance of them and the latent state
    depth = DepthModel.from_json(known) if version >= 9 else DepthModel.from_covariance(known)
    shrinkage = Shrinkage.none(config.n_latent)  # format 1 had none
    if version > 1:
        shrinkage = Shrinkage.from_json(json.loads(members[at + "shrinkage.json"]))
    calibration = Calibration()  # before format 7 it was measured, if at all, and not applied
    if version >= 7:
        calibration = Calibration.from_json(json.loads(members[at + "calibration.json"]))
    vae = MultiomeVAE(spec, config)
    vae.load_state_dict(load_tensors(members[at + "weights.safetensors"]))
    vae.eval()
    return Fitted(vae, spec, config, depth, shrinkage, calibration)


def load(path: str | os.PathLike) -> tuple[Fitted, pd.DataFrame]:
    """Read what `save` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InvalidModelFile
        If the file is truncated, not a model of this package, or of a newer format.
    """
    source = Path(check_name("path", path, example="x.multiome"))
    if not source.exists():
        raise FileNotFoundError(f"There is no model at {source}.")
    if source.is_dir():
        raise InvalidModelFile(f"{source} is a folder, not a whole model saved by multiome; name the file in it.")
    try:
        with zipfile.ZipFile(source) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        label = json.loads(members["format.json"])
    except PermissionError:
        raise
    except Exception as error:  # what reading a damaged archive may raise is not a closed list
        raise InvalidModelFile(
            f"{source} is not a whole model saved by multiome ({type(error).__name__}: {error}). "
            + (
                "By its name it holds data."
                if source.suffix in DATA
                else "It may be truncated, or another kind of file."
            )
        ) from error
    named = isinstance(label, dict) and label.get("package") == "multiome"
    if not named or not isinstance(label.get("format"), int):
        raise InvalidModelFile(f"{source} is a zip archive, but not a model saved by multiome.")
    if label["format"] > FORMAT:
        raise InvalidModelFile(
            f"{source} has format {label['format']}, this version of multiome reads up to {FORMAT}; "
            "update multiome to load it."
        )
    try:
        spec = DataSpec.from_json(json.loads(members["spec.json"]))
        # encoders saw components alone before format 5
        config = ModelConfig(**({"embedding_scores": label["format"] >= 5} | json.loads(members["config.json"])))
        first, *others = (
            read_trained(members, number, spec, config, version=label["format"])
            for number in range(label.get("models", 1))
        )
        reliability = None
        if "reliability.csv" in members:
            names = {"modality": str, "feature": str}
            reliability = pd.read_csv(
                BytesIO(members["reliability.csv"]), dtype=names, keep_default_na=False, na_values=[""]
            ).astype({"predictable": bool})
        history = pd.read_csv(StringIO(members["history.csv"].decode()), float_precision="round_trip")
        usual = Usual.read(BytesIO(members["usual.npz"])) if "usual.npz" in members else None
        graph = GuidanceGraph.read(BytesIO(members["graph.npz"])) if "graph.npz" in members else None
        evidence = EdgeEvidence.read(BytesIO(members["evidence.npz"])) if "evidence.npz" in members else None
    except Exception as error:
        raise InvalidModelFile(f"{source} is damaged: {type(error).__name__}: {error}") from error
    fitted = replace(first, reliability=reliability, usual=usual, graph=graph, evidence=evidence, others=tuple(others))
    return fitted, history
