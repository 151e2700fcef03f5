"""Where bytes live: atomic primitives on a local disk."""

from adapterkit.stores.create import create_file
from adapterkit.stores.files import (
    copy_file,
    explained,
    make_directory,
    read_file,
    sync_directory,
    sync_file,
    told_by_the_disk,
    write_file,
)
from adapterkit.stores.lock import adding_to, alone_in, taking_from
from adapterkit.stores.replace import replace_files
from adapterkit.stores.scratch import scratch_directory
from adapterkit.stores.staging import (
    flush_place,
    move_into_place,
    remove_stale_staging,
    staging_directory,
    stale_staging,
)

__all__ = [
    "adding_to",
    "alone_in",
    "copy_file",
    "create_file",
    "explained",
    "flush_place",
    "make_directory",
    "move_into_place",
    "read_file",
    "remove_stale_staging",
    "replace_files",
    "scratch_directory",
    "staging_directory",
    "stale_staging",
    "sync_directory",
    "sync_file",
    "taking_from",
    "told_by_the_disk",
    "write_file",
]
