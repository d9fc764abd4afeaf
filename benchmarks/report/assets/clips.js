// The clip browser: worst clips first, panels in step, curves of their frames.
const SPEEDS = [0.1, 0.25, 0.5, 1, 2];
const MOST = 6; // runs side by side: as many as there are colours
const curvesOf = new Map(); // "<group>/<clip>" -> promise of {run: {metric: curve}}
const waiting = new Map();
window.motioncopyClip = (group, clip, curves) => waiting.get(`${group}/${clip}`)?.(curves);
const browser = { state: null, parts: null, player: null };

/** A clip's curves, by a script of their own: fetch cannot read from disk. */
function loadCurves(group, clip) {
  const name = `${group}/${clip}`;
  if (!curvesOf.has(name)) {
    curvesOf.set(name, new Promise((done) => {
      waiting.set(name, done);
      document.head.append(el("script", { src: `clips/${name}.js`, onerror: () => done({}) }));
    }));
  }
  return curvesOf.get(name);
}

function clipsView(query) {
  const group = DATA.clips.find((g) => g.id === query.get("g")) ?? DATA.clips[0];
  const metrics = group.metrics;
  const named = (text) => (text ?? "").split(",").filter((id) => group.runs.some((r) => r.id === id)).slice(0, MOST);
  const shownRuns = named(query.get("show"));
  const by = group.runs.find((r) => r.id === query.get("by"))?.id ?? shownRuns[0] ?? group.runs[0].id;
  const state = {
    group, by,
    metric: metrics.includes(query.get("m")) ? query.get("m") : metrics.find((m) => m.startsWith("mask_psnr/")) ?? metrics[0],
    kind: ["reconstruction", "imitation"].includes(query.get("k")) ? query.get("k") : "",
    show: shownRuns.length ? shownRuns : usual(group, by),
    clip: query.get("c"),
    speed: SPEEDS.includes(Number(query.get("s"))) ? Number(query.get("s")) : 1,
  };
  const order = ordered(state);
  if (!order.some((i) => group.clips[i][1] === state.clip)) state.clip = group.clips[order[0]]?.[1] ?? group.clips[0][1];
  browser.state = state;
  browser.player ??= new Player(moved);
  browser.player.speed = state.speed;
  draw(Number(query.get("f")) || 0);
}

/** The run itself, and of the baselines the one by the same seed. */
function usual(group, by) {
  const run = group.runs.find((r) => r.id === by);
  const baselines = new Set(DATA.tables.flatMap((t) => t.rows).filter((r) => r.baseline).map((r) => r.method));
  const beside = group.runs.filter((r) => baselines.has(r.method) && r.seed === run.seed && r.subject === run.subject && r.id !== by);
  return [by, ...beside.map((r) => r.id)].slice(0, 3);
}

/** Places of clips in the list: worst first. */
function ordered({ group, metric, by, kind }) {
  const values = group.values[metric]?.[group.runs.findIndex((r) => r.id === by)] ?? [];
  return group.clips.map((_, i) => i)
    .filter((i) => (!kind || group.clips[i][2] === kind))
    .sort((a, b) => worse(metric, values[a] ?? null, values[b] ?? null) || a - b);
}

const runName = (run) => [run.subject, run.method].filter(Boolean).join(": ") + (run.ablation ? ` ${run.ablation}` : "");
const colour = (place) => `var(--c${place})`;

function remember() {
  const s = browser.state;
  note("clips", { g: s.group.id, c: s.clip, m: s.metric, by: s.by, show: s.show.join(","), k: s.kind, s: s.speed === 1 ? "" : s.speed, f: browser.player.frame || "" });
}

function change(what) {
  Object.assign(browser.state, what);
  draw(browser.player.frame);
}

/** Another clip, from its first frame. */
function choose(clip) {
  const on = browser.player.playing;
  browser.state.clip = clip;
  draw(0);
  if (on) browser.player.play();
}

function draw(frame) {
  const s = browser.state, g = s.group;
  const seeds = new Set(g.runs.map((r) => r.seed)).size > 1;
  const label = (run) => runName(run) + (seeds && run.seed !== null ? `, seed ${run.seed}` : "");
  const place = g.clips.findIndex((c) => c[1] === s.clip);
  const [id, slug, kind, fps, frames, person, driver] = g.clips[place];
  const runs = s.show.map((name) => g.runs.find((r) => r.id === name));
  const value = (run) => g.values[s.metric][g.runs.indexOf(run)][place];

  const controls = el("div", { class: "controls" },
    DATA.clips.length > 1 && choice("data", DATA.clips.map((c) => [c.id, `${c.data}, ${c.regime}`]), g.id, (v) => { browser.player.stop(); note("clips", { g: v }); clipsView(new URLSearchParams({ g: v })); }),
    choice("worst first by", g.metrics.map((m) => [m, heading(m)]), s.metric, (v) => change({ metric: v })),
    choice("of", g.runs.map((r) => [r.id, label(r)]), s.by, (v) => change({ by: v, show: s.show.includes(v) ? s.show : [v, ...s.show].slice(0, MOST) })),
    choice("trials of", [["", "both kinds"], ["reconstruction", "reconstruction"], ["imitation", "imitation"]], s.kind, (v) => change({ kind: v })));
  const byRun = g.runs.findIndex((r) => r.id === s.by);
  const list = el("ol", { class: "list", "aria-label": "Clips, worst first" }, ...ordered(s).map((i) => el("li", {},
    el("button", { type: "button", "aria-current": g.clips[i][1] === s.clip ? "true" : null, onclick: () => choose(g.clips[i][1]) },
      el("span", {}, g.clips[i][0]), el("span", {}, shown(g.values[s.metric][byRun][i], s.metric)), el("span", { class: "d" }, g.clips[i][2])))));
  const pick = el("div", { class: "pick", role: "group", "aria-label": "Methods side by side" }, ...[...new Set(g.runs.map(runName))].map((name) => {
    const members = g.runs.filter((r) => runName(r) === name);
    const chips = members.map((run) => chip(run, label(run), members.length > 1 ? String(run.seed) : label(run)));
    return el("span", { class: "of" }, members.length > 1 ? el("span", {}, `${name}, seed`) : "", ...chips);
  }));

  const view = (runs[0] ?? g.runs.find((r) => r.id === s.by)).view;
  const ratio = (run) => `${run.size[1]} / ${run.size[0]}`;
  const shape = ratio(runs[0] ?? g.runs[0]);
  const videos = [];
  const video = (file, text) => {
    const v = el("video", { src: `clips/${g.id}/${slug}/${file}.mp4`, muted: true, playsinline: true, preload: "auto", "aria-label": text });
    v.muted = true; // the attribute alone does not let a made element play
    videos.push(v);
    return v;
  };
  const missing = (what) => g.missing[`${slug}/${view}/${what}`];
  const frameOf = (caption, content, of = shape) => el("figure", { "--ratio": of }, el("figcaption", {}, caption), content);
  const empty = (text) => el("div", { class: "empty" }, text);
  const panels = el("div", { class: "panels", "--count": runs.length + 3 },
    frameOf("appearance", missing("appearance") ? empty(missing("appearance")) : el("img", { src: `clips/${g.id}/${slug}/appearance-${view}.webp`, alt: `The person shown: ${person}` })),
    frameOf("motion", missing("motion") ? empty(missing("motion")) : video(`motion-${view}`, `The motion asked for, as sticks: ${driver}`)),
    ...runs.map((run, i) => {
      const has = g.values[s.metric][g.runs.indexOf(run)][place] !== null || Object.values(g.values).some((v) => v[g.runs.indexOf(run)][place] !== null);
      const why = g.missing[`${slug}/${run.view}/${run.id}`];
      return frameOf([el("span", { class: "dot", "--colour": colour(i) }), label(run), score(g, run, kind, s.metric, value(run))],
        why ? empty(why) : has ? video(run.id, `Generated by ${label(run)}: ${id}`) : empty("this run was not asked for this trial"), ratio(run));
    }),
    frameOf("truth", missing("truth") ? empty(missing("truth")) : video(`truth-${view}`, `The truth: ${id}`)));

  const play = el("button", { type: "button", class: "play", onclick: toggle }, "Play");
  const scrub = el("input", { type: "range", min: 0, max: frames - 1, step: 1, "aria-label": "Frame", oninput: () => browser.player.seek(Number(scrub.value)), onchange: remember });
  const count = el("span", { class: "count" });
  const speed = el("select", { "aria-label": "Speed", onchange: () => { s.speed = Number(speed.value); browser.player.setSpeed(s.speed); remember(); } },
    ...SPEEDS.map((x) => el("option", { value: x }, `${x}×`)));
  speed.value = s.speed;
  const step = (by, text, name) => el("button", { type: "button", "aria-label": name, title: name, onclick: () => stepBy(by) }, text);
  const transport = el("div", { class: "transport", role: "group", "aria-label": "Player" }, play, step(-1, "‹", "One frame back"), step(1, "›", "One frame on"), scrub, count, speed);
  const head = el("div", { class: "curve-head" });
  const drawing = svg("svg", { class: "curve", role: "img", "aria-label": `${heading(s.metric)}, frame by frame` });
  const whose = person === driver ? `${person}, ${kind}` : `${person} with a motion of ${driver}, ${kind}`;
  const old = document.querySelector("#clips .list");
  const kept = old?.scrollTop ?? 0;
  document.getElementById("clips").replaceChildren(controls, el("div", { class: "browser" },
    el("div", {}, list),
    el("div", { class: "stage" }, el("h2", { class: "clip-title" }, id, el("span", { class: "sub" }, `${whose}, ${frames} frames at ${fps} a second`)), pick, panels, transport, head, drawing)));
  list.scrollTop = kept;
  const current = list.querySelector("[aria-current]");
  if (current && (current.offsetTop - list.offsetTop < list.scrollTop || current.offsetTop - list.offsetTop + current.offsetHeight > list.scrollTop + list.clientHeight)) {
    list.scrollTop = current.offsetTop - list.offsetTop - list.clientHeight / 3;
  }
  browser.parts = { play, scrub, count, head, cursor: () => {}, lines: [], frames, metric: s.metric };
  browser.player.load(videos, fps, frames, frame);
  remember();
  loadCurves(g.id, slug).then((curves) => {
    if (browser.parts.play !== play) return; // another clip by now
    browser.parts.lines = runs.map((run, i) => ({ name: label(run), colour: colour(i), values: curves[run.id]?.[s.metric] ? decoded(curves[run.id][s.metric]) : [] }));
    const redraw = () => {
      browser.parts.cursor = drawCurves(drawing, browser.parts.lines, frames, s.metric, (f) => { browser.player.seek(f); remember(); });
      browser.parts.cursor(browser.player.frame);
    };
    redraw();
    head.replaceChildren(el("span", {}, heading(s.metric)), ...browser.parts.lines.map((line) => {
      line.out = el("span");
      return el("span", { class: "item" }, el("span", { class: "dot", "--colour": line.colour }), `${line.name} `, line.out);
    }));
    moved(browser.player.frame);
    browser.parts.redraw = redraw;
  });
}

/** Switches one run's panel on and off. */
function chip(run, name, text) {
  const { show } = browser.state, at = show.indexOf(run.id);
  const flip = () => change({ show: at >= 0 ? show.filter((id) => id !== run.id) : show.length < MOST ? [...show, run.id] : show });
  return el("label", { "--colour": at < 0 ? "transparent" : colour(at) },
    el("input", { type: "checkbox", checked: at >= 0, "aria-label": name, onchange: flip }), el("span", { class: "dot" }), text);
}

/** The score of a run on a clip, which opens its row's cell where there is one. */
function score(group, run, kind, key, value) {
  const cell = run.row !== null && table(group.id)?.rows.find((r) => r.id === run.row)?.cells[kind]?.[key];
  const text = shown(value, key);
  return cell ? el("a", { class: "v", href: link("cell", { t: group.id, r: run.row, k: kind, m: key }), title: "Where it comes from" }, text)
    : el("span", { class: "v" }, text);
}

/** What follows the clock: counter, scrubber, cursor, values. */
function moved(frame) {
  const p = browser.parts;
  if (!p) return;
  p.scrub.value = frame;
  p.scrub.setAttribute("aria-valuetext", `frame ${frame} of ${p.frames}`);
  p.count.textContent = `${frame} / ${p.frames - 1}`;
  p.play.textContent = browser.player.playing || browser.player.pending ? "Pause" : "Play";
  p.cursor(frame);
  for (const line of p.lines) if (line.out) line.out.textContent = shown(line.values[frame] ?? null, p.metric);
}

function toggle() {
  if (browser.player.playing || browser.player.pending) { browser.player.pause(); remember(); } else browser.player.play();
}

function stepBy(frames) {
  if (browser.player.playing) browser.player.pause();
  browser.player.seek(browser.player.frame + frames);
  remember();
}

function clipKeys(event) {
  const s = browser.state, field = event.target.closest("input, select, textarea, summary");
  if (!s || event.ctrlKey || event.metaKey || event.altKey || (field && field.type !== "checkbox")) return;
  const onButton = event.target.closest("button, a");
  const order = ordered(s).map((i) => s.group.clips[i][1]), at = order.indexOf(s.clip);
  const speed = (by) => () => { s.speed = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(s.speed) + by))]; browser.player.setSpeed(s.speed); document.querySelector(".transport select").value = s.speed; remember(); };
  const clip = (by) => () => { if (order[at + by]) choose(order[at + by]); };
  const keys = {
    " ": onButton ? null : toggle,
    ArrowLeft: () => stepBy(event.shiftKey ? -10 : -1), ArrowRight: () => stepBy(event.shiftKey ? 10 : 1),
    Home: () => stepBy(-1e9), End: () => stepBy(1e9),
    ArrowUp: clip(-1), ArrowDown: clip(1), "-": speed(-1), "+": speed(1), "=": speed(1),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
}
