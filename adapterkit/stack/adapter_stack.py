"""The stack: a verified lineage attached to a live base, frozen, with at most one trainee on top.

This is the only place that calls PEFT's adapter switching. PEFT 0.21's `PeftModel.set_adapter` takes one name only,
its tuner's `set_adapter` makes every listed adapter trainable, and deleting an adapter re-enables gradients on the
rest; so every switch here ends in an explicit statement of what may be trained.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, LoraModel, PeftConfig, PeftModel
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from adapterkit.artifacts.read import Artifact, verified_settings, verified_weights
from adapterkit.base.load import Base
from adapterkit.errors import RegistryError, StackError, counted
from adapterkit.manifest import ADAPTER_CONFIG_FILE, WEIGHTS_FILE
from adapterkit.names import peft_name
from adapterkit.stack.fit import require_dora_trains, require_lineage
from adapterkit.stack.guard import FrozenMember, require_trainable_set
from adapterkit.stack.layers import adapter_parameters, silence_dropout
from adapterkit.stack.targets import with_real_targets
from adapterkit.stores import replace_files


@dataclass(frozen=True)
class StackMember:
    """One adapter of a live stack.

    Attributes:
        peft_name: the name PEFT knows it by.
        artifact: where a frozen member was read from; None for a trainee.
    """

    peft_name: str
    artifact: Artifact | None

    @property
    def trainable(self) -> bool:
        """Whether this member is the trainee."""
        return self.artifact is None


class AdapterStack:
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
        self.base = base
        self._any_quantization = any_quantization
        self.members: list[StackMember] = []
        self._peft: PeftModel | None = None
        self._frozen: list[FrozenMember] = []

    @property
    def model(self) -> PeftModel:
        """The PeftModel with every member active.

        Raises:
            StackError: nothing is attached.
        """
        if self._peft is None:
            raise StackError("The stack is empty: attach a lineage or add a trainee first.")
        return self._peft

    @property
    def _tuner(self) -> LoraModel:
        return cast(LoraModel, self.model.base_model)

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
        below = [member.artifact.manifest.lineage.members[-1] for member in self.members if member.artifact]
        manifests = [artifact.manifest for artifact in artifacts]
        require_lineage(manifests, self.base.identity, below=below, any_quantization=self._any_quantization)
        # All of it is read and checked before any of it reaches the model.
        parts = [(each, _published_config(each), load_tensors(verified_weights(each))) for each in artifacts]
        for artifact, config, tensors in parts:
            name = peft_name(len(self.members), artifact.manifest.name)
            self._inject(name, config)
            self._load_state(name, tensors)
            silence_dropout(self.model, name)
            self.members.append(StackMember(name, artifact))
            self._frozen.append(FrozenMember.of(str(artifact.manifest.ref), name, self._state(name)))
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
        below = [member.artifact.manifest.adapter.variant for member in self.members if member.artifact]
        dora = config.use_dora or any("dora" in variant for variant in below)
        require_dora_trains(dora, self.base.identity.quantization, self.base.device)
        internal = peft_name(len(self.members), name)
        config = with_real_targets(config, self.base.model)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self._inject(internal, config)
        self.members.append(StackMember(internal, None))
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
            member.require_equal(self._state(member.peft_name) if there else {})

    def trainee_parameters(self) -> list[torch.nn.Parameter]:
        """The parameters of the trainee."""
        return [parameter for _, parameter in adapter_parameters(self.model, self.trainee.peft_name)]

    def trainee_state(self) -> dict[str, torch.Tensor]:
        """The trainee's tensors under the names they are published with."""
        return self._state(self.trainee.peft_name)

    @contextmanager
    def without_trainee(self) -> Iterator[PeftModel]:
        """The model as it answers without its top member: the parents' stack, or the bare base."""
        below = [member.peft_name for member in self.members[:-1]]
        try:
            if below:
                self._tuner.set_adapter(below, inference_mode=True)
                yield self.model
            else:
                with self.model.disable_adapter():
                    yield self.model
        finally:
            self._activate_all()

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
        name = self.trainee.peft_name
        tensors = {key: value.to(dtype or value.dtype).contiguous() for key, value in self._state(name).items()}
        weights = save_tensors(tensors, metadata={"format": "pt"})
        # PEFT holds sets, which it writes in another order in each process.
        plain = {**self.model.peft_config[name].to_dict(), "inference_mode": True}
        config = json.dumps(plain, indent=2, sort_keys=True, default=sorted)
        try:
            replace_files(directory, {WEIGHTS_FILE: weights, ADAPTER_CONFIG_FILE: config.encode("utf-8")})
        except RegistryError as error:
            raise StackError(f"The adapter cannot be saved in {directory}. {error}") from error

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
        self._load_state(self.trainee.peft_name, dict(tensors))
        self._activate_all()
        self.require_trainable_set()

    def detach(self) -> None:
        """Take every adapter off the base; its own modules stand as before."""
        if self._peft is not None:
            self._tuner.unload()
        self._peft, self.members, self._frozen = None, [], []
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

    def _load_state(self, name: str, tensors: dict[str, torch.Tensor]) -> None:
        expected = {key: value.shape for key, value in self._state(name).items()}
        given = {key: value.shape for key, value in tensors.items()}
        if expected != given:
            wrong = sorted(key for key in expected.keys() | given.keys() if expected.get(key) != given.get(key))
            raise StackError(
                f"The weights do not fit the adapter '{name}' on this base: {counted(len(wrong), 'tensor')} "
                f"{'is' if len(wrong) == 1 else 'are'} missing, "
                f"unexpected or of another shape, first `{wrong[0]}`."
            )
        set_peft_model_state_dict(self.model, tensors, adapter_name=name)

    def _state(self, name: str) -> dict[str, Any]:
        # save_embedding_layers="auto" would look the base up on the hub.
        return dict(get_peft_model_state_dict(self.model, adapter_name=name, save_embedding_layers=False))

    def _activate_all(self) -> None:
        names = [member.peft_name for member in self.members]
        self._tuner.set_adapter(names, inference_mode=True)
        if self.members[-1].trainable:
            self.model.set_requires_grad(names[-1], True)


def _published_config(artifact: Artifact) -> LoraConfig:
    """PEFT's settings of a published adapter, from the bytes that were verified."""
    plain = verified_settings(artifact).plain
    config: LoraConfig = PeftConfig.from_peft_type(**{**plain, "inference_mode": True})
    return config
