// Quality against cost: one mark a row of a table, on a logarithmic axis where costs differ by much.
const COSTS = {
  parameters: { title: "Parameters", of: (c) => c.parameters, text: human.count, units: [1e9, 1e6, 1e3], better: "lower" },
  training: { title: "Training time", of: (c) => Object.values(c.seconds).reduce((a, b) => a + b, 0), text: human.seconds, units: [3600, 60], better: "lower" },
  fps: { title: "Frames generated a second", of: (c) => c.fps, text: human.rate, better: "higher" },
  fps_single: { title: "Frames a second, one at a time", of: (c) => c.fps_single, text: human.rate, better: "higher" },
  memory: { title: "Peak memory", of: (c) => c.memory, text: human.bytes, units: [1e9, 1e6], better: "lower" },
};

function costView(query) {
  const root = document.getElementById("cost");
  const found = table(query.get("t")) ?? DATA.tables[0];
  const kinds = ["reconstruction", "imitation"].filter((k) => found.rows.some((r) => Object.values(r.cells[k] ?? {}).some((c) => c[0] !== null)));
  const kind = kinds.includes(query.get("k")) ? query.get("k") : kinds[0];
  const keys = Object.keys(DATA.metrics).filter((m) => DATA.metrics[m].direction !== "none" && found.rows.some((r) => (r.cells[kind]?.[m]?.[0] ?? null) !== null));
  const key = keys.includes(query.get("m")) ? query.get("m") : keys.find((m) => m.startsWith("mask_psnr/")) ?? keys[0];
  const cost = COSTS[query.get("x")] ? query.get("x") : "training";
  const chosen = { t: found.id, k: kind, m: key, x: cost };
  const change = (what) => (value) => { const q = { ...chosen, [what]: value }; note("cost", q); costView(new URLSearchParams(q)); };
  const controls = el("div", { class: "controls" },
    choice("data", DATA.tables.map((t) => [t.id, `${t.data}, ${t.regime}${t.protocol.startsWith(`${t.data}@`) ? "" : `, ${t.protocol}`}`]), found.id, change("t")),
    choice("trials of", kinds.map((k) => [k, k]), kind, change("k")),
    choice("quality", keys.map((m) => [m, heading(m)]), key, change("m")),
    choice("cost", Object.entries(COSTS).map(([name, c]) => [name, c.title]), cost, change("x")));
  const marks = found.rows.map((row) => markOf(row, kind, key, COSTS[cost])).filter((m) => m.y !== null);
  const drawn = marks.filter((m) => m.x !== null);
  const left = marks.filter((m) => m.x === null).map((m) => rowName(m.row));
  root.replaceChildren(controls,
    drawn.length ? costPlot(root, drawn, found, kind, key, COSTS[cost]) : el("p", { class: "note" }, "No row has both this score and this cost."),
    el("p", { class: "note" }, "Whiskers are 95% intervals over trials; the dotted line joins rows that no other beats in both. A mark opens where it comes from.",
      left.length ? ` Not measured: ${left.join(", ")}.` : ""));
}

function markOf(row, kind, key, cost) {
  const costs = row.records.map((id) => DATA.records[id]).filter((r) => r.status === "finished").map((r) => cost.of(r.costs)).filter((v) => v !== null && v !== undefined);
  const [value, , low, high] = row.cells[kind]?.[key] ?? [null, null, null, null];
  return { row, x: mean(costs), y: value, low: low ?? value, high: high ?? value };
}

function costPlot(root, marks, found, kind, key, cost) {
  const width = Math.max(320, Math.min(990, root.clientWidth || 990)), height = width < 560 ? 400 : 470;
  const m = { left: 52, right: width < 560 ? 24 : 150, top: 34, bottom: 46 };
  const positive = marks.map((k) => k.x).filter((x) => x > 0);
  const [least, most] = [Math.min(...positive), Math.max(...positive)];
  const log = positive.length > 0 && most / least > 8;
  const zero = marks.some((k) => k.x === 0);
  const from = m.left + (log && zero ? 56 : 24), to = width - m.right;
  const ends = log ? [Math.log10(least), Math.log10(most)] : [zero ? 0 : least, positive.length ? most : 1];
  if (ends[1] - ends[0] < 1e-9) { ends[0] -= log ? 0.3 : 0.1 * (ends[1] || 1); ends[1] += log ? 0.3 : 0.1 * (ends[1] || 1); }
  const x = (v) => (log && v === 0 ? m.left + 14 : from + ((log ? Math.log10(v) : v) - ends[0]) / (ends[1] - ends[0]) * (to - from));
  const [bottom, top] = padded(Math.min(...marks.map((k) => k.low)), Math.max(...marks.map((k) => k.high)));
  const y = (v) => height - m.bottom - (v - bottom) / (top - bottom) * (height - m.top - m.bottom);
  const plot = svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `${heading(key)} against ${cost.title}` });
  plot.append(svg("path", { class: "axis", d: `M${m.left} ${m.top}V${height - m.bottom}H${to}` }));
  for (const tick of ticks(bottom, top, 7)) {
    plot.append(svg("text", { x: m.left - 8, y: y(tick) + 4, "text-anchor": "end" }, neat(tick)),
      svg("path", { class: "axis", d: `M${m.left - 4} ${y(tick)}H${m.left}` }));
  }
  // Ticks are round in the unit in which they are read.
  const unit = cost.units?.find((u) => most >= 1.5 * u) ?? 1;
  const along = (log ? decades(least / unit, most / unit) : ticks(ends[0] / unit, ends[1] / unit, 5)).map((v) => v * unit);
  for (const tick of [...along, ...(log && zero ? [0] : [])]) {
    plot.append(svg("text", { x: x(tick), y: height - m.bottom + 18, "text-anchor": "middle" }, tick === 0 ? "none" : cost.text(tick)),
      svg("path", { class: "axis", d: `M${x(tick)} ${height - m.bottom}v4` }));
  }
  plot.append(svg("text", { class: "label", x: 0, y: 14 }, heading(key)),
    svg("text", { class: "label", x: to, y: height - 6, "text-anchor": "end" }, `${cost.title}${cost.better === "higher" ? " →" : " ←"} better`));
  const best = front(marks, key, cost).map((k) => `${x(k.x)} ${y(k.y)}`);
  if (best.length > 1) plot.append(svg("path", { class: "front", d: `M${best.join("L")}` }));
  for (const k of marks) plot.append(svg("path", { class: "whisker", d: `M${x(k.x)} ${y(k.low)}V${y(k.high)}` }));
  // Where there is no room for names beside the marks, letters stand for them, and a list below says which.
  const narrow = width < 560, listed = [];
  const name = (k) => (k.row.ablation ? `${k.row.method} ${k.row.ablation}` : [k.row.subject, k.row.method].filter(Boolean).join(": "));
  for (const { k, x: px, y: py, at } of apart(marks.map((k) => ({ k, x: x(k.x), y: y(k.y) })), narrow ? 13 : 17, narrow ? 16 : 190, m.top, height - m.bottom)) {
    const title = `${rowName(k.row)}: ${shown(k.y, key)}, ${k.x === 0 ? "none" : cost.text(k.x)}`;
    const href = link("cell", { t: found.id, r: k.row.id, k: kind, m: key });
    const letter = String.fromCharCode(97 + listed.length);
    listed.push(el("li", {}, el("b", {}, letter), el("a", { href }, name(k))));
    plot.append(svg("a", { class: `mark${k.row.baseline ? " baseline" : k.row.ablation ? " ablation" : ""}`, href, "aria-label": title },
      svg("title", {}, title),
      svg("circle", { cx: px, cy: py, r: 6 }),
      svg("text", { x: px + 11, y: at + 4 }, narrow ? letter : name(k))));
  }
  return narrow ? el("div", {}, plot, el("ul", { class: "plot-key" }, ...listed)) : plot;
}

/** Labels of marks that lie close to one another, moved apart downwards and upwards. */
function apart(points, gap, reach, top, bottom) {
  const sorted = points.map((p) => ({ ...p, at: p.y })).sort((a, b) => a.y - b.y);
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < sorted.length; i++) for (let j = i + 1; j < sorted.length; j++) {
      const [a, b] = [sorted[i], sorted[j]];
      if (Math.abs(a.x - b.x) > reach || Math.abs(b.at - a.at) >= gap) continue;
      const push = (gap - (b.at - a.at)) / 2;
      a.at = Math.max(top, a.at - push); b.at = Math.min(bottom, b.at + push);
    }
  }
  return sorted;
}

function front(marks, key, cost) {
  const cheaper = (a, b) => (cost.better === "lower" ? a.x - b.x : b.x - a.x);
  const best = [];
  for (const k of [...marks].sort((a, b) => cheaper(a, b) || worse(key, b.y, a.y))) {
    if (!best.length || worse(key, best.at(-1).y, k.y) < 0) best.push(k);
  }
  return best;
}

function padded(low, high) {
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - room, high + room];
}

function ticks(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(Number((i * step).toPrecision(10)));
  return found;
}

function decades(low, high) {
  const found = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.log10(high); p++) for (const n of [1, 2, 5]) {
    if (n * 10 ** p >= low * 0.999 && n * 10 ** p <= high * 1.001) found.push(n * 10 ** p);
  }
  return found.length > 6 ? found.filter((v) => Math.abs(Math.log10(v) % 1) < 1e-6) : found;
}

const neat = (value) => String(Number(value.toPrecision(4))).replace("-", "−");
