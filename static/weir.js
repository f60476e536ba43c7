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

  // data-indeterminate: a bar instead of a tick; words beside it say the same.
  const bars = (root) => {
    for (const box of root.querySelectorAll("input[data-indeterminate]")) box.indeterminate = true;
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
    for (const dialog of root.querySelectorAll("dialog[data-open]")) {
      if (dialog.open) continue;
      opener = opener || document.activeElement;
      dialog.showModal();
      const first = dialog.querySelector("[autofocus], input:not([type=hidden]), select, button");
      if (first) first.focus();
      dialog.addEventListener("close", () => {
        if (opener && document.contains(opener)) opener.focus();
        opener = null;
        dialog.remove();
      }, { once: true });
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button, a");
    if (!button) return;
    if (button.hasAttribute("data-opens")) opener = button;
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
    dialogs(root);
    summary(root);
    mark();
  };
  document.addEventListener("htmx:after:swap", () => { leaving = false; refresh(document); });
  document.addEventListener("weir:saved", () => { remember(); mark(); });
  const start = () => {
    follow(document);
    remember();
    refresh(document);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
