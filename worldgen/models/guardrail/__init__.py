"""Guardrails: off, a list of words, or the vendor's; what really looked is recorded with every candidate."""

from worldgen.models.guardrail.build import GUARDRAILS, build_guardrail
from worldgen.models.guardrail.guarded import GuardedWorldModel
from worldgen.models.guardrail.protocol import Guardrail

__all__ = ["GUARDRAILS", "GuardedWorldModel", "Guardrail", "build_guardrail"]
