"use strict";
(function () {
  const list = document.getElementById("list");
  if (!list) return;
  const items = Array.from(list.querySelectorAll(":scope > ul > li"));
  const ROWS = 100; // of one <ul>: only those near the screen are laid out
  const get = (id) => document.getElementById(id);
  const textOf = (item, where) => {
    const found = where.startsWith("own-")
      ? item.querySelectorAll(".own .value")[Number(where.slice(4))]
      : item.querySelector(where);
    return found ? found.textContent : "";
  };
  const texts = new Map(); // of the rows, filled by the first search
  const textOfRow = (item) => {
    if (!texts.has(item)) texts.set(item, item.querySelector("summary, .row").textContent.toLowerCase());
    return texts.get(item);
  };
  let order = items;
  const levels = ["none", "partial", "unknown", "invalid", "opportunistic", "authenticated", "enforced", "no-mail"];
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  function filter() {
    const words = get("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const show = get("show").value;
    const fits = order.filter(
      (item) => (!show || item.classList.contains(show)) && words.every((word) => textOfRow(item).includes(word))
    );
    const shown = document.createDocumentFragment(); // far quicker than to hide the others
    for (let at = 0; at < fits.length; at += ROWS) {
      const part = document.createElement("ul");
      part.className = at ? "list far" : "list";
      part.append(...fits.slice(at, at + ROWS));
      shown.append(part);
    }
    list.replaceChildren(shown);
    count(fits.length);
  }
  function count(number) {
    get("count").textContent = number + " of " + items.length + " shown";
  }
  function sort() {
    const by = get("sort").value;
    order = items;
    if (by !== "rank") {
      const keys = new Map(
        items.map((item) => {
          const text = textOf(item, by);
          return [item, by === ".level .value" ? String(levels.indexOf(text)) : text];
        })
      );
      order = items.slice().sort((a, b) => compare(keys.get(a), keys.get(b)));
    }
    filter();
  }
  function fold(open) {
    for (const details of list.querySelectorAll(":scope > ul > li > details")) details.open = open;
  }
  function reveal() {
    const target = items.find((item) => "#" + item.id === location.hash);
    if (!target) return;
    if (!target.isConnected) {
      get("search").value = get("show").value = "";
      filter();
    }
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
  get("tools").hidden = !items.length;
  get("search").addEventListener("input", filter);
  get("show").addEventListener("change", filter);
  get("sort").addEventListener("change", sort);
  get("fold").addEventListener("click", () => fold(false));
  get("unfold").addEventListener("click", () => fold(true));
  document.querySelectorAll("pre.copy").forEach(copier);
  addEventListener("hashchange", reveal);
  count(items.length);
  if (get("search").value || get("show").value || get("sort").value !== "rank") sort(); // a reload kept them
  reveal();
})();
