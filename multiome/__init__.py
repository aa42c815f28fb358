"""Integrate single-cell multi-omics data, and impute the modalities that were not measured."""

from multiome import datasets as datasets
from multiome import metrics as metrics
from multiome import pl as pl
from multiome.api import Multiome as Multiome
from multiome.api import fit as fit
from multiome.data.readers import read_10x as read_10x
from multiome.errors import InvalidCounts as InvalidCounts
from multiome.errors import InvalidGraph as InvalidGraph
from multiome.errors import InvalidModelFile as InvalidModelFile
from multiome.errors import InvalidPairing as InvalidPairing
from multiome.errors import MultiomeError as MultiomeError
from multiome.errors import MultiomeWarning as MultiomeWarning
from multiome.errors import SpecMismatch as SpecMismatch
from multiome.errors import TrainingDiverged as TrainingDiverged
from multiome.errors import UnknownName as UnknownName
from multiome.graph.guidance import GuidanceGraph as GuidanceGraph
from multiome.modalities.atac import ATAC as ATAC
from multiome.modalities.base import Modality as Modality
from multiome.modalities.methylation import METHYLATION as METHYLATION
from multiome.modalities.protein import PROTEIN as PROTEIN
from multiome.modalities.rna import RNA as RNA
from multiome.model.config import ModelConfig as ModelConfig
from multiome.predict.links import Links as Links
from multiome.predict.prediction import Prediction as Prediction
from multiome.train.config import LossWeights as LossWeights
from multiome.train.config import TrainConfig as TrainConfig
