"""Assembly: configuration to extract, generate, judge and publish. The only place that wires adapters."""

from worldgen.assembly.augmenting import (
    Augmented,
    Options,
    augment,
    augment_async,
    findings_json,
    publish,
    variant_json,
    write_results_page,
)
from worldgen.assembly.estimating import estimate
from worldgen.assembly.judging import judge
from worldgen.assembly.recording import record, write_controls
from worldgen.assembly.rolling import RolledOut, RolloutOptions, rollout
from worldgen.assembly.specs import specs_of
from worldgen.assembly.stressing import stress
from worldgen.assembly.wiring import Assembly, assembled
from worldgen.assembly.working import Worker

__all__ = [
    "Assembly",
    "Augmented",
    "Options",
    "RolledOut",
    "RolloutOptions",
    "Worker",
    "assembled",
    "augment",
    "augment_async",
    "estimate",
    "findings_json",
    "judge",
    "publish",
    "record",
    "rollout",
    "specs_of",
    "stress",
    "variant_json",
    "write_controls",
    "write_results_page",
]
