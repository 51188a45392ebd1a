"""What can be measured of how a page looks: contrasts, sizes of what is touched, names, nothing beside the screen."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

_FAINT = """() => {
    const parse = text => { const p = text.match(/[\\d.]+/g).map(Number); return p.length < 4 ? [...p, 1] : p; };
    const light = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * x + .7152 * y + .0722 * z;
    };
    const behind = node => {
        for (let at = node; at; at = at.parentElement) {
            const back = parse(getComputedStyle(at).backgroundColor);
            if (back[3] > 0) return back;
        }
        return [255, 255, 255, 1];
    };
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !node.getClientRects().length || node.closest('.hidden,style')) continue;
        const [one, other] = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
        const ratio = (one + .05) / (other + .05);
        if (ratio < 4.5) faint.push(walker.currentNode.data.trim() + ' ' + ratio.toFixed(2));
    }
    return faint;
}"""
_SMALL = """() => [...document.querySelectorAll('button, a.button, input:not([type=hidden])')]
    .filter(node => node.getClientRects().length)
    .filter(node => node.getBoundingClientRect().height < 32 || node.getBoundingClientRect().width < 24)
    .map(node => node.innerText || node.id)"""
_NAMELESS = """() => [...document.querySelectorAll(
        'button, a, input:not([type=hidden]), meter, progress, iframe, section')]
    .filter(node => !(node.innerText || '').trim() && !node.labels?.length
        && !node.getAttribute('aria-label') && !node.getAttribute('aria-labelledby') && !node.title)
    .map(node => node.outerHTML)"""


def check_looks(page: Page) -> None:
    """WCAG 2.2: 1.4.3 contrast, 1.4.10 reflow, 2.5.8 target size, 4.1.2 names."""
    found: dict[str, Any] = {
        "faint": page.evaluate(_FAINT),
        "small": page.evaluate(_SMALL),
        "nameless": page.evaluate(_NAMELESS),
        "beside": page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"),
    }
    assert found == {"faint": [], "small": [], "nameless": [], "beside": 0}
