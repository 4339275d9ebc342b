// The page works without this script. With it, the page refreshes, and the search runs while the user types.
"use strict";

const REFRESH_MS = 15000;
const box = document.querySelector("input[name=q]");
const note = document.getElementById("note");
let updatedAt = new Date();
let requests = 0;

function showNote(text) {
  note.textContent = text;
  note.hidden = !text;
}

// A refresh would clear a selection that the user is about to copy.
function isSelecting() {
  const selection = getSelection();
  return !selection.isCollapsed && document.querySelector("main").contains(selection.anchorNode);
}

// Replaces the main part and keeps the focus on the same link.
function replaceMain(main) {
  const links = [...document.querySelectorAll("main a")];
  const focused = links.indexOf(document.activeElement);
  document.querySelector("main").replaceWith(main);
  main.querySelectorAll("a")[focused]?.focus({ preventScroll: true });
}

async function refresh(address, isSearch) {
  const request = ++requests;
  try {
    const response = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const main = page.querySelector("main");
    if (!main) throw new Error("not a status page");
    // The response to a later request may have arrived first.
    if (request !== requests) return;
    document.title = page.title;
    if (isSelecting() && !isSearch) {
      showNote(`Updates paused at ${updatedAt.toISOString()}, because text is selected.`);
      return;
    }
    replaceMain(main);
    updatedAt = new Date();
    showNote("");
  } catch (error) {
    if (request !== requests) return;
    showNote(`The exporter does not respond (${error.message}). This page shows data from ${updatedAt.toISOString()}.`);
    document.title = "(disconnected) Atlas peerings";
  }
}

let typing;
box.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    const address = box.value.trim() ? `?${new URLSearchParams({ q: box.value })}` : location.pathname;
    history.replaceState(null, "", address);
    refresh(address, true);
  }, 150);
});

// Background tabs refresh too, because their titles are visible. Browsers slow this down to once a minute.
setInterval(() => refresh(location.href, false), REFRESH_MS);

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh(location.href, false);
});
