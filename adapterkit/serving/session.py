"""Load a published adapter with its whole lineage, and talk to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import torch

from adapterkit.artifacts.keys import KeyPath, public_keys
from adapterkit.artifacts.read import Artifact
from adapterkit.base.device import resolve_device
from adapterkit.base.load import Base, identify, load_base
from adapterkit.base.quiet import quiet_libraries
from adapterkit.config.groups import quantization_named
from adapterkit.config.schema import ModelConfig, QuantizationConfig
from adapterkit.errors import BaseMismatchError, UsageError
from adapterkit.lineage import BaseIdentity, Lineage
from adapterkit.names import AdapterRef
from adapterkit.registry import Registry
from adapterkit.stack.blend import blend_of
from adapterkit.stack.fit import require_blendable, require_lineage

Messages = str | Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Session:
    """A published adapter in memory, on its base and its parents.

    Attributes:
        model: the PeftModel with every member of the lineage active.
        tokenizer: the base's tokenizer.
        lineage: base and members, root-first.
        stack: the `AdapterStack` behind the model.
    """

    model: Any
    tokenizer: Any
    lineage: Lineage
    stack: Any = field(default=None, repr=False, compare=False)

    def blend(self, kind: str | None = None, weights: Sequence[float] | None = None) -> None:
        """Add the lineage up in another way from now on, without loading anything; without arguments as it was trained.

        Args:
            kind: `additive` (None), base + a * parent + b * child; or `interpolative`, the same over a + b.
            weights: one for each member, root-first; None: 1 for each.

        Raises:
            UsageError: the weights are not one finite number a member, or add up to zero where they may not.
            StackError: a DoRA would have another weight than 1, or the stack is merged into its base.
        """
        self.stack.blend(kind, weights)

    @contextmanager
    def without_last(self) -> Iterator[Any]:
        """The model as it answers without the last adapter of the lineage; inside, `generate` answers so too.

        Raises:
            UsageError: the blend is interpolative, and the weights of the others add up to zero.
        """
        with self.stack.without_top() as model:
            yield model

    def generate(
        self,
        messages: Messages,
        *,
        max_new_tokens: int = 128,
        do_sample: bool = False,
        temperature: float | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        **more: Any,
    ) -> str:
        """Answer a message, or the last turn of a conversation, with the whole stack.

        Args:
            messages: a user's message, or turns with `role` and `content`.
            max_new_tokens: the longest answer, in tokens.
            do_sample: sample instead of taking the likeliest token.
            temperature: for sampling.
            top_p: for sampling.
            seed: makes sampling repeatable; the global generator is left as it was.
            more: further arguments of transformers' `generate`.

        Returns:
            The answer's text, without special tokens.

        Raises:
            UsageError: there is no message, or a turn lacks `role` or `content`.
        """
        prompt = self.tokenizer.apply_chat_template(
            _turns(messages), add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(self.model.device)
        sampling = {k: v for k, v in (("temperature", temperature), ("top_p", top_p)) if v is not None and do_sample}
        with torch.random.fork_rng(enabled=seed is not None), torch.inference_mode():
            if seed is not None:
                torch.manual_seed(seed)
            output = self.model.generate(
                **prompt,
                max_new_tokens=max_new_tokens,
                do_sample=do_sample,
                pad_token_id=self.tokenizer.pad_token_id,
                **sampling,
                **more,
            )
        return cast(str, self.tokenizer.decode(output[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True))


def load(
    ref: str | AdapterRef,
    *,
    registry: str | os.PathLike[str] | None = None,
    device: str = "auto",
    quantization: str | None = None,
    base: str | None = None,
    keys: KeyPath | Sequence[KeyPath] = (),
    blend: str | None = None,
    weights: Sequence[float] | None = None,
) -> Session:
    """Load a published adapter: verified, with every ancestor, on the base it was trained on.

    Args:
        ref: `name`, `name@version` or `name@alias`.
        registry: the folder of published adapters; `$ADAPTERKIT_REGISTRY` or `adapters` when not given.
        device: `auto`, `cpu`, `cuda`, ...
        quantization: a name such as `nf4` or `fp32`, to hold the base otherwise than in training; None for as trained.
        base: another place of the same base (a folder or hub id), when the recorded one is not to be had here.
        keys: files of public keys; when there are any, every member must bear a valid signature by one of them.
        blend: `additive` or `interpolative`; None: additive, as everything is trained.
        weights: one for each member of the lineage, root-first; None: 1 for each.

    Raises:
        UsageError: the weights are not one finite number a member, or add up to zero where they may not.
        StackError: a DoRA would have another weight than 1.
        RefNotFoundError: the adapter, or an ancestor, is not published.
        ArtifactError: a member is damaged, is not the one that was built on, or is not signed as demanded.
        KeyFileError: a file holds no public key that signatures are checked with.
        BaseMismatchError: the base found is not the one that was trained on.
        BaseLoadError: the base cannot be loaded.
    """
    quiet_libraries()
    members = Registry(registry).lineage_artifacts(str(ref), keys=public_keys(keys))
    # Refused before the base is loaded, if at all.
    require_blendable(members, blend_of(len(members), blend, weights))
    recorded = members[-1].manifest.lineage.base
    held = quantization_named(quantization) if quantization else as_trained(recorded)
    identity, folder = identify(ModelConfig(id=base or recorded.id, revision=recorded.revision), held)
    require_lineage([each.manifest for each in members], identity, any_quantization=quantization is not None)
    loaded = load_base(identity, folder, held, device=resolve_device(device))
    session = session_of(loaded, members, any_quantization=quantization is not None)
    session.blend(blend, weights)
    return session


def session_of(base: Base, members: Sequence[Artifact], *, any_quantization: bool = False) -> Session:
    """Attach a verified lineage to a loaded base.

    Args:
        base: the base, without adapters.
        members: the lineage, root-first.
        any_quantization: accept a base that is held otherwise than in training.
    """
    # Brings peft and bitsandbytes, which `load` has told to be quiet.
    from adapterkit.stack.adapter_stack import AdapterStack

    stack = AdapterStack(base, any_quantization=any_quantization)
    stack.attach(members)
    stack.model.eval()
    return Session(stack.model, base.tokenizer, members[-1].manifest.lineage, stack)


def as_trained(recorded: BaseIdentity) -> QuantizationConfig:
    """How a base was held in training.

    Raises:
        BaseMismatchError: in a way that is not known here.
    """
    try:
        return QuantizationConfig(**recorded.quantization)
    except TypeError as error:
        raise BaseMismatchError(
            f"The base was held in a way that is not known here: {error}. Update adapterkit."
        ) from None


def _turns(messages: Messages) -> list[dict[str, str]]:
    turns = [{"role": "user", "content": messages}] if isinstance(messages, str) else [dict(turn) for turn in messages]
    if not turns or any(set(turn) != {"role", "content"} for turn in turns):
        raise UsageError("A conversation is a text, or a list of turns that each have exactly `role` and `content`.")
    return turns
