"""Eleven instruments without recordings, after how each makes its sound."""

from reprise.data.synthetic.instruments.makes import BASS, RANGES, Make, draw_make
from reprise.data.synthetic.instruments.play import note, phrase, play
from reprise.data.synthetic.instruments.score import NoteList
from reprise.data.synthetic.instruments.style import GENRES, Style, draw_style

__all__ = ["BASS", "GENRES", "RANGES", "Make", "NoteList", "Style", "draw_make", "draw_style", "note", "phrase", "play"]
