"""The measured critic: decodes what users get, runs the panel, draws the conclusion."""

import time
from collections import OrderedDict

from worldgen.critic.checks import labels
from worldgen.critic.evidence import Evidence
from worldgen.critic.network import SegmentationNetwork
from worldgen.critic.panel import FIRST, PANEL
from worldgen.critic.thresholds import Thresholds
from worldgen.critic.view import View
from worldgen.datatypes import Case, Clip, Finding, Verdict, VideoRef
from worldgen.errors import BadInput, JudgeError, boundary
from worldgen.imaging.condition import recognition_version
from worldgen.media.scratch import Scratch

PANEL_VERSION = "9"
_SOURCES_KEPT = 2
"""Views of sources that are kept: a source's variants are judged one after another."""


class MeasuredCritic:
    """Measures a candidate against its source, its geometry and the asked spec. Needs no weights.

    Where the thresholds name a segmentation network it looks, too; its weights are then part of `version`.

    Args:
        scratch: Where clips and geometry are read from.
        thresholds: What is compared with; their digest is part of `version`.

    Raises:
        ConfigError: The folder of the segmentation network holds none, or one that does not know a street.
    """

    def __init__(self, scratch: Scratch, thresholds: Thresholds) -> None:
        self._scratch = scratch
        self._thresholds = thresholds
        self._segmenter = SegmentationNetwork(thresholds.network) if thresholds.network.folder else None
        self._views: OrderedDict[str, View] = OrderedDict()
        # Recognition's numbers decide verdicts as thresholds do.
        self.version = f"{thresholds.name}-{PANEL_VERSION}-{thresholds.identity[:12]}-{recognition_version()}"

    def judge(self, case: Case) -> Verdict:
        """Judge the encoded file.

        Raises:
            JudgeError: `unreadable` when a file cannot be decoded, `timeout` past the deadline.
        """
        with boundary(JudgeError, "judge"):
            evidence = self._evidence(case)
            deadline = time.thread_time() + self._thresholds.deadline_seconds
            findings: list[Finding] = []
            for check in FIRST:
                findings += check(evidence)
            if not any(f.passed is False for f in findings):
                for check in PANEL:
                    findings += check(evidence)
                    if time.thread_time() > deadline:
                        allowed = self._thresholds.deadline_seconds
                        message = f"judging took more than {allowed:g} s of processor time"
                        raise JudgeError(message, reason="timeout")
            seen = evidence.recognition.label if evidence.comparable else ""
            return Verdict.of(
                tuple(findings),
                observations=labels.observe(evidence),
                ignore=labels.ignore_regions(evidence),
                recognised=seen,
                critic=self.version,
            )

    def _evidence(self, case: Case) -> Evidence:
        candidate = self._new_view(self._read(case.candidate, "candidate", keep=False))
        source = None if case.source is None else self._source_view(case.source)
        geometry = None if case.geometry is None else self._scratch.geometry(case.geometry)
        return Evidence(
            source=source,
            candidate=candidate,
            geometry=geometry,
            spec=case.spec,
            condition=case.condition,
            labels=case.labels,
            thresholds=self._thresholds,
            segmenter=self._segmenter,
        )

    def _source_view(self, ref: VideoRef) -> View:
        view = self._views.pop(ref.sha256, None) or self._new_view(self._read(ref, "source"))
        self._views[ref.sha256] = view
        while len(self._views) > _SOURCES_KEPT:
            self._views.popitem(last=False)
        return view

    def _new_view(self, clip: Clip) -> View:
        return View(clip, self._thresholds.working_width, self._thresholds.gradient_sigma)

    def _read(self, ref: VideoRef, role: str, *, keep: bool = True) -> Clip:
        try:
            return self._scratch.clip(ref, keep=keep)
        except (BadInput, OSError) as error:
            message = f"the {role} cannot be read: {error}"
            raise JudgeError(message, reason="unreadable") from error
