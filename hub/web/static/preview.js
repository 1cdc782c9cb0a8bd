// Shows what comes of a form as it is filled in. Without this file its button does the same.
(() => {
  "use strict";
  const form = document.querySelector("form[data-preview]");
  const result = document.querySelector("[data-result]");
  if (!form || !result) return;
  let timer = 0;
  let asked = 0;

  const show = async () => {
    const turn = ++asked;
    const changed = [...new FormData(form)].filter(([name, value]) => value !== (form.elements[name].dataset.usual || ""));
    const address = new URL(form.action);
    address.hash = "";
    address.search = new URLSearchParams(changed).toString();
    try {
      const answer = await fetch(address, { headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-result]");
      if (turn !== asked || !fresh) return;
      result.replaceChildren(...fresh.childNodes);
      history.replaceState(null, "", address);
    } catch {
      // the button still works
    }
  };

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, 250);
  });
})();
