// Small helps for pages that work without them. No state is kept in the browser.
"use strict";
(() => {
  // Menus close on a click elsewhere and on Escape, and give the focus back.
  const openMenus = () => document.querySelectorAll("details.menu[open]");
  document.addEventListener("click", (event) => {
    for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of openMenus()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // data-enables="#id": what is in #id is disabled while this box or radio button is not chosen.
  const follow = (root) => {
    for (const control of root.querySelectorAll("[data-enables]")) {
      const off = !control.checked || control.disabled;
      for (const section of document.querySelectorAll(control.dataset.enables)) {
        section.classList.toggle("off", off);
        for (const inner of section.querySelectorAll("input, select, textarea, button")) {
          if (!inner.hasAttribute("data-locked")) inner.disabled = off;
        }
      }
    }
  };
  document.addEventListener("change", () => follow(document));

  // data-print: a button that prints the page; shown only where this script runs.
  for (const button of document.querySelectorAll("[data-print]")) button.hidden = false;
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]") && !document.querySelector("dialog[open]")) window.print();
  });

  // data-full-address: a path of ours becomes the whole address; data-copy="#id": a button that takes it along, shown
  // where the browser allows that. The hints beside it change places.
  const addresses = (root) => {
    for (const place of root.querySelectorAll("[data-full-address]")) {
      place.removeAttribute("data-full-address");
      place.prepend(location.origin);
      for (const hint of root.querySelectorAll("[data-path-hint], [data-address-hint]")) hint.hidden = !hint.hidden;
    }
    if (navigator.clipboard) for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const place = document.querySelector(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(place.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(place);
    }
  });

  // data-port="plain,ssl": the usual port follows the box, as long as it is the other usual one.
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-port]")) return;
    const ports = event.target.dataset.port.split(",");
    const field = document.getElementById(event.target.dataset.portField);
    const [from, to] = event.target.checked ? ports : ports.reverse();
    if (field && field.value === from) field.value = to;
  });

  // data-unusual="plain,ssl": a port that is usual for the other way of connecting is pointed out, never changed.
  const hintAtPort = () => {
    const box = document.querySelector("[data-unusual]");
    const field = box && document.getElementById(box.dataset.portField);
    if (!field) return;
    const [plain, ssl] = box.dataset.unusual.split(",").map((ports) => ports.split(" ").includes(field.value.trim()));
    for (const hint of document.querySelectorAll("[data-port-hint]")) {
      const concerns = hint.dataset.portHint === "plain" ? box.checked && plain : !box.checked && ssl;
      hint.hidden = field.disabled || !concerns;
    }
  };
  document.addEventListener("input", hintAtPort);
  document.addEventListener("change", hintAtPort);

  // data-indeterminate: a bar instead of a tick; words beside it say the same.
  const bars = (root) => {
    for (const box of root.querySelectorAll("input[data-indeterminate]")) {
      box.indeterminate = true;
      box.removeAttribute("data-indeterminate");
    }
  };

  // .tree: a ticked parent stands for everything below it and what comes later. Unticking one child
  // turns it into its other children, each for itself (the hidden field "own"), and says so.
  const boxOf = (item) => item.querySelector(":scope > .check > input");
  const childrenOf = (item) => item.querySelectorAll(":scope > details > ul > li");
  const parentOf = (item) => item.parentElement.closest(".tree li");
  const hidden = (name, value) => Object.assign(document.createElement("input"), { type: "hidden", name, value });
  const put = (item, checked, words, own) => {
    const box = boxOf(item);
    box.checked = checked;
    box.indeterminate = false;
    item.querySelector(":scope > .check [data-words]").textContent = words;
    const field = item.querySelector(":scope > input[name=own]");
    if (own && !field) item.append(hidden("own", box.value));
    else if (!own && field) field.remove();
  };
  const wholeWords = (item) => item.querySelector(":scope > details") ? "all products, and future ones" : "";
  const putBelow = (item, checked) => {
    for (const below of item.querySelectorAll("li")) put(below, checked, checked ? "included" : "", false);
  };
  const tell = (item) => {
    const told = document.querySelector("[data-told]");
    const id = boxOf(item).value;
    if (!told || told.querySelector(`[data-told-for="${id}"]`)) return;
    const line = document.createElement("p");
    const title = item.querySelector(":scope > .check .title").textContent;
    line.className = "note";
    line.dataset.toldFor = id;
    line.append(`Future products of ${title} will no longer be added.`, hidden("told", id));
    told.append(line);
  };
  const partly = (item) => {
    const box = boxOf(item);
    const some = item.querySelector(":scope > details > ul input[name=tick]:checked") !== null;
    box.checked = false;
    box.indeterminate = some;
    item.querySelector(":scope > .check [data-words]").textContent =
      some ? "some selected, future ones not included" : "";
    if (some && item.hasAttribute("data-whole")) tell(item);
    else document.querySelector(`[data-told-for="${box.value}"]`)?.remove();
  };
  const ticked = (box) => {
    const item = box.closest("li");
    put(item, box.checked, box.checked ? wholeWords(item) : "", box.checked);
    putBelow(item, box.checked);
    document.querySelector(`[data-told-for="${box.value}"]`)?.remove();
    let from = item;
    for (let up = parentOf(item); up; from = up, up = parentOf(up)) {
      if (boxOf(up).checked && !box.checked) {
        for (const other of childrenOf(up)) {
          if (other !== from && boxOf(other).checked) put(other, true, wholeWords(other), true);
        }
        up.querySelector(":scope > input[name=own]")?.remove();
      }
      if (!boxOf(up).checked || !box.checked) partly(up);
    }
    for (const twin of box.form.querySelectorAll(`input[name=tick][value="${box.value}"]`)) {
      if (twin !== box && twin.checked !== box.checked) put(twin.closest("li"), box.checked, "", box.checked);
    }
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches(".tree:not(.flat) input[name=tick]")) ticked(event.target);
  });
  // Children that came after their parent was ticked or unticked follow it.
  const settle = (list) => {
    const parent = list.matches(".tree details > ul") ? list.closest("li") : null;
    if (!parent) return;
    const box = boxOf(parent);
    const isWhole = parent.hasAttribute("data-whole");
    if (box.checked) putBelow(parent, true);
    else if (isWhole && !box.indeterminate) putBelow(parent, false);
  };

  // form[data-dirty]: marks unsaved changes and asks before leaving.
  const watched = () => document.querySelector("form[data-dirty]");
  const serialise = (form) => new URLSearchParams(new FormData(form)).toString();
  let saved = null;
  let leaving = false;
  const remember = () => {
    const form = watched();
    saved = form ? serialise(form) : null;
  };
  const isDirty = () => {
    const form = watched();
    return form !== null && saved !== null && (form.dataset.dirty === "yes" || serialise(form) !== saved);
  };
  const mark = () => {
    const dirty = isDirty();
    for (const sign of document.querySelectorAll("[data-dirty-sign]")) sign.hidden = !dirty;
  };
  document.addEventListener("input", mark);
  document.addEventListener("change", mark);
  document.addEventListener("submit", () => { leaving = true; });
  window.addEventListener("pageshow", () => { leaving = false; });
  window.addEventListener("beforeunload", (event) => {
    if (!leaving && isDirty()) event.preventDefault();
  });

  // dialog[data-open]: shown at once; closing it goes back to where the focus was.
  let opener = null;
  const dialogs = (root) => {
    if (opener && !document.querySelector("dialog")) {
      // OK took the dialog away, and the button may have been drawn anew.
      const again = opener.id ? document.getElementById(opener.id) : opener;
      opener = null;
      if (again) again.focus();
    }
    for (const dialog of root.querySelectorAll("dialog[data-open]")) {
      if (dialog.open) continue;
      opener = opener || document.activeElement;
      dialog.showModal();
      const first = ["[autofocus]", "input:not([type=hidden]), select", "button, a"]
        .map((kind) => dialog.querySelector(kind)).find((one) => one !== null);
      if (first) first.focus();
      dialog.addEventListener("close", () => {
        dialog.remove();
        dialogs(document);
      }, { once: true });
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button, a");
    if (!button) return;
    if (button.hasAttribute("data-opens")) opener = button;
    if (button.hasAttribute("data-dismiss")) {
      event.preventDefault();
      button.closest(".notice").remove();
      document.getElementById("main").focus();
    }
    if (button.hasAttribute("data-close")) {
      const dialog = button.closest("dialog");
      if (dialog) {
        event.preventDefault();
        dialog.close();
      }
    }
  });

  // The focus goes to the summary of what is wrong.
  const summary = (root) => {
    const box = root.querySelector("[data-error-summary]");
    if (box) box.focus();
  };

  // The tab tells how far a synchronization is.
  const tabTitle = () => {
    const run = document.querySelector("[data-tab-title]");
    if (run) document.title = `${run.dataset.tabTitle} · Weir`;
  };

  const refresh = (root) => {
    tabTitle();
    follow(document);
    bars(root);
    addresses(root);
    dialogs(root);
    summary(root);
    mark();
  };
  // What is drawn anew keeps the focus.
  let focusedId = "";
  document.addEventListener("htmx:before:swap", () => { focusedId = document.activeElement?.id || ""; });
  document.addEventListener("htmx:after:swap", (event) => {
    leaving = false;
    if (focusedId && document.activeElement === document.body) document.getElementById(focusedId)?.focus();
    const target = event.detail && event.detail.ctx && event.detail.ctx.target;
    if (target && target.matches) settle(target);
    refresh(document);
  });
  document.addEventListener("weir:saved", () => { remember(); mark(); });
  const start = () => {
    follow(document);
    remember();
    refresh(document);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
