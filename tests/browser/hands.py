"""Two ways to use a page: with a mouse, and with the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from playwright.sync_api import Frame, Page

_FOCUSED = """() => {
    let at = document.activeElement;
    while (at && at.tagName === 'IFRAME') at = at.contentDocument.activeElement;
    if (!at || at === at.ownerDocument.body) return ['', '', ''];
    const style = at.ownerDocument.defaultView.getComputedStyle(at);
    return [(at.innerText || at.value || '').trim(), at.id, style.outlineStyle + ' ' + style.outlineWidth];
}"""


class Hands(Protocol):
    """Somebody at the page."""

    def press(self, page: Page, words: str, inside: Frame | None = None) -> None:
        """Use the button or link that shows these words."""

    def write(self, page: Page, field: str, text: str) -> None:
        """Write into the field with this label."""


class Mouse:
    """Clicks."""

    def press(self, page: Page, words: str, inside: Frame | None = None) -> None:
        (inside or page).locator("button, a").filter(has_text=words).first.click()

    def write(self, page: Page, field: str, text: str) -> None:
        page.get_by_label(field).click()
        page.keyboard.type(text)


class Keyboard:
    """Tabs to what it wants, sees where it is, and presses Enter."""

    def press(self, page: Page, words: str, inside: Frame | None = None) -> None:
        self._go(page, lambda text, _: words in text)
        page.keyboard.press("Enter")

    def write(self, page: Page, field: str, text: str) -> None:
        wanted = page.get_by_label(field).get_attribute("id")
        self._go(page, lambda _, identity: identity == wanted)
        page.keyboard.type(text)

    @staticmethod
    def _go(page: Page, there: Callable[[str, str], bool]) -> None:
        for _ in range(60):
            text, identity, outline = page.evaluate(_FOCUSED)
            if (text or identity) and there(text, identity):
                assert outline == "solid 3px", f"the focus on {text or identity!r} cannot be seen: {outline}"
                return
            page.keyboard.press("Tab")
        raise AssertionError("the keyboard does not get there")


HANDS: dict[str, Hands] = {"mouse": Mouse(), "keyboard": Keyboard()}
