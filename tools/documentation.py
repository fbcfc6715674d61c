"""What the documentation's generator, Sphinx, is helped with: the pages of operations, formulas, docstrings, links from names in code."""

from __future__ import annotations

import re
from functools import cache
from textwrap import dedent
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

from minigrad.display import Document
from tools import op_reference

_NAME = re.compile(r"(?:mg\.|(?=\w+\.))([A-Za-z_][\w.]*)(?:\(.*\))?")  # mg.softmax, nn.Linear, Tensor.backward(); not softmax alone
INSIDE = {"blocks", "opening", "picture", "lines"}  # what documents are made of


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", lambda app: op_reference.write())
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-skip-member", skip_operations)
    app.add_html_math_renderer("mathml", (inline_formula, None), (displayed_formula, None))
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# ---- formulas, as MathML: browsers show it by themselves


def inline_formula(translator: Any, node: nodes.math) -> None:
    translator.body.append(convert(node.astext(), display="inline"))
    raise nodes.SkipNode


def displayed_formula(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{convert(node.astext(), display="block")}</div>\n')
    raise nodes.SkipNode


# ---- docstrings


def read_docstring(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Write a docstring as reStructuredText: named sections as fields, indented lines as code, what is no markup as text."""
    text = "\n".join(lines)
    example = re.search(r"^ *>>>", text, re.MULTILINE)
    end = example.start() if example else len(text)
    blocks = [block for paragraph in re.split(r"\n\n(?=\S)", text[:end]) for block in read_paragraph(paragraph)]
    lines[:] = "\n\n".join([*blocks, dedent(text[end:]), ""]).split("\n")


def read_paragraph(paragraph: str) -> list[str]:
    words, _, code = paragraph.partition("\n\n    ")
    about, sections = op_reference.named_sections(words)
    fields = [f":{title}: {marked(' '.join(said.split()))}" for title, said in sections.items()]
    lists = re.sub(r"\n(?=- )", "\n\n", marked(about)).rstrip()
    return [lists, "\n".join(fields), f".. code-block:: python\n\n    {code}" if code else ""]


def marked(words: str) -> str:
    """|x|, a * b and names_ as text, `code` as code."""
    pieces = re.split(r"(`[^`]*`)", words)
    return "".join(f"`{piece}`" if i % 2 else re.sub(r"([|*\\]|_\b)", r"\\\1", piece) for i, piece in enumerate(pieces))


def shorten_signature(
    app: Sphinx, what: str, name: str, thing: object, options: object, signature: str | None, returned: str | None
) -> tuple[str, None] | None:
    """Nobody makes a result by hand: its fields are described in its docstring."""
    made_inside = isinstance(thing, type) and (issubclass(thing, (Document, tuple)) or name.endswith((".Epoch", ".Run")))
    return ("", None) if made_inside else None


def skip_operations(app: Sphinx, what: str, name: str, thing: object, skip: bool, options: object) -> bool | None:
    """Operations have pages of their own, and so have those that write into their first argument; blocks of documents are for authors."""
    module = str(getattr(thing, "__module__", ""))
    writes = name.endswith("_") and module.startswith("minigrad.ops.")
    inside = name in INSIDE or str(thing.__doc__).startswith("Alias for field number")  # of a named tuple
    return True if writes or inside or id(thing) in operations() else None


@cache
def operations() -> set[int]:
    return {id(entry.object) for entry in op_reference.entries()}


# ---- links


class LinkNames(SphinxPostTransform):
    """Names in code, `nn.Linear` or `mg.softmax`, become links to where they are described. Pictures of notebooks get a text."""

    default_priority = 500

    def run(self, **kwargs: Any) -> None:
        for picture in self.document.findall(nodes.image):
            picture.setdefault("alt", "Picture drawn by the code above")
        for node in list(self.document.findall(nodes.literal)):
            if isinstance(node.parent, (nodes.reference, addnodes.pending_xref, nodes.title)):
                continue
            found = _NAME.fullmatch(node.astext())
            entry = self.env.domains.python_domain.objects.get(f"minigrad.{found[1]}") if found else None
            if entry is not None:
                link = make_refnode(self.app.builder, self.env.docname, entry.docname, entry.node_id, node.deepcopy())
                node.replace_self(link)
