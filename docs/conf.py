"""How Sphinx builds the documentation: `make docs`, or `python -m sphinx -W -c docs . build/site` from the root of the repository.

The source folder is the root, so that a link between a page, a notebook and CONTRIBUTING.md is the same here and in the repository.
"""

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
# Notebooks run here neither change the reader's progress nor depend on settings of IPython; a kernel's warnings of its own are no news.
scratch = tempfile.TemporaryDirectory()
os.environ["MINIGRAD_PROGRESS"] = str(Path(scratch.name) / "progress.json")
os.environ["IPYTHONDIR"] = scratch.name
(Path(scratch.name) / "profile_default").mkdir()
(Path(scratch.name) / "profile_default" / "ipython_kernel_config.json").write_text(
    '{"IPKernelApp": {"log_level": 40}}', encoding="utf-8"
)

project = "minigrad"
author = "The minigrad authors"
copyright = author  # noqa: A001 - Sphinx's name
root_doc = "docs/index"
include_patterns = ["docs/**", "notebooks/*.ipynb", "CONTRIBUTING.md", "CHANGELOG.md"]
exclude_patterns = [".*", "benchmarks", "build", "dist", "examples", "minigrad", "out", "tests", "tools"]  # not searched
extensions = ["sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton", "myst_nb", "tools.documentation"]
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_ipywidgets_js: dict[str, str] = {}  # nothing from a network

autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
copybutton_exclude = ".linenos, .gp, .go"

smartquotes = False  # code in docstrings is to be copied
html_theme = "furo"
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_title = "minigrad"
html_static_path = ["static"]
html_css_files = ["site.css"]
templates_path = ["templates"]
html_additional_pages = {"index": "to_the_start.html"}
html_math_renderer = "mathml"
html_show_sphinx = False
html_show_search_summary = False  # it would be fetched, which browsers refuse to pages on a disk
html_copy_source = False
