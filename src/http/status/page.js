// The page works without this. With it, it follows the exporter, and the search follows the typing.
"use strict";

const REFRESH = 15000;
const box = document.querySelector("input[name=q]");
const note = document.getElementById("note");
let seen = new Date();
let asked = 0;

function tell(text) {
  note.textContent = text;
  note.hidden = !text;
}

// Whoever marks something to copy it must not lose it.
function isMarking() {
  const marked = getSelection();
  return !marked.isCollapsed && document.querySelector("main").contains(marked.anchorNode);
}

// Shows another main part, with the same link in focus.
function replace(main) {
  const links = [...document.querySelectorAll("main a")];
  const focused = links.indexOf(document.activeElement);
  document.querySelector("main").replaceWith(main);
  main.querySelectorAll("a")[focused]?.focus({ preventScroll: true });
}

async function show(address, isWished) {
  const turn = ++asked;
  try {
    const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = page.querySelector("main");
    if (!main) throw new Error("another page");
    // A later question may have been answered before.
    if (turn !== asked) return;
    document.title = page.title;
    if (isMarking() && !isWished) {
      tell(`Held as of ${seen.toISOString()}, because text is marked.`);
      return;
    }
    replace(main);
    seen = new Date();
    tell("");
  } catch (error) {
    if (turn !== asked) return;
    tell(`The exporter does not answer (${error.message}). What is shown is from ${seen.toISOString()}.`);
    document.title = "(lost) Atlas peerings";
  }
}

let typing;
box.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    const address = box.value.trim() ? `?${new URLSearchParams({ q: box.value })}` : location.pathname;
    history.replaceState(null, "", address);
    show(address, true);
  }, 150);
});

// In a tab behind others too: its title is seen. Browsers make that once a minute.
setInterval(() => show(location.href, false), REFRESH);

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) show(location.href, false);
});
