"""Blocks as HTML: a fragment for a notebook, or a whole page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files

from ..errors import ArgumentError
from .blocks import Block

__all__ = ["fragment", "page", "resource"]


@cache
def resource(package: str, name: str) -> str:
    """The text of a file that stands in a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _style() -> str:
    return resource(__package__ or "minigrad.display", "style.css")


def fragment(blocks: Sequence[Block]) -> str:
    """The blocks in an element of their own, with the style that they need."""
    return f'<div class="minigrad"><style>{_style()}</style>{"".join(block.html() for block in blocks)}</div>'


def page(title: str, sections: Sequence[tuple[str, Sequence[Block]]], script: str = "") -> str:
    """A whole page: sections with headings, and links to them at the top. `script` is JavaScript that runs at the end."""
    if "</script" in script.lower():
        raise ArgumentError("page: a script cannot hold '</script', which would end it")
    links = "".join(f'<a href="#part-{n}">{escape(name)}</a>' for n, (name, _) in enumerate(sections) if len(sections) > 1)
    body = "".join(
        f'<section id="part-{n}"><h2>{escape(name)}</h2>{"".join(block.html() for block in blocks)}</section>'
        for n, (name, blocks) in enumerate(sections)
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f'<style>{_style()}</style></head>\n<body class="minigrad page"><header><h1>{escape(title)}</h1>'
        f"{f'<nav>{links}</nav>' if links else ''}</header>\n<main>{body}</main>\n"
        f"{f'<script>{script}</script>' if script else ''}</body></html>\n"
    )
