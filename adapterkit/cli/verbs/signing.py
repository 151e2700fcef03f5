"""`adapterkit sign`: vouch for an artifact with a key."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapterkit.cli.verbs.options import Json, Ref, RegistryOption

if TYPE_CHECKING:
    from adapterkit.artifacts import Artifact, Signature


class SignatureFormat(StrEnum):
    """The formats of signatures, as the command names them."""

    ED25519 = "ed25519"
    OPENSSF = "openssf"


def sign(
    ref: Ref,
    key: Annotated[Path, typer.Option("--key", help="Private key, PEM: Ed25519, or an elliptic curve for openssf.")],
    wanted: Annotated[
        SignatureFormat | None, typer.Option("--format", help="Refuse a key of another format's kind.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of another key's signature.")] = False,
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Verify an adapter with its ancestors, then sign it. An encrypted key's password: $ADAPTERKIT_KEY_PASSWORD."""
    from adapterkit.artifacts import private_key, sign_artifact
    from adapterkit.cli.output import print_json
    from adapterkit.registry import Registry

    pen = private_key(key)
    pen.public.require_format(wanted)
    *ancestors, artifact = Registry(registry).lineage_artifacts(ref)
    signature = sign_artifact(artifact, pen, replace=replace)
    unsigned = [str(each.ref) for each in ancestors if not (each.path / signature.path.name).exists()]
    facts = _facts(artifact, signature, unsigned)
    print_json(facts) if as_json else _print_facts(facts)


def _facts(artifact: Artifact, signature: Signature, unsigned: list[str]) -> dict[str, Any]:
    return {
        "ref": str(artifact.ref),
        "signature": str(signature.path),
        "fingerprint": signature.fingerprint,
        "new": signature.new,
        "unsigned_ancestors": unsigned,
    }


def _print_facts(facts: dict[str, Any]) -> None:
    done = "signed" if facts["new"] else "already signed"
    print(f"{done}: {facts['ref']} by {facts['fingerprint'][:16]}: {facts['signature']}")
    if facts["unsigned_ancestors"]:
        print(f"Not signed in this format: {', '.join(facts['unsigned_ancestors'])}. `verify --key` asks for them too.")
