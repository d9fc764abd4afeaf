// Which view is shown, by the address.
const views = [...document.querySelectorAll("[data-view]")];
const first = views[0]?.dataset.view;

function route() {
  const { view, query } = address();
  if (view === "cell") {
    if (!document.querySelector("[data-view].on")) display("tables");
    if (showCell(query)) return;
  }
  if (panel.open) panel.close();
  const known = views.some((v) => v.dataset.view === view) ? view : first;
  behind = location.hash || `#${known}`;
  display(known);
  if (known === "cost") costView(query);
  if (known === "clips") clipsView(query);
  else browser.player?.stop();
}

function display(view) {
  for (const section of views) section.classList.toggle("on", section.dataset.view === view);
  for (const a of document.querySelectorAll("nav a")) {
    if (a.getAttribute("href") === `#${view}`) a.setAttribute("aria-current", "page"); else a.removeAttribute("aria-current");
  }
}

document.getElementById("spread")?.addEventListener("change", (event) => {
  document.body.classList.toggle("seeds", event.target.value === "seeds");
});
document.addEventListener("keydown", (event) => {
  if (document.getElementById("v-clips")?.classList.contains("on") && !panel.open) clipKeys(event);
});
let resized = 0;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => {
    const { view, query } = address();
    if (view === "cost") costView(query);
    browser.parts?.redraw?.();
  }, 120);
});
addEventListener("beforeprint", () => { if (DATA.tables.length) costView(address().view === "cost" ? address().query : new URLSearchParams()); });
addEventListener("hashchange", route);
route();
document.documentElement.dataset.ready = Math.round(performance.now());
