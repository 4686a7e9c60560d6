"""The service's page: audits, blind and seen."""

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from tests.situations_results import a_set_of_results
from tests.web.looking import wait_until
from tests.web.small_service import SmallService


@pytest.fixture
def service(tmp_path):
    made = a_set_of_results(tmp_path / "made")
    found = SmallService(tmp_path / "out")
    for variant in made.variants:
        found.catalog.publish(variant, made.source)
    return found, {v.id: v for v in made.variants if not v.candidate.blocked}


def test_a_blind_audit_hides_the_verdict_until_it_is_decided(service, serve, look):
    found, variants = service
    with serve(found.app) as address, look(address) as page:
        page.goto(f"{address}/gallery")
        page.get_by_role("link", name="Audit blind").click()
        order = sorted(variants)
        for number, (variant_id, decision) in enumerate(zip(order, "aruar", strict=True)):
            wait_until(page, f"document.readyState === 'complete' && DATA.variants[0].id === '{variant_id}'")
            assert page.locator("#position").inner_text() == f"{number} of 5 decided"
            variant = variants[variant_id]
            told = page.content()
            hidden = [
                variant.provenance.revision and variant.provenance.model,
                *(f.reason for f in variant.verdict.findings),
            ]
            assert not [
                word for word in hidden if word in told.replace(page.locator("#data").inner_text(), "")
            ]
            data = page.locator("#data").inner_text()
            assert not [word for word in hidden if word in data], "not in what a script could read, either"
            assert not page.get_by_role("heading", name="Findings").is_visible()
            page.keyboard.press("e")
            page.keyboard.type(f"seen {number}")
            page.keyboard.press("Escape")
            page.keyboard.press(decision)
            wait_until(page, "!('blind' in document.getElementById('player-view').dataset)")
            assert page.locator("#player-badge").inner_text() == variant.verdict.state
            assert page.get_by_role("heading", name="Findings").is_visible()
            said = page.locator("#blind-note").inner_text()
            agrees = (decision, variant.verdict.state) in (("a", "accepted"), ("r", "rejected"))
            assert ("too." in said) == agrees, said
            (audit,) = found.catalog.audits(variant_id)
            assert audit.decision == {"a": "accept", "r": "reject", "u": "unsure"}[decision]
            assert audit.reason == f"seen {number}"
            page.keyboard.press("j")
        page.get_by_text("You have decided on all 5 variants.").wait_for()
        page.get_by_role("link", name="How often critic and people agree").click()
        assert "5 audited" in page.locator("main").inner_text()
        page.goto(f"{address}/gallery?audit=none")
        assert page.locator(".card[data-id]").count() == 1, "the blocked one cannot be looked at"


def test_an_audit_in_the_open_is_kept_with_reasons_and_can_be_changed(service, serve, look):
    found, variants = service
    variant_id = next(v.id for v in variants.values() if v.spec.name == "dusk")
    with serve(found.app) as address, look(address) as page:
        page.goto(f"{address}/variants/{variant_id}")
        page.locator("#auditor").fill("Ada")
        page.locator("#auditor").blur()
        page.get_by_role("button", name="flicker").click()
        page.get_by_role("button", name="labels wrong").click()
        page.get_by_role("button", name="Reject").click()
        wait_until(
            page,
            "document.querySelector('.decision[data-decision=reject]').getAttribute('aria-pressed') === 'true'",
        )
        page.reload()
        assert page.locator("#reason").input_value() == "flicker, labels wrong", (
            "her own audit is found again"
        )
        assert "Ada rejected" in page.locator("#people").inner_text()
        page.get_by_role("button", name="Accept").click()
        wait_until(page, "document.getElementById('people').children.length === 2")
        audits = found.catalog.audits(variant_id)
        assert [(a.decision, a.by, a.verdict) for a in audits] == [
            ("reject", "Ada", "accepted"),
            ("accept", "Ada", "accepted"),
        ]
        page.goto(f"{address}/gallery")
        assert page.locator(f".card[data-id='{variant_id}'] .audit-mark").inner_text() == "accepted by people"
