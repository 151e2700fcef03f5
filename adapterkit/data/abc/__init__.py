"""Tunes in ABC notation: read strictly, measured bar by bar, and moved to other keys exactly."""

from adapterkit.data.abc.metre import MetreScore, metre_score
from adapterkit.data.abc.playing import Bar, Sound, play
from adapterkit.data.abc.tokens import AbcError
from adapterkit.data.abc.transpose import keys_near, transpose
from adapterkit.data.abc.tune import Tune, parse_tune, split_tunes

__all__ = [
    "AbcError",
    "Bar",
    "MetreScore",
    "Sound",
    "Tune",
    "keys_near",
    "metre_score",
    "parse_tune",
    "play",
    "split_tunes",
    "transpose",
]
