"""Judge a network: metrics, thresholds, calibration."""

from .base import Report
from .calibration import Reliability, reliability
from .classification import ClassificationReport
from .judge import evaluate, evaluate_outputs
from .label_thresholds import MultilabelThresholds, multilabel_thresholds
from .multilabel import MultilabelReport
from .regression import RegressionReport
from .scores import ClassScores
from .temperature import Calibrated, TemperatureScaling, temperature_scaling
from .thresholds import ThresholdChoice, ThresholdCurve, threshold_curve

__all__ = [
    "Calibrated",
    "ClassScores",
    "ClassificationReport",
    "MultilabelReport",
    "MultilabelThresholds",
    "RegressionReport",
    "Reliability",
    "Report",
    "TemperatureScaling",
    "ThresholdChoice",
    "ThresholdCurve",
    "evaluate",
    "evaluate_outputs",
    "multilabel_thresholds",
    "reliability",
    "temperature_scaling",
    "threshold_curve",
]
