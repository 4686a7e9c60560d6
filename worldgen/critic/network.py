"""A segmentation network from a local folder: which class each pixel shows. Nothing is downloaded."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from worldgen.critic.classes import class_of_names
from worldgen.critic.thresholds import NetworkSettings
from worldgen.errors import ConfigError, JudgeError, boundary

_LEAST_CLASSES = 3


class Segmenter(Protocol):
    """Anything that sees classes."""

    @property
    def classes(self) -> frozenset[int]:
        """Numbers in `CLASSES` that it can tell."""
        ...

    def predict(
        self, frames: UInt8[npt.NDArray[np.uint8], "t h w 3"]
    ) -> UInt8[npt.NDArray[np.uint8], "t h w"]:
        """Number of the class of every pixel; 0 for none of them."""
        ...


class SegmentationNetwork:
    """A semantic segmentation network of transformers (UPerNet, SegFormer, ...) that knows a street.

    The folder is looked at when this is made, and the weights are read when they are first needed.

    Raises:
        ConfigError: `not_found` when the folder holds no model; `invalid` when its classes are not those of a
            street; `missing_extra` when torch or transformers are not installed.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        folder = Path(settings.folder)
        config = folder / "config.json"
        if not config.is_file() or not list(folder.glob("*.safetensors")):
            message = f"{folder} holds no segmentation network: config.json and *.safetensors are needed"
            raise ConfigError(message, reason="not_found", hint="leave network.folder empty to use none")
        if find_spec("torch") is None or find_spec("transformers") is None:
            message = "a segmentation network needs torch and transformers"
            raise ConfigError(message, reason="missing_extra", hint="pip install 'worldgen[models]'")
        names = dict(enumerate(settings.names))
        if not names:
            with boundary(ConfigError, f"read {config}"):
                found = json.loads(config.read_text()).get("id2label", {})
                names = {int(k): str(v) for k, v in found.items()}
        self._table = class_of_names(names)
        if len(self.classes) < _LEAST_CLASSES:
            message = f"the network in {folder} does not name the classes of a street"
            hint = "use one trained on Cityscapes or ADE20K, or name its classes in network.names"
            raise ConfigError(message, reason="invalid", hint=hint)
        self._settings = settings
        self._loaded: tuple[Any, Any, Any] | None = None

    @property
    def classes(self) -> frozenset[int]:
        """Numbers in `CLASSES` that it can tell."""
        return frozenset(int(n) for n in self._table if n)

    def predict(
        self, frames: UInt8[npt.NDArray[np.uint8], "t h w 3"]
    ) -> UInt8[npt.NDArray[np.uint8], "t h w"]:
        """Number of the class of every pixel; 0 for none of them.

        Raises:
            JudgeError: The weights cannot be loaded, or do not fit the configuration.
        """
        torch, processor, model = self._load()
        height, width = frames.shape[1:3]
        out = np.zeros(frames.shape[:3], np.uint8)
        for i, frame in enumerate(frames):
            inputs = processor(images=[frame.copy()], return_tensors="pt").to(self._settings.device)
            with torch.inference_mode():
                logits = model(**inputs).logits
                # Scores are resized, not classes, so that outlines come out smooth.
                full = torch.nn.functional.interpolate(logits, (height, width), mode="bilinear")
                best = full[0].argmax(dim=0).cpu().numpy()
            out[i] = self._table[best]
        return out

    def _load(self) -> tuple[Any, Any, Any]:
        if self._loaded is None:
            folder = self._settings.folder
            with boundary(JudgeError, f"load the segmentation network in {folder}"):
                import torch
                from transformers import AutoImageProcessor, AutoModelForSemanticSegmentation

                processors: Any = AutoImageProcessor
                models: Any = AutoModelForSemanticSegmentation
                processor = processors.from_pretrained(folder, local_files_only=True)
                model = models.from_pretrained(
                    folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
                )
                model = model.to(self._settings.device).eval()
                if model.config.num_labels != len(self._table):
                    message = f"{folder} has {model.config.num_labels} classes and names {len(self._table)}"
                    raise JudgeError(message)
                self._loaded = (torch, processor, model)
        return self._loaded
