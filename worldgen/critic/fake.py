"""A critic that measures nothing: for trying the rest of the house."""

from worldgen.datatypes import Case, Finding, Verdict


class AcceptingCritic:
    """Accepts everything, and says that it does not look."""

    version = "fake-accepts-all-1"

    def judge(self, case: Case) -> Verdict:
        """Accept without measuring."""
        finding = Finding(
            check="fake.accepts_all",
            passed=True,
            value=None,
            threshold=None,
            severity="info",
            reason=f"{case.candidate.frames} frames were not looked at: this fake accepts all",
        )
        return Verdict.of((finding,), critic=self.version)
