// Ctrl-K: customers and pages by name. Without this file the same box is an ordinary search form.
(() => {
  "use strict";
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const input = dialog.querySelector("input");
  const list = dialog.querySelector('[role="listbox"]');
  const pages = [...list.children];
  const keepNumber = 8;
  let chosen = 0;
  let asked = 0;
  let timer = 0;

  const choose = (n) => {
    const items = [...list.children];
    chosen = items.length ? (n + items.length) % items.length : 0;
    items.forEach((item, place) => {
      item.id = `palette-${place}`;
      item.tabIndex = -1;
      item.setAttribute("aria-selected", String(place === chosen));
    });
    if (items[chosen]) {
      input.setAttribute("aria-activedescendant", items[chosen].id);
      items[chosen].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };

  const find = async () => {
    const text = input.value.trim();
    const turn = ++asked;
    const fitting = pages.filter((page) => page.dataset.word.includes(text.toLowerCase()));
    let customers = [];
    if (text) {
      try {
        const answer = await fetch(`/palette?q=${encodeURIComponent(text)}`);
        const template = document.createElement("template");
        template.innerHTML = answer.ok ? await answer.text() : "";
        customers = [...template.content.children].slice(0, keepNumber);
      } catch {
        customers = [];
      }
    }
    if (turn !== asked) return;
    list.replaceChildren(...customers, ...fitting);
    choose(0);
  };

  const open = (text = "") => {
    if (dialog.open) return;
    input.value = text;
    dialog.showModal();
    input.focus();
    find();
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(find, 80);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter") list.children[chosen]?.click();
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

  const box = document.querySelector("[data-palette]");
  box?.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    open(box.value);
  });
  box?.addEventListener("input", () => {
    const text = box.value;
    box.value = "";
    open(text);
  });

  const writing = (target) => target.closest("input, textarea, select, [contenteditable]");
  let row = -1;
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    } else if (event.ctrlKey || event.metaKey || event.altKey || dialog.open || writing(event.target)) {
      return;
    } else if (event.key === "/") {
      event.preventDefault();
      (document.querySelector('[data-filter] input[type="search"]') || box)?.focus();
    } else if (event.key === "j" || event.key === "k") {
      const links = [...document.querySelectorAll("main tbody th a, main .movers .name a")];
      if (!links.length) return;
      const at = links.indexOf(document.activeElement);
      row = Math.min(Math.max((at < 0 ? row : at) + (event.key === "j" ? 1 : -1), 0), links.length - 1);
      links[row].focus();
    }
  });
})();
