"""Reprise: six music-audio papers, played again from data to verdict."""

__all__ = ["__version__"]

__version__ = "0.1.0"
