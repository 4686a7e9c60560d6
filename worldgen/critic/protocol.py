"""What a critic is: it sees a case and returns a verdict."""

from typing import Protocol

from worldgen.datatypes import Case, Verdict


class Critic(Protocol):
    """Judges a candidate against its source, its geometry and the asked spec."""

    version: str
    """Name, version and digest of the thresholds; part of a variant's identity."""

    def judge(self, case: Case) -> Verdict:
        """Measure, and say why.

        Raises:
            JudgeError: The critic itself failed; the verdict is then `inconclusive`, never yes or no.
        """
        ...
