"""See what a network does: traces, diagnoses, graphs, reports."""

from .graphs.drawing import Graph, graph
from .health.diagnosis import Diagnosis, doctor
from .health.finding import Finding
from .health.watch_training import DoctorCallback
from .one_page import report
from .tracing.backward_steps import BackwardTrace, trace_backward
from .tracing.flow import Trace, trace
from .tracing.prediction import Explanation, explain_prediction

__all__ = [
    "BackwardTrace",
    "Diagnosis",
    "DoctorCallback",
    "Explanation",
    "Finding",
    "Graph",
    "Trace",
    "doctor",
    "explain_prediction",
    "graph",
    "report",
    "trace",
    "trace_backward",
]
