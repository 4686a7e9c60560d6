"""Looking at a page: pixels, frame numbers, contrast, names."""

import time

import cv2
import numpy as np

from tests.situations_results import CELL


def picture(page, selector: str) -> np.ndarray:
    """What a person sees of one element, RGB."""
    encoded = np.frombuffer(page.locator(selector).screenshot(), np.uint8)
    return cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def counter_of(seen: np.ndarray, left: float = 0.0, width: float | None = None) -> int:
    """Read the frame number that is drawn into every frame's upper left corner."""
    scale = (width or seen.shape[1]) / 640
    row = int(CELL * scale * 0.3)
    bits = [seen[row, int(left + (k + 0.5) * CELL * scale)].mean() > 128 for k in range(8)]
    return sum(bit << (7 - k) for k, bit in enumerate(bits))


def shown_frames(page) -> tuple[int, int]:
    """Frame numbers of source and variant as painted, taken from one screenshot of the side-by-side stage."""
    seen = picture(page, "#stage")
    half = (seen.shape[1] - 3) / 2
    return counter_of(seen, 0, half), counter_of(seen, half + 3, half)


def wait_for_frames(page, wanted: int) -> None:
    for _ in range(40):
        if shown_frames(page) == (wanted, wanted):
            return
        page.wait_for_timeout(50)
    assert shown_frames(page) == (wanted, wanted)


def wait_until(page, expression: str, seconds: float = 10) -> None:
    """Wait for something in the page; its security policy refuses Playwright's own way, which needs eval."""
    ends = time.monotonic() + seconds
    while not _holds(page, expression):
        assert time.monotonic() < ends, f"never came true: {expression}"
        page.wait_for_timeout(30)


def _holds(page, expression: str) -> bool:
    """Evaluate; a page that is just being left for the next one answers nothing."""
    from playwright.sync_api import Error

    try:
        return bool(page.evaluate(expression))
    except Error as gone:
        if "navigat" in str(gone) or "destroyed" in str(gone):
            return False
        raise


CONTRAST = """() => {
  const parse = (c) => {
    const n = c.match(/[\\d.]+/g).map(Number);
    const [r, g, b] = c.startsWith("color(srgb") ? n.slice(0, 3).map((v) => v * 255) : n;
    return [r, g, b, n.length < 4 ? 1 : n[3]];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; })
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour[3] === 1) return colour;
      if (colour[3] > 0) return null;
    }
    return [255, 255, 255, 1];
  };
  const poor = [];
  for (const node of document.querySelectorAll("main *, header *")) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !node.checkVisibility() || node.disabled || node.closest("button:disabled")) continue;
    const back = behind(node);
    if (!back) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${node.tagName} ${node.className} ${node.textContent.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
"""Text whose contrast with its background is below WCAG AA."""

UNNAMED = """() => [...document.querySelectorAll("button, a, input:not([type=hidden]), select, textarea")]
  .filter((n) => n.offsetParent && !(n.labels?.length || n.ariaLabel || n.textContent.trim()))
  .map((n) => n.outerHTML)"""
"""Controls that a screen reader could not name."""
