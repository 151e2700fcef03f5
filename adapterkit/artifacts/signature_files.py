"""The detached signatures of an artifact: the only files that may join its directory after it was published."""

from __future__ import annotations

from collections.abc import Mapping

ED25519_FILE = "checksums.json.sig"
OPENSSF_FILE = "model.sig"
ED25519_BYTES = 64
MAX_OPENSSF_BYTES = 1_000_000

# Each format, and the file that holds its signature.
SIGNATURE_FILES: Mapping[str, str] = {"ed25519": ED25519_FILE, "openssf": OPENSSF_FILE}
