"use strict";
(function () {
  const list = document.getElementById("list");
  if (!list) return;
  const items = Array.from(list.children);
  const get = (id) => document.getElementById(id);
  const textOf = (item, where) => {
    const found = where.startsWith("own-")
      ? item.querySelectorAll(".own .value")[Number(where.slice(4))]
      : item.querySelector(where);
    return found ? found.textContent : "";
  };
  const rows = items.map((item) => {
    const row = item.querySelector("summary, .row");
    return { item, text: row.textContent.toLowerCase() };
  });
  const levels = ["none", "partial", "unknown", "invalid", "opportunistic", "authenticated", "enforced", "no-mail"];
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  function filter() {
    const words = get("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const show = get("show").value;
    let count = 0;
    for (const { item, text } of rows) {
      const fits = (!show || item.classList.contains(show)) && words.every((word) => text.includes(word));
      item.hidden = !fits;
      count += fits;
    }
    get("count").textContent = count + " of " + rows.length + " shown";
  }
  function sort() {
    const by = get("sort").value;
    const keyed = items.map((item, at) => ({
      item,
      at,
      key: by === "rank" ? "" : by === ".level .value" ? String(levels.indexOf(textOf(item, by))) : textOf(item, by),
    }));
    if (by !== "rank") keyed.sort((a, b) => compare(a.key, b.key) || a.at - b.at);
    const all = document.createDocumentFragment();
    for (const { item } of keyed) all.appendChild(item);
    list.appendChild(all);
  }
  function fold(open) {
    for (const { item } of rows) {
      const details = item.firstElementChild;
      if (!item.hidden && details.tagName === "DETAILS") details.open = open;
    }
  }
  function reveal() {
    const target = /^#d-[0-9a-f]+$/.test(location.hash) && get(location.hash.slice(1));
    if (!target) return;
    target.hidden = false;
    const details = target.firstElementChild;
    if (details.tagName === "DETAILS") {
      details.open = true;
      details.firstElementChild.focus();
    }
    target.scrollIntoView();
  }
  function copier(pre) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copier";
    button.textContent = "Copy";
    button.addEventListener("click", () => {
      const range = document.createRange();
      range.selectNodeContents(pre);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
    });
    pre.before(button);
  }
  get("tools").hidden = false;
  get("search").addEventListener("input", filter);
  get("show").addEventListener("change", filter);
  get("sort").addEventListener("change", sort);
  get("fold").addEventListener("click", () => fold(false));
  get("unfold").addEventListener("click", () => fold(true));
  document.querySelectorAll("pre.copy").forEach(copier);
  addEventListener("hashchange", reveal);
  filter();
  reveal();
})();
