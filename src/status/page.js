// The page works without this. With it, it follows the exporter, and the search follows the typing.
"use strict";

const REFRESH = 15000;
const box = document.querySelector("input[name=q]");
const lost = document.getElementById("lost");
let seen = new Date();
let asked = 0;

async function show(address) {
  const turn = ++asked;
  try {
    const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = page.querySelector("main");
    if (!main) throw new Error("another page");
    // A later question may have been answered before.
    if (turn !== asked) return;
    document.querySelector("main").replaceWith(main);
    document.title = page.title;
    seen = new Date();
    lost.hidden = true;
  } catch (error) {
    if (turn !== asked) return;
    lost.textContent = `The exporter does not answer (${error.message}). What is shown is from ${seen.toISOString()}.`;
    lost.hidden = false;
    document.title = "(lost) Atlas peerings";
  }
}

let typing;
box.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    const address = box.value.trim() ? `?${new URLSearchParams({ q: box.value })}` : location.pathname;
    history.replaceState(null, "", address);
    show(address);
  }, 150);
});

setInterval(() => {
  // Who is just marking something to copy it must not lose it.
  if (!document.hidden && !String(getSelection())) show(location.href);
}, REFRESH);

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) show(location.href);
});
