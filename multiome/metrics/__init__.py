"""Numbers about arrays: how well cells pair, mix and cluster, and how well values are predicted."""

from multiome.metrics.baselines import BASELINES as BASELINES
from multiome.metrics.baselines import baseline_knn as baseline_knn
from multiome.metrics.baselines import baseline_mean as baseline_mean
from multiome.metrics.baselines import baseline_mlp as baseline_mlp
from multiome.metrics.baselines import baseline_ridge as baseline_ridge
from multiome.metrics.baselines import components as components
from multiome.metrics.calibration import interval_score as interval_score
from multiome.metrics.calibration import pit as pit
from multiome.metrics.calibration import pit_coverage as pit_coverage
from multiome.metrics.chromatin import accessibility as accessibility
from multiome.metrics.clustering import clusters as clusters
from multiome.metrics.imputation import correlation as correlation
from multiome.metrics.imputation import pearson as pearson
from multiome.metrics.imputation import rmse as rmse
from multiome.metrics.mixing import neighbour_mixing as neighbour_mixing
from multiome.metrics.pairing import foscttm as foscttm
from multiome.metrics.pairing import match_rate as match_rate
from multiome.metrics.ranking import auprc as auprc
from multiome.metrics.ranking import auroc as auroc
from multiome.metrics.ranking import auroc_per_feature as auroc_per_feature
from multiome.metrics.resampling import bootstrap as bootstrap
from multiome.metrics.transfer import knn_label_accuracy as knn_label_accuracy
from multiome.metrics.transfer import label_transfer as label_transfer
from multiome.metrics.transforms import clr as clr
from multiome.metrics.transforms import log_cp10k as log_cp10k
