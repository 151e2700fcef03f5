"""Where bytes live: atomic primitives on a local disk."""

from adapterkit.stores.files import copy_file, explained, read_file, sync_directory, write_file
from adapterkit.stores.joining import add_file
from adapterkit.stores.lock import adding_to, taking_from
from adapterkit.stores.staging import move_into_place, staging_directory

__all__ = [
    "add_file",
    "adding_to",
    "copy_file",
    "explained",
    "move_into_place",
    "read_file",
    "staging_directory",
    "sync_directory",
    "taking_from",
    "write_file",
]
