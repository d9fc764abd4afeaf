// Curves of a clip's frames, with a cursor that goes with the videos.
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The values of a curve; benchmarks/report/curves.py writes them. */
function decoded([low, high, text]) {
  const values = [];
  for (let i = 0; i < text.length; i += 2) {
    const step = ALPHABET.indexOf(text[i]) * 64 + ALPHABET.indexOf(text[i + 1]);
    values.push(text[i] === "." ? null : low + (high - low) * step / 4095);
  }
  return values;
}

/** Draws curves and gives the function that moves the cursor. Lines are {values, colour}. */
function drawCurves(drawing, lines, frames, key, onseek) {
  const width = Math.max(280, drawing.clientWidth || 800), height = width < 560 ? 150 : 190;
  const m = { left: 46, right: 8, top: 8, bottom: 22 };
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.setAttribute("height", height);
  const known = lines.flatMap((l) => l.values).filter((v) => v !== null);
  const [low, high] = known.length ? padded(Math.min(...known), Math.max(...known)) : [0, 1];
  const x = (frame) => m.left + (frames > 1 ? frame / (frames - 1) : 0) * (width - m.left - m.right);
  const y = (v) => height - m.bottom - (v - low) / (high - low) * (height - m.top - m.bottom);
  const parts = [];
  for (const tick of ticks(low, high, 3)) {
    parts.push(svg("path", { class: "axis", d: `M${m.left} ${y(tick)}H${width - m.right}` }),
      svg("text", { x: m.left - 8, y: y(tick) + 4, "text-anchor": "end" }, neat(tick)));
  }
  for (const tick of ticks(0, frames - 1, Math.min(8, Math.floor(width / 90))).filter(Number.isInteger)) {
    parts.push(svg("text", { x: x(tick), y: height - 5, "text-anchor": tick === 0 ? "start" : "middle" }, tick === 0 ? "frame 0" : String(tick)));
  }
  for (const line of lines) {
    let path = "", pen = false;
    line.values.forEach((v, i) => {
      if (v !== null) path += `${pen ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
      // A value with none on either side would else not be seen.
      if (v !== null && !pen && (line.values[i + 1] ?? null) === null) path += "h.1";
      pen = v !== null;
    });
    parts.push(svg("path", { class: "line", d: path, stroke: line.colour, "stroke-linecap": "round" }));
  }
  if (!known.length) parts.push(svg("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "No frame of this clip has a value"));
  const cursor = svg("path", { class: "cursor" });
  drawing.replaceChildren(...parts, cursor);
  const seek = (event) => {
    const box = drawing.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width * width - m.left) / (width - m.left - m.right);
    onseek(Math.max(0, Math.min(frames - 1, Math.round(at * (frames - 1)))));
  };
  drawing.onpointerdown = (event) => { drawing.setPointerCapture(event.pointerId); seek(event); };
  drawing.onpointermove = (event) => { if (event.buttons) seek(event); };
  return (frame) => cursor.setAttribute("d", `M${x(frame)} ${m.top}V${height - m.bottom}`);
}
