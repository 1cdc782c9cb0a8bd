// Keeps the page's live parts as the server would render them now. One EventSource a page, none while nobody looks.
(() => {
  "use strict";
  const page = document.body.dataset.page;
  const dot = document.querySelector("[data-dot]");
  let source = null;

  const say = (state, word) => {
    if (!dot || dot.dataset.state === state) return;
    dot.dataset.state = state;
    dot.lastElementChild.textContent = word;
  };

  // Rows are told apart by data-key, so that what did not change is not touched: selection and hover stay.
  const replaceRows = (old, fresh) => {
    const known = new Map([...old.children].map((row) => [row.dataset.key, row]));
    const rows = [...fresh.children];
    rows.forEach((row, n) => {
      const was = known.get(row.dataset.key);
      let here = row;
      if (was && was.outerHTML === row.outerHTML) here = was;
      else if (was && was.dataset.value !== row.dataset.value) row.classList.add("changed");
      if (old.children[n] !== here) {
        if (was && was !== here && was.parentNode === old) was.replaceWith(here);
        if (old.children[n] !== here) old.insertBefore(here, old.children[n] || null);
      }
    });
    while (old.children.length > rows.length) old.lastElementChild.remove();
  };

  const focusPath = (part) => {
    const focused = document.activeElement;
    if (!focused || !part.contains(focused)) return null;
    return focused.id ? `#${CSS.escape(focused.id)}` : focused.getAttribute("href") ? `a[href="${CSS.escape(focused.getAttribute("href"))}"]` : null;
  };

  const put = ({ name, digest, html }) => {
    const part = document.querySelector(`[data-live="${name}"]`);
    if (!part || part.dataset.digest === digest) return;
    part.dataset.digest = digest;
    const template = document.createElement("template");
    template.innerHTML = html;
    const focus = focusPath(part);
    const keyed = (root) => [...root.querySelectorAll("tbody, ul")].find((list) => list.firstElementChild && list.firstElementChild.dataset.key);
    const old = keyed(part);
    const fresh = keyed(template.content);
    if (old && fresh && part.children.length === template.content.children.length) {
      replaceRows(old, fresh);
      fresh.replaceWith(old.cloneNode(false));
      [...part.children].forEach((child, n) => {
        const next = template.content.children[n];
        if (!child.contains(old) && child.outerHTML !== next.outerHTML) child.replaceWith(next.cloneNode(true));
      });
    } else {
      part.replaceChildren(template.content);
    }
    if (focus) part.querySelector(focus)?.focus({ preventScroll: true });
  };

  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(`/live?page=${encodeURIComponent(page)}`);
    source.addEventListener("partial", (event) => put(JSON.parse(event.data)));
    source.addEventListener("other", () => location.reload());
    source.addEventListener("seen", () => say("live", "Live"));
    source.addEventListener("trouble", () => say("lost", "No database"));
    source.addEventListener("error", () => {
      say("lost", "Reconnecting");
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        setTimeout(open, 3000);
      }
    });
  };
  const close = () => {
    if (source) source.close();
    source = null;
  };

  if (page) {
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
  }

  // The theme changes at once; the cookie makes the server remember.
  document.querySelector("[data-theme-form]")?.addEventListener("submit", (event) => {
    const chosen = event.submitter?.value;
    if (!chosen) return;
    event.preventDefault();
    document.documentElement.dataset.theme = chosen;
    document.cookie = `theme=${chosen}; path=/; max-age=31536000; samesite=strict`;
    for (const button of event.target.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.value === chosen));
  });
})();
