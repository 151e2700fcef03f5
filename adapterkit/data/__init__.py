"""Rows to train on: readers of corpora and files, chat templating with exact labels, and batches."""

from adapterkit.data.collate import PadCollator
from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.data.encode import EncodedSplit, as_dataset, encode_split, fit_split
from adapterkit.data.readers import PERSONAS, READERS, list_personas, read_splits
from adapterkit.data.replay import Reservoir
from adapterkit.data.sampling import thin
from adapterkit.data.splits import Splits
from adapterkit.data.template import EncodedRow, encode

__all__ = [
    "PERSONAS",
    "READERS",
    "Conversation",
    "EncodedRow",
    "EncodedSplit",
    "Origin",
    "PadCollator",
    "Reservoir",
    "Splits",
    "Turn",
    "as_dataset",
    "encode",
    "encode_split",
    "fit_split",
    "list_personas",
    "read_splits",
    "thin",
]
