"""Artifacts: written whole, verified byte for byte, read only after that."""

from adapterkit.artifacts.adapter_config import LoraSettings, parse_adapter_config
from adapterkit.artifacts.assemble import canonical_config, manifest_of, write_artifact
from adapterkit.artifacts.card import render_card
from adapterkit.artifacts.checksums import Checksums, read_checksums, write_checksums
from adapterkit.artifacts.draft import ArtifactDraft
from adapterkit.artifacts.header import Header, TensorEntry, read_header
from adapterkit.artifacts.keys import PrivateKey, PublicKey, private_key, public_keys
from adapterkit.artifacts.plain_yaml import MAX_YAML_BYTES, yaml_problem
from adapterkit.artifacts.read import Artifact, from_report, read_verified, verified_settings, verified_weights
from adapterkit.artifacts.secrets import without_secrets
from adapterkit.artifacts.sign import Signature, sign_artifact
from adapterkit.artifacts.signature_files import SIGNATURE_FILES
from adapterkit.artifacts.snippets import (
    BASE_LINES,
    PEFT_IMPORTS,
    as_text,
    fenced,
    load_call,
    peft_lines,
    stacking_lines,
)
from adapterkit.artifacts.strict_json import parse_json, pretty_json
from adapterkit.artifacts.tensors import TensorScan, scan_tensors
from adapterkit.artifacts.verify import MAX_TEXT_BYTES, VerificationReport, verify_directory
from adapterkit.artifacts.weights import Measured, measure, measure_sound

__all__ = [
    "BASE_LINES",
    "MAX_TEXT_BYTES",
    "MAX_YAML_BYTES",
    "PEFT_IMPORTS",
    "SIGNATURE_FILES",
    "Artifact",
    "ArtifactDraft",
    "Checksums",
    "Header",
    "LoraSettings",
    "Measured",
    "PrivateKey",
    "PublicKey",
    "Signature",
    "TensorEntry",
    "TensorScan",
    "VerificationReport",
    "as_text",
    "canonical_config",
    "fenced",
    "from_report",
    "load_call",
    "manifest_of",
    "measure",
    "measure_sound",
    "parse_adapter_config",
    "parse_json",
    "peft_lines",
    "pretty_json",
    "private_key",
    "public_keys",
    "read_checksums",
    "read_header",
    "read_verified",
    "render_card",
    "scan_tensors",
    "sign_artifact",
    "stacking_lines",
    "verified_settings",
    "verified_weights",
    "verify_directory",
    "without_secrets",
    "write_artifact",
    "write_checksums",
    "yaml_problem",
]
