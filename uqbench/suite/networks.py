"""Trained networks kept on disk by content: trained once, then shared by all methods.

A network is KEY.pt and, beside it, KEY.json with its checksum, curve and what training it took, written last: a
network without one does not exist. KEY.checkpoint is there while training goes on, and from it a killed one resumes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from uqbench.api import KINDS, NetworkBackbone, NetworkRequest, TrainedNetwork
from uqbench.api.network import Say
from uqbench.atomic import write_atomically
from uqbench.backbones.store import Store, content_hash, fetch_files, locked, send_files
from uqbench.checksum import file_sha256
from uqbench.cost.contention import OtherLoad
from uqbench.cost.memory import peak_resident_bytes
from uqbench.errors import UqbenchError
from uqbench.registry import source_files

NOTE = "\1"
"""Begins what is said and worth a line of its own."""
APART = 100_000
"""Between the seeds of two members: seeds of fits are small, so no two networks of a run share one."""


@dataclass(frozen=True)
class Training:
    """What training a network took, when it was trained: seconds, memory, and cores kept busy by others."""

    wall_s: float
    cpu_s: float
    peak_resident_bytes: int
    other_load_cores: float


@dataclass(frozen=True)
class StoredNetwork:
    """A trained network, its key and what training it took."""

    key: str
    network: TrainedNetwork
    training: Training


@dataclass(frozen=True)
class NetworkStore:
    """Networks of one backbone. folder: where they are kept. device: where they are trained. shared: by machines."""

    folder: Path
    backbone: NetworkBackbone
    device: str
    say: Say
    shared: Store | None = None

    def network(self, request: NetworkRequest, name: str) -> StoredNetwork:
        """The network that is asked for, from disk if it is there, else trained on the store's device.

        name: for people. A second process that asks for the same network waits for the first. Raises UqbenchError where
        training fails.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        request = replace(request, device=self.device)
        key = network_key(self.backbone, request)
        with locked(self.folder / f"{key}.lock"):
            files = [self.folder / f"{key}{suffix}" for suffix in (".pt", ".json")]
            stored = self._read(key, name)
            if stored is None and self.shared is not None and fetch_files(self.shared, files):
                stored = self._read(key, name)
            if stored is not None:
                if self.shared is not None:
                    send_files(self.shared, files, again=False)
                return stored
            checkpoint = self.folder / f"{key}.checkpoint"
            told = replace(request, checkpoint=checkpoint, say=lambda text: self.say(f"{name}: {text}"))
            return self._train(key, lambda: self.backbone.train(told), checkpoint, name)

    def _train(
        self, key: str, attempt: Callable[[], TrainedNetwork], checkpoint: Path, name: str
    ) -> StoredNetwork:
        others = OtherLoad()
        resumed = checkpoint.exists()
        try:
            network = attempt()
        except UqbenchError as error:
            if not resumed:
                raise
            self.say(
                f"{NOTE}{name}: cannot go on from {checkpoint} ({error}); training it from the beginning."
            )
            checkpoint.unlink(missing_ok=True)
            network = attempt()
        # The curve's times are those of all processes that trained it, and hold no import of a library.
        last = network.curve[-1]
        training = Training(last["seconds"], last["cpu_seconds"], peak_resident_bytes(), others.cores())
        self._write(key, network, training)
        if self.shared is not None:
            send_files(
                self.shared, [self.folder / f"{key}{suffix}" for suffix in (".pt", ".json")], again=True
            )
        checkpoint.unlink(missing_ok=True)
        early = f"; stopped early: {network.stopped}" if network.stopped else ""
        self.say(f"{NOTE}{name}: trained in {training.wall_s:.0f} s, {last['epoch']:.0f} epochs{early}")
        return StoredNetwork(key, network, training)

    def _write(self, key: str, network: TrainedNetwork, training: Training) -> None:
        file = self.folder / f"{key}.pt"
        network.save(file)
        about = {
            "sha256": file_sha256(file),
            "backbone": _called(self.backbone),
            "network": type(network).__name__,
            "training": asdict(training),
            "stopped": network.stopped,
            "curve": [dict(row) for row in network.curve],
        }
        write_atomically(self.folder / f"{key}.json", json.dumps(about, indent=1).encode())

    def _read(self, key: str, name: str) -> StoredNetwork | None:
        """The network if it is there and whole; None, after saying so if it is damaged, otherwise."""
        header, file = self.folder / f"{key}.json", self.folder / f"{key}.pt"
        if not header.exists():
            return None
        try:
            about = json.loads(header.read_text())
            if file_sha256(file) != about["sha256"]:
                raise UqbenchError("its checksum is wrong")
            return StoredNetwork(key, self.backbone.load(file), Training(**about["training"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.say(f"{NOTE}{name}: the stored network {file} is damaged ({error}); training it again.")
            return None


def _called(backbone: NetworkBackbone) -> str:
    """The backbone with its parameters, files of the user's by what records call them."""
    text = repr(backbone)
    for origin in backbone.origins():
        text = text.replace(repr(origin.given), repr(origin.known_as))
    return text


def member_seed(seed: int, member: int) -> int:
    """The seed of a member of a fit's networks; number 0 has the fit's own."""
    return seed + APART * member


def network_key(backbone: NetworkBackbone, request: NetworkRequest) -> str:
    """Hash of all that decides a network: frames in order, elements, references, backbone, variant, seed, kind of
    device, sources, what the backbone is made from, and versions."""
    digest = hashlib.sha256()
    cls = type(backbone)
    settled = [
        f"{cls.__module__}.{_called(backbone)}",
        [origin.sha256 for origin in backbone.origins()],
        request.elements,
        sorted(request.references.items()),
        request.seed,
        request.device.split(":")[0],
        request.variant,
    ]
    for package in ("numpy", *cls.distributions):
        try:
            settled.append((package, version(package)))
        except PackageNotFoundError:
            raise UqbenchError(
                f"backbone {cls.__name__} needs {package}, which is not installed; pip install {package}."
            ) from None
    digest.update(repr(settled).encode())
    for file in source_files(cls):
        digest.update(file.name.encode() + file.read_bytes())
    for frame in request.frames:
        digest.update(content_hash(frame.atoms).encode() + str(frame.cluster).encode())
        for kind in KINDS:
            labels, free = frame.labels(kind), frame.free(kind)
            digest.update(b"none" if labels is None else np.ascontiguousarray(labels + 0.0).tobytes())
            digest.update(free.tobytes())
    return digest.hexdigest()[:32]
