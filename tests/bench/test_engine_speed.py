"""The engine beside diffusers' own pipeline; prints the figures of `worldgen bench engine`."""

import pytest

from worldgen.bench.engine import EXACT, measure


@pytest.mark.bench
@pytest.mark.timeout(1200)
def test_beside_stock(capsys: pytest.CaptureFixture[str]) -> None:
    figures, samples = measure(full=False)
    with capsys.disabled():
        print(f"\nengine: {samples}")
        for name, row in figures.items():
            print(f"  {name}: {row['value']:.4g} {row['unit']} (goal {row['goal']})")
    assert figures["max_difference_from_stock"]["value"] <= EXACT
    assert figures["repeated_encodes"]["value"] == 0
    assert figures["one_variant_over_stock"]["value"] <= 0.95
    assert figures["eight_variants_over_unshared"]["value"] <= 0.95
