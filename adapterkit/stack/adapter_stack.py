"""The stack: a verified lineage attached to a live base, frozen, with at most one trainee on top.

How its members add up, and what is active, is the business of `live.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel
from safetensors.torch import load as load_tensors

from adapterkit.artifacts.read import Artifact
from adapterkit.base.load import Base
from adapterkit.errors import StackError
from adapterkit.manifest import ADAPTER_CONFIG_FILE, WEIGHTS_FILE
from adapterkit.names import peft_name
from adapterkit.stack.blend import Blend
from adapterkit.stack.fit import require_dora_trains, require_lineage
from adapterkit.stack.frozen_member import FrozenMember, require_trainable_set
from adapterkit.stack.layers import adapter_parameters, silence_dropout
from adapterkit.stack.live import LiveStack
from adapterkit.stack.member import StackMember, read_published
from adapterkit.stack.state import load_state, save_state, state_of
from adapterkit.stack.targets import with_real_targets


class AdapterStack(LiveStack):
    """A lineage on a live base: attach frozen members root-first, then add one trainee.

    Example:
        stack = AdapterStack(base)
        stack.attach([unified])
        stack.add_trainee("persona_lincoln", LoraConfig(r=8, lora_alpha=16), seed=0)
    """

    def __init__(self, base: Base, *, any_quantization: bool = False) -> None:
        """Take a loaded base; nothing is attached yet.

        Args:
            base: the base, without adapters.
            any_quantization: attach members that were trained on the same base held in another precision.
        """
        super().__init__(base)
        self._any_quantization = any_quantization
        self._frozen: list[FrozenMember] = []

    @property
    def trainee(self) -> StackMember:
        """The member that is trained.

        Raises:
            StackError: the stack has no trainee.
        """
        if not self.members or not self.members[-1].trainable:
            raise StackError("The stack has no trainee: call add_trainee first.")
        return self.members[-1]

    def attach(self, artifacts: Sequence[Artifact]) -> None:
        """Attach a verified lineage, root-first, and freeze it.

        Args:
            artifacts: every member from the root on; each must have been built on exactly the ones before it.

        Raises:
            BaseMismatchError: a member was trained on another base, or under another quantization.
            StackError: a member's lineage is not the members before it, or a trainee already stands on top.
            ArtifactError: the weights on disk are not the published ones.
        """
        if self.members and self.members[-1].trainable:
            raise StackError("Frozen members go below the trainee: attach them before add_trainee.")
        self._require_plain()
        below = [member.artifact.manifest.lineage.members[-1] for member in self.members if member.artifact]
        manifests = [artifact.manifest for artifact in artifacts]
        require_lineage(manifests, self.base.identity, below=below, any_quantization=self._any_quantization)
        # All of it is read and checked before any of it reaches the model.
        for each in [read_published(artifact) for artifact in artifacts]:
            manifest = each.artifact.manifest
            name = peft_name(len(self.members), manifest.name)
            self._inject(name, each.config)
            load_state(self.model, name, each.tensors)
            silence_dropout(self.model, name)
            self.members.append(StackMember(name, each.artifact))
            self._frozen.append(FrozenMember.of(str(manifest.ref), name, state_of(self.model, name)))
        self.blended = Blend.plain(len(self.members))
        if self.members:
            self._activate_all()

    def add_trainee(self, name: str, config: LoraConfig, *, seed: int) -> None:
        """Put a fresh trainable adapter on top; B starts at zero, so the stack's outputs do not change.

        Args:
            name: the adapter's published name.
            config: PEFT's LoRA settings; `target_modules` may name roles (see `targets.py`).
            seed: fixes the initial A, whatever the global generator's state.

        Raises:
            UsageError: a target fits no linear layer of the base.
            StackError: there is a trainee already, or the base cannot train DoRA here.
        """
        if self.members and self.members[-1].trainable:
            raise StackError(f"The stack already trains '{self.members[-1].peft_name}'.")
        self._require_plain()
        below = [member.artifact.manifest.adapter.variant for member in self.members if member.artifact]
        dora = config.use_dora or any("dora" in variant for variant in below)
        require_dora_trains(dora, self.base.identity.quantization, self.base.device)
        internal = peft_name(len(self.members), name)
        config = with_real_targets(config, self.base.model)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self._inject(internal, config)
        self.members.append(StackMember(internal, None))
        self.blended = Blend.plain(len(self.members))
        self._activate_all()
        self.require_trainable_set()

    def require_trainable_set(self) -> None:
        """Demand that exactly the trainee's parameters require grad; cheap enough for every step.

        Raises:
            TrainableSetError: a frozen parameter would be trained, or one of the trainee's would not.
        """
        require_trainable_set(self.model, self.trainee.peft_name)

    def require_frozen_unchanged(self) -> None:
        """Demand that every frozen member holds bit for bit what was attached.

        Raises:
            FrozenChangedError: tensors of a frozen member differ.
        """
        for member in self._frozen:
            there = member.peft_name in self.model.peft_config
            member.require_equal(state_of(self.model, member.peft_name) if there else {})

    def trainee_parameters(self) -> list[torch.nn.Parameter]:
        """The parameters of the trainee."""
        return [parameter for _, parameter in adapter_parameters(self.model, self.trainee.peft_name)]

    def trainee_state(self) -> dict[str, torch.Tensor]:
        """The trainee's tensors under the names they are published with."""
        return state_of(self.model, self.trainee.peft_name)

    def round_trainee(self, dtype: torch.dtype) -> None:
        """Give every weight of the trainee a value that this dtype holds exactly; its own dtype stays."""
        with torch.no_grad():
            for parameter in self.trainee_parameters():
                parameter.copy_(parameter.to(dtype))

    def save_trainee(self, directory: Path, *, dtype: torch.dtype | None = None) -> None:
        """Write the trainee alone, as PEFT reads it: adapter_config.json and adapter_model.safetensors.

        Whatever happens on the way, an older save in the directory stays whole, or is wholly replaced.

        Args:
            directory: where to.
            dtype: of the file; null: as the weights are in memory.

        Raises:
            StackError: the disk refuses.
        """
        save_state(self.model, self.trainee.peft_name, directory, dtype=dtype)

    def load_trainee(self, directory: Path) -> None:
        """Read the trainee's weights back from a checkpoint, and only the trainee's.

        Raises:
            StackError: the folder holds other tensors than the trainee has.
        """
        if not (directory / ADAPTER_CONFIG_FILE).is_file():
            raise StackError(f"{directory} holds no adapter: {ADAPTER_CONFIG_FILE} is missing.")
        self.put_trainee(load_tensors((directory / WEIGHTS_FILE).read_bytes()))

    def put_trainee(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Give the trainee other weights, under the names of `trainee_state`.

        Raises:
            StackError: they are other tensors than the trainee has.
        """
        load_state(self.model, self.trainee.peft_name, dict(tensors))
        self._activate_all()
        self.require_trainable_set()

    def detach(self) -> None:
        """Take every adapter off the base; its own modules stand as before."""
        self.unmerge()
        if self._peft is not None:
            self._tuner.unload()
        self._peft, self.members, self._frozen, self.blended = None, [], [], Blend.plain(0)
        self.base.model.requires_grad_(False)
        # A gradient left on a frozen weight would stop the next training on this base.
        self.base.model.zero_grad(set_to_none=True)
        self.base.model.eval()

    def _inject(self, name: str, config: LoraConfig) -> None:
        try:
            if self._peft is None:
                self._peft = PeftModel(self.base.model, config, adapter_name=name)
            else:
                self._peft.add_adapter(name, config)
        except ValueError as error:
            raise StackError(f"The adapter does not fit the base {self.base.identity.id}: {error}") from error
