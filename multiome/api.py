"""``fit`` a model, and `Multiome`, a fitted one: thin methods over the verbs."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping, Sequence
from typing import Literal, overload

import anndata as ad
import numpy as np
import pandas as pd
from jaxtyping import Float

from multiome.data.build import prepare
from multiome.data.checks import mention_few_cells
from multiome.data.guided import guided, joined_pairs
from multiome.data.opened import Data, files_of
from multiome.data.some_cells import RUN, in_memory
from multiome.data.spec import DataSpec
from multiome.data.split import split
from multiome.errors import MultiomeError, check_seed, given_or_default
from multiome.files import check_apart
from multiome.graph.guidance import GuidanceGraph
from multiome.modalities.base import Modality
from multiome.model.config import ModelConfig
from multiome.predict import archive
from multiome.predict.arguments import Depth
from multiome.predict.denoise import denoise
from multiome.predict.embed import embed
from multiome.predict.evaluate import evaluate
from multiome.predict.find_links import find_links
from multiome.predict.fitted import Fitted
from multiome.predict.impute import impute
from multiome.predict.learn import learn_together
from multiome.predict.links import Links
from multiome.predict.prediction import Prediction
from multiome.predict.translate import translate
from multiome.predict.unlike import novelty
from multiome.train.config import MOST_HELD_OUT, LossWeights, TrainConfig
from multiome.train.heap import give_back, keep_freed
from multiome.train.job import Job
from multiome.train.processes import is_first


def fit(
    mdata: Data,
    *,
    graph: GuidanceGraph | None = None,
    batch_key: str | Sequence[str] | None = None,
    modalities: Mapping[str, Modality] | None = None,
    config: ModelConfig | None = None,
    train: TrainConfig | None = None,
    loss: LossWeights | None = None,
    seed: int = 0,
    drop_empty: bool = False,
) -> Multiome:
    """Train a model on paired, partly paired or, with a guidance graph, unpaired cells.

    Parameters
    ----------
    mdata
        Raw counts, one modality per assay. Which cells are paired is what the `MuData`'s own obs map says: a cell
        that a modality does not list is unmeasured there, never zero; protein counts may be NaN in whole proteins of a
        set of cells, which says that they are not in its antibody panel. Nothing in it is changed. An `AnnData` is one
        modality: RNA, unless ``modalities`` says otherwise.
    graph
        What is known of which features belong together (gene and peak, protein and gene). Modalities that it joins
        need not share a single cell. Its keys and names must be those of ``mdata``.
    batch_key
        Column, or columns, of the experimental batch (donor, run). Looked up in ``mdata.obs``, then in each modality's
        ``obs``; where they disagree, an error. Its effect is learnt by the decoder alone, so that latent states are
        free of it. A level is a batch of cells: one per cell is an error, fewer than 10 cells give a warning.
    modalities
        What each key is, for example ``{"peaks": mo.ATAC}``; keys left out are not used. By default keys such as
        ``rna``, ``gex``, ``atac``, ``peaks``, ``prot``, ``adt``, ``met`` are recognised.
    config
        Size of the model.
    train
        Optimisation.
    loss
        What each loss term counts.
    seed
        A whole number from 0 to 2**32 - 1. Same seed, same machine and same number of threads: same result.
    drop_empty
        Treat cells without a single count in a modality as not measured there, instead of raising an error.

    Returns
    -------
    A fitted model. Where `torchrun` or `srun` has started several processes, each returns the same.

    Raises
    ------
    MultiomeError
        If the data cannot be trained on; always before training starts.
    TrainingDiverged
        If a loss becomes NaN or infinite; it says which, and through which modality.
    """
    # what trains takes seconds to import, for which nobody waits who only predicts
    from multiome.predict.models import Plan, fitted_models
    from multiome.train.resume import checkpoint_of, digest, digest_of_edges, files_and_marks, mark, mark_of

    config = given_or_default("config", config, ModelConfig)
    train = given_or_default("train", train, TrainConfig)
    loss = given_or_default("loss", loss, LossWeights)
    train.check_device()
    if train.checkpoint is not None:
        check_apart(train.checkpoint, files_of(mdata), name="checkpoint")
        for one in range(train.n_models or 1):
            mark_of(checkpoint_of(train.checkpoint, one))
    seed = check_seed(seed)
    pairs = joined_pairs(graph)
    keep_freed()
    spec, cells = prepare(mdata, modalities=modalities, batch_key=batch_key, drop_empty=drop_empty, joined=pairs)
    give_back()  # the names of many cells, and what was read to choose features
    mention_few_cells(len(cells))
    spec, edges = (spec, None) if graph is None else guided(spec, graph, decoys=train.decoys, seed=seed)
    observed = np.stack([cells.observed(key) for key in spec.modalities], axis=1)
    near = {"run": RUN, "most": MOST_HELD_OUT} if cells.on_disk else {}
    rows, held_out = split(observed, validation=train.share_held_out(len(cells)), seed=seed, **near)
    known, known_rows, checks = in_memory(cells, rows, held_out, seed=seed)
    own: dict[str, str] = {}
    if train.checkpoint is not None:
        told = {"values": digest(cells, known, rows), "graph": digest_of_edges(edges)}
        own = mark(spec, config, train, loss, seed=seed, **told)
    n_models = train.n_averaged(int((observed[rows].sum(1) > 1).sum()))
    kept = files_and_marks(train.checkpoint, own, n_models=n_models)
    jobs = [
        Job(cells, rows, (known, checks), train, loss, (seed + one) % 2**32, file, each)
        for one, (file, each) in enumerate(kept)
    ]
    plans = [Plan(spec, config, edges, job, known_rows, seed) for job in jobs]
    models = fitted_models(plans)
    fitted = learn_together(models.each, known, rows=known_rows, held_out=checks, graph=graph, edges=edges, seed=seed)
    for file, _ in kept if is_first() and not models.interrupted else ():
        if file is not None:
            file.unlink(missing_ok=True)
    on_disk = cells.on_disk
    del cells, known, jobs, plans
    if on_disk:
        gc.collect()  # what has trained refers to itself, and would keep the file open
    return Multiome(fitted, models.history)


class Multiome:
    """A fitted model. Made by `fit` or `Multiome.load`."""

    def __init__(self, fitted: Fitted, history: pd.DataFrame) -> None:
        self._fitted = fitted
        self._history = history

    @property
    def spec(self) -> DataSpec:
        """What the model was built for: features, layers, batches."""
        return self._fitted.spec

    @property
    def history(self) -> pd.DataFrame:
        """Losses per epoch: columns ``epoch``, ``cells`` (``train`` or ``val``), ``loss`` and ``value``.

        Where several models are averaged (`TrainConfig.n_models`), those of the first one.
        """
        return self._history.copy()

    @property
    def consistency(self) -> pd.DataFrame:
        """Whether the training cells bear out the guidance graph: what tells if unpaired modalities were matched.

        One row per pair of modalities that the graph joins: ``modality``, ``other``, ``edges``, ``decoys`` (false edges
        that the model was trained with), ``both`` (cells that have both), ``groups``, ``score`` and ``p``. Over
        ``groups`` of similar cells, up to 20, the measured values of an edge's two ends correlate; the score is how
        much more often they do so better than a decoy's than worse, edges counting by the root of their weight and by
        how much their ends change between groups: from 0 (as good as false edges: the graph is wrong, such as of
        another genome, or cells were matched wrongly) to 1 (always); p is that of 0, by normal scores (van der Waerden
        1952, one-sided). NaN with fewer than 20 decoys, or fewer than 3
        to 5 groups that have 10 cells of both. It says that the match is better than chance, not that all is right.

        Raises
        ------
        MultiomeError
            If the model was fitted without a graph, or saved by a version that did not compute it.
        """
        return self._fitted.knowledge()[1].consistency.copy()

    @property
    def reliability(self) -> pd.DataFrame:
        """How well each feature can be predicted from the other modalities, by cells that `fit` held out.

        One row per feature of every modality of which at least 20 such cells have another one, too:

        * ``modality``, ``feature``;
        * ``score``: ``"r"``, Pearson correlation of predicted and measured values over cells (log CP10k, CLR,
          methylated fraction), or ``"auroc"``, how well predictions rank cells with and without a fragment (ATAC);
        * ``reliability``: the score to be expected. What the held-out cells show weighs as many cells as tell of the
          feature (``n_cells``: those with a count; for proteins and methylation, all measured), what the model
          expects of itself 100. NaN where the feature does not vary in training cells either;
        * ``held_out``: what the held-out cells show alone; noisy where ``n_cells`` is small;
        * ``over_mean``: how much ``reliability`` is above what the mean of the training cells gets (r 0, AUROC 0.5);
        * ``over_knn``: how much ``held_out`` is above the score of the mean of the 30 training cells nearest in the
          latent space that the other modalities give, as noisy;
        * ``predictable``: whether held-out cells show that the feature is predicted better than by its mean
          (Benjamini-Hochberg, 5 % of those called so are not). False may also mean that too few cells tell.

        RNA and ATAC are predicted at a reference depth, and peaks compared between cells of like depth: that deep cells
        have more of everything does not count. The table is empty where fewer than 20 held-out cells have two
        modalities, as where there is only one, or where modalities were measured in different cells. The columns stand
        in ``.var`` of what `translate` and `impute` return, too. They hold for cells like those of the training, and
        for all other modalities together: a cell that has one of several is predicted less well.

        Raises
        ------
        MultiomeError
            If the model was saved by a version that did not learn it.
        """
        if self._fitted.reliability is None:
            raise MultiomeError(
                "The model was saved by a version of multiome that did not learn how well features can be predicted; "
                "fit it again."
            )
        return self._fitted.reliability.copy()

    def __repr__(self) -> str:
        return self._fitted.describe()

    def embed(
        self,
        data: Data,
        *,
        modality: str | None = None,
        min_features: float = 0.5,
        drop_empty: bool = False,
    ) -> Float[np.ndarray, "cell latent"]:
        """Latent state of every cell.

        Parameters
        ----------
        data
            Raw counts of at least one modality that the model knows; features are matched by name, in any order.
            Modalities are matched by key, else by kind; those that the model does not know are ignored, with a warning.
        modality
            Embed from this modality alone. An `AnnData` needs it where the model knows several.
        min_features
            Least share of the model's features that must be there, from 0 to 1; those that are missing contribute
            nothing.
        drop_empty
            Treat cells without a single count as not measured, instead of raising an error.

        Returns
        -------
        Posterior means, float32 (cells x latent), not normalised. Rows follow ``data.obs_names``, or the modality's
        where one is named. A cell with no measured modality is a row of NaN, with a warning.
        """
        return embed(self._fitted, data, modality=modality, min_features=min_features, drop_empty=drop_empty)

    def novelty(
        self,
        data: Data,
        *,
        modality: str | None = None,
        min_features: float = 0.5,
        drop_empty: bool = False,
    ) -> pd.DataFrame:
        """How unlike the training cells each cell is: new cell types, other species, features of other names.

        Every measured value is compared with what the nearest of 256 training states expects of it; the squared,
        clipped Pearson residuals of a cell are set beside those of cells that `fit` held out, at equal depth. The same
        columns stand in ``.obs`` of what `translate`, `impute` and `denoise` return, there by what they predict from.

        Parameters
        ----------
        data, modality, min_features, drop_empty
            As in `embed`.

        Returns
        -------
        A table, one row per cell, in the order of `embed`:

        * ``novelty``: standard deviations above what is usual; NaN without a measured modality;
        * ``unlike_training``: whether it is above what one in a hundred held-out cells exceeds. A type that differs
          little from those of the training is not noticed.

        Raises
        ------
        MultiomeError
            If fewer than 30 cells were held out when the model was fitted, or none of its modalities tells cells apart.
        """
        return novelty(self._fitted, data, modality=modality, min_features=min_features, drop_empty=drop_empty)

    def translate(
        self,
        data: Data,
        *,
        source: str,
        target: str,
        scale: str | None = None,
        depth: Depth = "predicted",
        features: Sequence[str] | None = None,
        batch: str | int | Sequence[str] | None = None,
        seed: int = 0,
        min_features: float = 0.5,
        drop_empty: bool = False,
        out: str | os.PathLike | None = None,
        overwrite: bool = False,
    ) -> ad.AnnData:
        """Expected values of one modality in cells where another was measured.

        They lie closer to the average cell of the same batch than the decoder alone would say, by the factor per
        modality under which the values of cells that `fit` held out were most probable (shrinkage, Copas 1983); with
        fewer than 20 such cells they are left as they are.

        Parameters
        ----------
        data
            Cells with the source modality.
        source, target
            A key of the fitted `MuData`, or the kind of assay where only one key is of that kind.
        scale
            ``"counts"`` (default), ``"log_cp10k"`` (RNA), ``"clr"``, ``"foreground"`` (probability that the protein is
            there) or ``"background_removed"`` (all its counts where it is there, 0 where not; proteins),
            ``"probability"`` (ATAC), ``"fraction"`` (methylation, its default) or ``"values"`` (data that are not
            counts, their default). The result is the expectation of the transformed value, not the transform of the
            expected one.
            Counts are on the scale that the model was fitted on: where ATAC counts were cut sites that `fit` halved
            (``model`` says so when printed), they are fragments.
        depth
            Total counts to predict at: ``"predicted"`` from the source's depth and batch, ``"reference"`` (the training
            median), or numbers (one per cell; fragments where ATAC counts were halved).
        features
            Only these features of the target.
        batch
            Predict as if measured in this experimental batch. By default each cell's own; one that training did not
            have gets the average effect, with a warning.
        seed
            Of the latent states that are averaged over.
        min_features, drop_empty
            As in `embed`.
        out
            Write the result here, a ``.zarr`` or ``.h5ad``, as it is made: it need not fit into memory.
        overwrite
            Replace what is at ``out``.

        Returns
        -------
        `AnnData`, ``.X`` expected values (float32, cells of the source x features), ``uns["multiome"]`` the scale.
        With ``out``, its ``.X`` stays on disk; ``.to_memory()`` reads it, which copies and data frames need.

        Raises
        ------
        MultiomeError
            If the data cannot be worked on, or ``out`` is named otherwise.
        OSError
            If nothing can be written there.
        """
        return translate(
            self._fitted, data, source=source, target=target, scale=scale, depth=depth, features=features, batch=batch,
            seed=seed, min_features=min_features, drop_empty=drop_empty, out=out, overwrite=overwrite,
        )  # fmt: skip

    @overload
    def impute(
        self, data: Data, target: str, *, scale: str | None = ..., n_samples: int | np.integer = ...,
        depth: Depth = ..., features: Sequence[str] | None = ..., batch: str | int | Sequence[str] | None = ...,
        seed: int = ..., min_features: float = ..., drop_empty: bool = ..., out: None = ...,
        interval: None = ..., overwrite: bool = ...,
    ) -> Prediction: ...  # fmt: skip

    @overload
    def impute(
        self, data: Data, target: str, *, scale: str | None = ..., n_samples: int | np.integer = ...,
        depth: Depth = ..., features: Sequence[str] | None = ..., batch: str | int | Sequence[str] | None = ...,
        seed: int = ..., min_features: float = ..., drop_empty: bool = ..., out: str | os.PathLike,
        interval: float | None = ..., overwrite: bool = ...,
    ) -> ad.AnnData: ...  # fmt: skip

    def impute(
        self,
        data: Data,
        target: str,
        *,
        scale: str | None = None,
        n_samples: int | np.integer = 100,
        depth: Depth = "predicted",
        features: Sequence[str] | None = None,
        batch: str | int | Sequence[str] | None = None,
        seed: int = 0,
        min_features: float = 0.5,
        drop_empty: bool = False,
        out: str | os.PathLike | None = None,
        interval: float | None = None,
        overwrite: bool = False,
    ) -> Prediction | ad.AnnData:
        """Predict a modality from every other one that a cell has, with uncertainty.

        Parameters
        ----------
        data
            Cells with at least one modality that the model knows; the target itself, where measured, is not looked at.
        target
            A key of the fitted `MuData`, or a kind of assay such as ``"protein"``.
        n_samples
            Posterior predictive draws; more draws give smoother intervals. The draws of a cell, unlike its mean, depend
            on which cells and features are predicted with it: of few draws, ``std`` and ends of intervals differ.
        scale, depth, features, batch, seed, min_features, drop_empty
            As in `translate`.
        out
            Write mean and ``std`` here, a ``.zarr`` or ``.h5ad``, as they are made: neither draws nor results need fit
            into memory. The numbers are those of a `Prediction` of the same seed.
        interval
            Also write the ends of the central interval of this probability (say 0.9), as layers ``lower`` and
            ``upper``.
        overwrite
            Replace what is at ``out``.

        Returns
        -------
        A `Prediction` with ``mean``, ``std``, ``interval``, ``pit`` and ``to_anndata``. Of ATAC counts that `fit`
        halved, it predicts fragments; of methylation, latent fractions.
        With ``out``, an `AnnData` whose ``.X`` (the mean) and layers stay on disk; ``.to_memory()`` reads them.

        Raises
        ------
        MultiomeError
            If the data cannot be worked on, draws would not fit into memory, or ``out`` is named otherwise.
        OSError
            If nothing can be written there.
        """
        return impute(
            self._fitted, data, target, scale=scale, n_samples=n_samples, depth=depth, features=features, batch=batch,
            seed=seed, min_features=min_features, drop_empty=drop_empty, out=out, interval=interval,
            overwrite=overwrite,
        )  # fmt: skip

    @overload
    def denoise(
        self, data: Data, modality: str, *, scale: str | None = ..., n_samples: int | np.integer = ...,
        depth: Depth = ..., features: Sequence[str] | None = ..., batch: str | int | Sequence[str] | None = ...,
        seed: int = ..., min_features: float = ..., drop_empty: bool = ..., out: None = ...,
        interval: None = ..., overwrite: bool = ...,
    ) -> Prediction: ...  # fmt: skip

    @overload
    def denoise(
        self, data: Data, modality: str, *, scale: str | None = ..., n_samples: int | np.integer = ...,
        depth: Depth = ..., features: Sequence[str] | None = ..., batch: str | int | Sequence[str] | None = ...,
        seed: int = ..., min_features: float = ..., drop_empty: bool = ..., out: str | os.PathLike,
        interval: float | None = ..., overwrite: bool = ...,
    ) -> ad.AnnData: ...  # fmt: skip

    def denoise(
        self,
        data: Data,
        modality: str,
        *,
        scale: str | None = None,
        n_samples: int | np.integer = 0,
        depth: Depth = "own",
        features: Sequence[str] | None = None,
        batch: str | int | Sequence[str] | None = None,
        seed: int = 0,
        min_features: float = 0.5,
        drop_empty: bool = False,
        out: str | os.PathLike | None = None,
        interval: float | None = None,
        overwrite: bool = False,
    ) -> Prediction | ad.AnnData:
        """Smooth a modality that was measured, by all that was measured of each cell.

        What is expected, were the cell's molecules counted once more: the model's expectation, and how the cell's own
        count differs from it. The more a feature's counts vary beyond the noise of counting in cells that the model
        takes for alike, the more the own count says (the conjugate update of a gamma, or beta, distributed rate; Huang
        et al. 2018, doi:10.1038/s41592-018-0033-z); for ATAC, whose counts are Poisson, and for values that are no
        counts, nothing. With ``batch``, a count is judged in the batch where it was counted.

        Parameters
        ----------
        data
            Cells with the modality; what else was measured of them is used, too.
        modality
            A key of the fitted `MuData`, or the kind of assay.
        depth
            ``"own"``, as deep as the cell was measured; ``"reference"`` (the training median: cells comparable), or
            total counts, as in `translate`.
        n_samples
            Draws, which intervals need; by default none, so that any number of cells fits into memory.
        scale, features, batch, seed, min_features, drop_empty
            As in `impute`. ``"foreground"`` is the probability given the cell's own count.
        out
            Write the mean, and with draws ``std``, here, a ``.zarr`` or ``.h5ad``, as they are made.
        interval
            Also write the ends of central intervals of this probability (say 0.9): of the smoothed value, without the
            noise of counting, as layers ``expected_lower`` and ``expected_upper``, and of a second count of the same
            library as ``lower`` and ``upper``.
        overwrite
            Replace what is at ``out``.

        Returns
        -------
        A `Prediction`, its rows those of the modality in its own order. ``expected_interval`` says where the smoothed
        value lies, ``interval`` where the cell's molecules, counted once more, would. What staining, capture and
        amplification have added stays in both: a measurement of the cell from its beginning lies outside more often.
        ``pit`` asks for such other counts: of those that were smoothed it says nothing.
        With ``out``, an `AnnData` whose ``.X`` (the mean) and layers stay on disk.
        """
        return denoise(
            self._fitted, data, modality, scale=scale, n_samples=n_samples, depth=depth, features=features, batch=batch,
            seed=seed, min_features=min_features, drop_empty=drop_empty, out=out, interval=interval,
            overwrite=overwrite,
        )  # fmt: skip

    def evaluate(
        self,
        data: Data,
        *,
        reference: Data | None = None,
        per: Literal["all", "feature"] = "all",
        level: float = 0.9,
        n_samples: int | np.integer = 100,
        max_cells: int | np.integer = 2000,
        seed: int = 0,
        min_features: float = 0.5,
        drop_empty: bool = False,
    ) -> pd.DataFrame:
        """Score every direction of prediction that some cells allow, beside simple methods on the same cells.

        Each modality is predicted from each other one that the cells have, and from all others together where there are
        several, and compared with what was measured. Only cells that `fit` did not see tell how good predictions of new
        cells are; take a donor or some cells out before.

        Parameters
        ----------
        data
            Cells in which at least two modalities were measured. Of features, those are scored that they have. Of many
            cells on disk all are checked, and those that are scored are read into memory.
        reference
            Cells to train simple methods on, usually those that the model was fitted on: the mean of each feature, the
            30 nearest cells, and ridge regression, the last two on 50 components of the source. Without it the model
            stands alone, and a score says little.
        per
            ``"all"``, one row per direction, method and score; or ``"feature"``, one per feature besides.
        level
            Probability of the intervals.
        n_samples
            Draws that they are made of.
        max_cells
            At most so many cells per direction, drawn at random.
        seed
            Of draws, and of which cells.
        min_features, drop_empty
            As in `embed`.

        Returns
        -------
        A tidy table: ``source``, ``target``, ``method`` (``"multiome"``, ``"mean"``, ``"knn"``, ``"ridge"``),
        ``score``, ``value``, ``n_cells`` that were scored, and ``n_features``, or ``feature`` and ``predictable`` (see
        `reliability`).

        * RNA on log CP10k, protein on CLR, methylated fractions: ``feature_r``, ``cell_r``, ``rmse``
          (`multiome.metrics.correlation`);
        * ATAC: ``cell_auroc``, ``peak_auroc``, ``peak_auroc_depth_free``, ``auprc``
          (`multiome.metrics.accessibility`);
        * ``pit_covered``, ``pit_features_near``: share of measured values, and of features, inside the intervals by the
          randomised transform (`multiome.metrics.pit_coverage`); should be ``level``, and near 1;
        * ``interval_width``, ``interval_score`` (`multiome.metrics.interval_score`, small is good) of the counts
          themselves; the method ``"mean"`` is the same interval for all cells, of the reference's quantiles. With more
          than 1,000 features, of 1,000 of them;
        * ``features_predictable``: share of the features that the model itself says it can predict;
        * per feature: ``r`` or ``auroc``, and the same of intervals.

        Raises
        ------
        MultiomeError
            If no 10 cells have two modalities that the model knows, or there are too few draws for the intervals.
        """
        return evaluate(
            self._fitted, data, reference=reference, per=per, level=level, n_samples=n_samples, max_cells=max_cells,
            seed=seed, min_features=min_features, drop_empty=drop_empty,
        )  # fmt: skip

    def links(self, source: str = "atac", target: str = "rna", *, window: int | None = None) -> Links:
        """Which of the guidance graph's edges the training cells bear out: peaks that may regulate a gene.

        The score of a link is a regression coefficient: the change of the gene's log expression, over the states of the
        training cells, per standard deviation of the peak's log accessibility, at equal accessibility of the gene's
        other candidates, over the root of how far the gene changes. A normal prior, the wider the larger the
        edge's weight, draws it towards 0: more so against the edge's sign, and where the peak's own changes are hardly
        more than noise, or small beside those of other peaks. It says that two features move together, not that one
        causes the other.

        The graph's edges are part of what the model learnt, so that even false ones look true beside random pairs. p is
        therefore the share of decoys with a score as large: false edges to features far away or on other chromosomes,
        like the graph's in weight and number of neighbours, that the model was trained with. It rests on features that
        have several candidates: of a graph that joins peaks with the gene they lie in alone, it is too small. Scores of
        edges of large weight are larger even where they are false. Within a ``window``, which keeps most of these,
        scores are therefore also compared in units of the spread that decoys of like weight have, and the larger p
        counts.

        Parameters
        ----------
        source, target
            A key of the fitted `MuData`, or the kind of assay; the guidance graph must join the two.
        window
            Only edges of at most so many base pairs; by default all that the graph has. q is over these.

        Returns
        -------
        A `Links`, one row per edge of the graph, with ``score``, ``p``, ``q`` (Benjamini-Hochberg) and ``distance``.

        Raises
        ------
        MultiomeError
            If the model was fitted without a graph, or the graph does not join the two.
        """
        return find_links(self._fitted, source=source, target=target, window=window)

    def save(self, path: str | os.PathLike, *, overwrite: bool = False) -> None:
        """Write the model into one file; an interrupted save leaves the old file or the new one, never half.

        A symbolic link stays, and what it leads to is replaced. What a killed save left beside the file, a folder
        ``.NAME.xxxxxxxx.part``, is removed by the next save to the same place.

        Where `torchrun` or `srun` has started several processes that fitted the model together, the first one writes,
        and the others do nothing.

        Raises
        ------
        FileExistsError
            If ``path`` exists and ``overwrite`` is not set.
        """
        if is_first():
            archive.save(self._fitted, self._history, path, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Multiome:
        """Read a saved model.

        Raises
        ------
        InvalidModelFile
            If the file is truncated, foreign, or newer than this version of the package can read.
        """
        return cls(*archive.load(path))
