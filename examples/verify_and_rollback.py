"""Two versions, one of which rots on the disk: it is named to the file, neither promoted nor loaded, and taken back.

Run it: python examples/verify_and_rollback.py    (in a folder that is removed at the end). Of what it prints:

    voice@1.1.0: ok=True, 8 files and 420 tensors looked at
    one bit has turned: ok=False
      adapter_model.safetensors: its bytes were changed: sha256 c2c7ff49da82... is not ec3125b60781...
    refused: voice@1.1.0 is not intact, so voice@production stays where it is.
    voice@latest was 1.1.0, and is 1.0.0
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import adapterkit

SHORT = ["name=voice", "data.max_train_rows=32", "data.validation=null", "data.test=null", "trainer.max_steps=4"]


def main() -> None:
    """Publish two versions, turn one bit of the newer one, and go back."""
    with tempfile.TemporaryDirectory() as folder:
        shelf, outputs = Path(folder) / "adapters", Path(folder) / "outputs"
        for seed in (0, 1):  # Another seed, setting or data under the same name is the next version.
            words = [*SHORT, *sys.argv[1:], f"seed={seed}"]
            done = adapterkit.train_recipe("unified", registry=shelf, outputs=outputs, overrides=words).artifact
            print(f"published {done.ref}, weights {done.manifest.weights_digest[:12]}")

        registry = adapterkit.Registry(shelf)
        registry.promote("voice@1.0.0")
        print("aliases:", {alias: str(version) for alias, version in registry.aliases("voice").items()})
        report = adapterkit.verify("voice", registry=shelf)
        print(f"{report.ref}: ok={report.ok}, {report.files} files and {report.tensors} tensors looked at")

        weights = registry.resolve("voice").path / "adapter_model.safetensors"
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.write_bytes(data)
        report = adapterkit.verify("voice", registry=shelf)
        print(f"\none bit has turned: ok={report.ok}", *report.problems, sep="\n  ")
        for attempt in (lambda: registry.promote("voice@1.1.0"), lambda: adapterkit.load("voice", registry=shelf)):
            try:
                attempt()
            except adapterkit.errors.ArtifactError as error:
                print(f"refused: {str(error).splitlines()[0]}")

        moved = registry.rollback("voice")
        print(f"\n{moved.name}@{moved.alias} was {moved.before}, and is {moved.now}")
        session = adapterkit.load("voice", registry=shelf)
        print(f"[{session.lineage}] {session.generate('Say hello.', max_new_tokens=20)}")


if __name__ == "__main__":
    main()
