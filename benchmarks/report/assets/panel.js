// Where a cell comes from: a panel that opens at #cell?t=<table>&r=<row>&k=<kind>&m=<metric>.
const panel = document.getElementById("panel");

panel.addEventListener("close", () => {
  if (address().view === "cell") history.replaceState(null, "", behind);
});
panel.addEventListener("click", (event) => { if (event.target === panel) panel.close(); });

/** Opens the panel; false if the address names no cell of this report. */
function showCell(query) {
  const found = table(query.get("t"));
  const row = found?.rows.find((r) => r.id === query.get("r"));
  const [kind, key] = [query.get("k"), query.get("m")];
  const cell = row?.cells[kind]?.[key];
  if (!cell) return false;
  const [value, std, low, high, seeds, trials, flags, reason] = cell;
  const metric = DATA.metrics[key];
  const records = row.records.map((id) => ({ id, ...DATA.records[id] }));
  const spread = [
    low !== null && `95% interval over ${trials} trials ${shown(low, key)} to ${shown(high, key)}`,
    std !== null && `± ${shown(std, key)} over ${seeds} seeds`,
    flags & 1 && "best of its column",
    flags & 4 && "not told apart from the best of its column",
    flags & 2 && "no better than the better baseline",
  ].filter(Boolean);
  panel.replaceChildren(
    el("button", { class: "close", type: "button", onclick: () => panel.close() }, "Close"),
    el("h2", { id: "panel-title" }, `${rowName(row)}, ${metric.title}`),
    el("div", { class: "note" }, `${found.data}, ${kind}, protocol ${found.protocol}`),
    value === null
      ? el("p", {}, el("b", {}, "No value. "), DATA.reasons[reason] ?? "")
      : el("div", { class: "big" }, `${shown(value, key)}${metric.unit ? ` ${metric.unit}` : ""}`),
    el("div", { class: "note" }, spread.join("; ")),
    el("details", {}, el("summary", {}, "What is measured"), el("p", {}, metric.text),
      metric.caution && el("p", {}, el("b", {}, metric.caution)), el("p", { class: "source" }, metric.source),
      el("p", {}, el("code", {}, key))),
    value === null ? "" : perTrial(found, records, kind, key),
    ...records.map((r) => ofRecord(r, kind, key)),
  );
  if (!panel.open) panel.showModal();
  panel.scrollTop = 0;
  return true;
}

function perTrial(found, records, kind, key) {
  const lines = found.trials
    .map(([trial, its], i) => ({ trial, its, values: records.map((r) => r.values[key]?.[i] ?? null) }))
    .filter((line) => line.its === kind && line.values.some((v) => v !== null))
    .map((line) => ({ ...line, mean: mean(line.values.filter((v) => v !== null)) }))
    .sort((a, b) => worse(key, a.mean, b.mean));
  if (!lines.length) return el("p", { class: "note" }, "This metric has no value of a single trial.");
  const clips = DATA.clips.find((c) => c.id === found.id);
  const run = clips?.runs.find((r) => records.some((x) => x.id === r.record));
  const name = (trial) => {
    const clip = run && clips.clips.find((c) => c[0] === trial);
    return clip ? el("a", { href: link("clips", { g: clips.id, c: clip[1], m: key, by: run.id }) }, trial) : trial;
  };
  const head = records.map((r) => el("th", { scope: "col" }, r.seed === null ? "value" : `seed ${r.seed}`));
  return el("details", { open: lines.length <= 16 }, el("summary", {}, `Trials, worst first (${lines.length})`),
    el("table", { class: "trials" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "trial"), ...head)),
      el("tbody", {}, ...lines.map((line) => el("tr", {}, el("th", { scope: "row" }, name(line.trial)),
        ...line.values.map((v) => el("td", {}, shown(v, key))))))));
}

function ofRecord(r, kind, key) {
  const [version, commit, dirty] = r.code ?? [null, null, null];
  const [cpu, threads, gpu, gpus] = DATA.devices[r.device] ?? [];
  const [value, low, high] = r.aggregates[kind]?.[key] ?? [];
  const why = r.missing[key] !== undefined ? DATA.reasons[r.missing[key]] : r.reason;
  const networks = Object.entries(DATA.networks[r.networks] ?? {});
  const seconds = Object.entries(r.costs.seconds);
  const facts = [
    ["record", el("code", {}, r.id)],
    ["made", `${r.created.replace("T", " ").replace("Z", " UTC")}${r.kind === "external" ? ", frames made elsewhere" : ""}`],
    ["value", value === undefined ? null : shown(value, key) + (low !== null ? ` [${shown(low, key)}, ${shown(high, key)}]` : "")],
    ["no value", value === undefined ? why ?? "not computed by this run" : null],
    ["failed", r.status === "failed" ? r.reason : null],
    ["code", el("span", {}, `motioncopy ${version}, `, commit ? el("code", {}, commit.slice(0, 12)) : "no checkout",
      dirty ? el("b", { class: "dirty" }, " with uncommitted changes") : commit && dirty === false ? ", clean" : "")],
    ["config", el("code", {}, r.sha.slice(0, 16))],
    ["data split", r.split],
    ["device", cpu && (gpus ? `${gpus} × ${gpu}, ` : "") + `${cpu}, ${threads} thread${threads > 1 ? "s" : ""}`],
    ["networks", networks.length ? networks.map(([name, id]) => `${name}: ${id.length > 40 ? id.slice(0, 12) : id}`).join("; ") : "none"],
    ["training", seconds.length ? seconds.map(([stage, s]) => `${stage} ${human.seconds(s)}${r.costs.steps[stage] ? ` (${r.costs.steps[stage]} steps)` : ""}`).join(", ") : "none"],
    ["in all", r.costs.wall === null ? null : `${human.seconds(r.costs.wall)} by the clock`],
    ["parameters", r.costs.parameters === null ? null : human.count(r.costs.parameters)],
    ["speed", r.costs.fps === null ? null : human.rate(r.costs.fps) + (r.costs.fps_single ? `, ${human.rate(r.costs.fps_single)} one at a time` : "") +
      (r.costs.fps_compiled ? `, ${human.rate(r.costs.fps_compiled)} compiled` : "")],
    ["peak memory", r.costs.memory === null ? null : human.bytes(r.costs.memory)],
  ].filter(([, fact]) => fact);
  const packages = Object.entries(DATA.packages[r.packages] ?? {}).map(([name, v]) => `${name} ${v}`);
  return el("section", {}, el("h3", {}, r.seed === null ? "Run" : `Seed ${r.seed}`),
    el("dl", {}, ...facts.flatMap(([name, fact]) => [el("dt", {}, name), el("dd", {}, fact)])),
    unfolds("Resolved config", () => el("pre", { tabindex: 0 }, (r.configs.length ? `# ${r.configs.join("\n# ")}\n` : "") + yaml(DATA.configs[r.config]))),
    unfolds("Packages", () => el("p", {}, packages.join(", "))));
}

/** Content that is made when somebody looks: configs are long and many. */
function unfolds(title, make) {
  const details = el("details", { ontoggle: () => { if (details.open && details.children.length === 1) details.append(make()); } },
    el("summary", {}, title));
  return details;
}

/** Plain values as YAML, to read. */
function yaml(value, indent = "") {
  if (Array.isArray(value)) {
    if (value.every((v) => v === null || typeof v !== "object")) return `[${value.map((v) => yaml(v)).join(", ")}]`;
    return value.map((v) => `\n${indent}- ${yaml(v, `${indent}  `).replace(/^\n\s*/, "")}`).join("");
  }
  if (value === null || typeof value !== "object") return value === null ? "null" : String(value);
  const lines = Object.entries(value).map(([key, v]) => {
    const text = yaml(v, `${indent}  `);
    return `${indent}${key}:${text.startsWith("\n") ? "" : " "}${text}`;
  });
  return lines.length ? (indent ? "\n" : "") + lines.join("\n") : "{}";
}
