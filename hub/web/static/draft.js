// Shows whom a draft would move while it is typed. Without this file the button does the same.
(() => {
  "use strict";
  const form = document.querySelector("form[data-draft]");
  const result = document.querySelector("[data-result]");
  if (!form || !result) return;
  const said = document.querySelector("[data-said]");
  const files = ["measures", "scorecard"];
  const kept = "pulsehub-draft";
  const runs = Object.fromEntries(files.map((name) => [name, form.elements[name].defaultValue]));
  let timer = 0;
  let controller = null;

  const weightOf = (target) => (target.dataset.for ? document.getElementById(target.dataset.for) : target.name.startsWith("w:") ? target : null);

  const bare = () => {
    for (const slide of form.querySelectorAll("input[type=range]")) slide.hidden = false;
  };

  const remember = () => {
    const texts = Object.fromEntries(files.map((name) => [name, form.elements[name].value]));
    const same = files.every((name) => texts[name] === runs[name]);
    try {
      if (same) sessionStorage.removeItem(kept);
      else sessionStorage.setItem(kept, JSON.stringify({ texts, runs }));
    } catch {
      // no storage: the draft lives as long as the page
    }
  };

  // what came back replaces what the person did not touch: the text if a weight was changed, the weights if the text was
  const take = (page, byWeight) => {
    const theirs = page.querySelector("form[data-draft]");
    if (byWeight) {
      form.elements.scorecard.value = theirs.elements.scorecard.value;
      for (const had of theirs.querySelectorAll('input[name^="h:"]')) {
        const mine = form.elements[had.name];
        if (mine) mine.value = had.value;
      }
      for (const share of theirs.querySelectorAll("[data-share]")) {
        const mine = form.querySelector(`[data-share="${CSS.escape(share.dataset.share)}"]`);
        if (mine) mine.textContent = share.textContent;
      }
    } else {
      form.querySelector("[data-weights]").replaceChildren(...theirs.querySelector("[data-weights]").childNodes);
      bare();
    }
    remember();
  };

  const show = async (byWeight) => {
    controller?.abort();
    const mine = (controller = new AbortController());
    result.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { accept: "text/html" }, signal: mine.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-result]");
      if (mine !== controller) return;
      if (fresh) {
        result.replaceChildren(...fresh.childNodes);
        take(page, byWeight);
        said.textContent = result.querySelector("[data-summary]")?.textContent || "";
      } else {
        const told = document.createElement("p");
        told.className = "wrong";
        told.textContent = page.querySelector("main")?.innerText || "That did not work. Reload the page.";
        result.replaceChildren(told);
      }
    } catch {
      // aborted by a newer one, or away: the button still works
    } finally {
      if (mine === controller) result.setAttribute("aria-busy", "false");
    }
  };

  form.addEventListener("input", (event) => {
    const weight = weightOf(event.target);
    if (weight && weight !== event.target) weight.value = String(Number(event.target.value));
    else if (weight) form.querySelector(`[data-for="${CSS.escape(weight.id)}"]`).value = weight.value;
    clearTimeout(timer);
    timer = setTimeout(() => show(Boolean(weight)), 350);
  });

  form.addEventListener("submit", (event) => {
    if (event.submitter?.hasAttribute("data-plain")) return;
    if (event.submitter?.hasAttribute("formaction")) return;
    event.preventDefault();
    show(true);
  });

  // a complaint leads to its line
  result.addEventListener("click", (event) => {
    const line = event.target.closest("[data-line]");
    if (!line) return;
    const text = form.elements[line.dataset.file];
    text.closest("details").open = true;
    const lines = text.value.split("\n");
    const begins = lines.slice(0, line.dataset.line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    text.focus();
    text.setSelectionRange(begins, begins + lines[line.dataset.line - 1].length);
    text.scrollTop = Math.max(0, (line.dataset.line - 6) * 18);
  });

  const restore = document.querySelector("[data-restore]");
  const found = () => {
    try {
      const one = JSON.parse(sessionStorage.getItem(kept));
      return one && files.every((name) => one.runs[name] === runs[name]) ? one : null;
    } catch {
      return null;
    }
  };
  const draft = found();
  if (restore && draft && files.some((name) => form.elements[name].value !== draft.texts[name])) {
    restore.hidden = false;
    restore.querySelector("[data-take]").addEventListener("click", () => {
      for (const name of files) form.elements[name].value = draft.texts[name];
      restore.hidden = true;
      show(false);
    });
    restore.querySelector("[data-forget]").addEventListener("click", () => {
      sessionStorage.removeItem(kept);
      restore.hidden = true;
    });
  }
  bare();
})();
