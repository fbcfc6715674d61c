"""Gradient checks."""

from .check import GradcheckError
from .gradcheck import gradcheck, gradgradcheck

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]
