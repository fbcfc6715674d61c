"""How results are looked at: text for terminals, HTML for notebooks and pages, figures for reports."""

from .blocks import Block, Cell, Details, Markup, Picture, Pre, Table, Text, number
from .charts import chart
from .document import Document, plain
from .figures import figure, heatmap, log_scale, shades
from .library import require
from .pages import page

__all__ = [
    "Block",
    "Cell",
    "Details",
    "Document",
    "Markup",
    "Picture",
    "Pre",
    "Table",
    "Text",
    "chart",
    "figure",
    "heatmap",
    "log_scale",
    "number",
    "page",
    "plain",
    "require",
    "shades",
]
