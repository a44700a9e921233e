// The Gantt chart of the live view, on a canvas: it zooms, and marks the lineage of the selected task.

const LABELS = 130;         // width of the chart's labels
const AXIS = 20;            // height of its axis
const STEPS = [         // of its axis, in seconds: at most six of one fit in what is shown
  ...[.001, .01, .1, 1].flatMap(one => [one, 2 * one, 5 * one]), 10, 20, 30, ...[60, 3600].flatMap(one => [one, 2 * one, 5 * one, 10 * one, 20 * one, 30 * one]),
  ...[1, 2, 5, 10, 20, 50, 100].map(days => 86400 * days)];
const CROSS = 8;            // pixels between two crosses of failures in a row, at least
const MAX_SUBROWS = 40;     // of a lane: more than so many tasks at once share the last one

function chart(store, model, select) {
  const { chosen } = store, canvas = h("canvas", { tabindex: 0, role: "img" });
  const box = h("div", { class: "sfl-chart" }, canvas), tip = h("div", { class: "sfl-quiet" }, " ");
  const lanes = h("select", { "aria-label": "lanes of the chart" },
    ...[["name", "by activity"], ["worker", "by worker"], ["task_list", "by task list"]].map(([value, text]) =>
      h("option", { value, selected: value === chosen.lanes }, text)));
  lanes.addEventListener("change", () => { chosen.lanes = lanes.value; draw(); });
  const button = (text, label, act) => h("button", { type: "button", "aria-label": label, onclick: act }, text);
  const panel = h("div", { id: panelId() }, h("div", { class: "sfl-row" }, lanes, button("−", "zoom out", () => zoom(1.5)),
    button("+", "zoom in", () => zoom(1 / 1.5)), button("fit", "show all", () => { chosen.zoom = null; draw(); }),
    button("◀", "earlier", () => pan(-.25)), button("▶", "later", () => pan(.25))), box, tip);
  let plan = null, planned = "", asked = 0;

  const end = () => Math.max(clock(store, model.get("summary").open), .001);
  const range = () => chosen.zoom || [0, end()];
  function zoom(factor, centre) {
    const [from, to] = range(), at = centre ?? (from + to) / 2;
    chosen.zoom = [at - (at - from) * factor, at + (to - at) * factor]; draw();
  }
  function pan(part) {
    const [from, to] = range(), step = (to - from) * part;
    chosen.zoom = [from + step, to + step]; draw();
  }
  // Lanes, and in each lane rows in which no two tasks run at once, as far as MAX_SUBROWS allows. What has not started
  // shares the last row of its lane.
  function layOut() {
    const { rows, field } = store, key = field[chosen.lanes], found = new Map();
    const began = row => row[field.started] ?? row[field.scheduled];
    const order = rows.map((_, i) => i).sort((a, b) => began(rows[a]) - began(rows[b]) || a - b);
    for (const i of order) {
      const row = rows[i], name = row[key] || "–";
      if (!found.has(name)) found.set(name, { name, first: i, ends: [], bars: [], queued: [] });
      const lane = found.get(name);
      lane.first = Math.min(lane.first, i);
      if (isQueued(store, row)) { lane.queued.push(i); continue; }
      let at = lane.ends.findIndex(last => last <= began(row));
      if (at < 0) at = lane.ends.length < MAX_SUBROWS ? lane.ends.push(0) - 1 : MAX_SUBROWS - 1;
      lane.ends[at] = Math.max(lane.ends[at], row[field.state] === "reused" ? end() * REUSED : row[field.closed] ?? Infinity);
      lane.bars.push(i, at);
    }
    const lanes = [...found.values()].sort((a, b) => a.first - b.first);
    let total = 0;
    for (const lane of lanes) {
      lane.top = total; lane.height = lane.ends.length + (lane.queued.length ? 1 : 0); total += lane.height;
      for (const i of lane.queued) lane.bars.push(i, lane.ends.length);
    }
    return { lanes, total: Math.max(total, 1) };
  }
  function draw() { if (!asked) asked = requestAnimationFrame(() => { asked = 0; paint(); }); }
  function paint() {
    if (panel.hidden || !canvas.isConnected) return;
    const began = performance.now(), { rows, field } = store, state = `${store.mark} ${chosen.lanes} ${rows.length}`;
    if (planned !== state) { plan = layOut(); planned = state; }
    const width = box.clientWidth || 800, line = Math.max(Math.min(400 / plan.total, 16), 4);
    const height = plan.total * line + AXIS, ratio = devicePixelRatio || 1, css = getComputedStyle(canvas);
    canvas.width = width * ratio; canvas.height = height * ratio;
    canvas.style.width = `${width}px`; canvas.style.height = `${height}px`;
    const g = canvas.getContext("2d"), [from, to] = range(), scale = (width - LABELS) / (to - from), until = end();
    const x = time => LABELS + (time - from) * scale;
    g.scale(ratio, ratio); g.font = `11px ${css.fontFamily}`; g.textBaseline = "middle";
    g.fillStyle = css.color; g.strokeStyle = css.color;
    let labelled = -20;
    for (const lane of plan.lanes) {
      const top = lane.top * line;
      g.globalAlpha = .15; g.fillRect(0, top, width, .5); g.globalAlpha = 1;
      if (top - labelled >= 12) { g.fillText(fitted(g, lane.name, LABELS - 8), 2, top + Math.max(line, 12) / 2); labelled = top; }
    }
    const step = STEPS.find(one => (to - from) / one <= 6) ?? (to - from) / 6;
    for (let k = Math.ceil(Math.max(from, 0) / step); k * step <= to; k++) {
      const text = duration(k * step), at = x(k * step), half = g.measureText(text).width / 2;
      g.globalAlpha = .1; g.fillRect(at, 0, 1, height - AXIS); g.globalAlpha = 1;
      g.fillText(text, Math.max(Math.min(at, width - half - 2), LABELS + half) - half, height - AXIS / 2);
    }
    g.save(); g.beginPath(); g.rect(LABELS, 0, width - LABELS, height); g.clip();
    const thick = Math.max(line - 1.5, 2), opacity = row => store.relation(row) === "other" ? .15 : 1;
    const inSight = act => {
      for (const lane of plan.lanes) for (let k = 0; k < lane.bars.length; k += 2) {
        const row = rows[lane.bars[k]], began = row[field.scheduled], closed = row[field.closed] ?? until;
        if (closed < from || began > to) continue;
        const started = ran(store, row) ? row[field.started] ?? began : closed;
        act(row, began, started, closed, (lane.top + lane.bars[k + 1]) * line);
      }
    };
    // What waited is drawn first: it lies behind the tasks that ran in its row meanwhile.
    inSight((row, began, started, closed, top) => {
      if (started <= began) return;
      g.fillStyle = styleOf(model, row[field.state]).colour; g.globalAlpha = .25 * opacity(row);
      g.fillRect(x(began), top + thick / 3, Math.max((started - began) * scale, .5), thick / 3); g.globalAlpha = 1;
    });
    const crossed = new Map();  // by row: where the last cross stands; those that would cover it are left out
    inSight((row, began, started, closed, top) => {
      const left = x(started), relation = store.relation(row), clear = opacity(row);
      g.fillStyle = styleOf(model, row[field.state]).colour;
      const wide = Math.max((closed - started) * scale, row[field.state] === "reused" ? 6 : 1.5);
      if (!isQueued(store, row)) {
        g.globalAlpha = (row[field.kind] === "timer" ? .5 : 1) * clear;
        drawBar(g, left, top, wide, thick, row[field.state] === "unfinished");
        g.globalAlpha = 1;
      }
      if (relation === "before" || relation === "after") {  // a line below what it depended on, above what depended on it
        g.fillStyle = css.color; g.fillRect(x(began), relation === "before" ? top + thick : top - 1, Math.max((closed - began) * scale, 1.5), 1);
      }
      if (row[field.closed] !== null && !["completed", "fired", "reused"].includes(row[field.state]) && thick > 3 && Math.abs(left + wide - (crossed.get(top) ?? -99)) >= CROSS) {
        crossed.set(top, left + wide);
        g.strokeStyle = css.color; g.beginPath(); g.moveTo(left + wide - 3, top); g.lineTo(left + wide + 3, top + thick);
        g.moveTo(left + wide + 3, top); g.lineTo(left + wide - 3, top + thick); g.stroke();
      }
      if (row[field.event] === chosen.selected) { g.strokeStyle = css.color; g.lineWidth = 2; g.strokeRect(Math.min(x(began), left) - 1, top - .5, Math.max(x(closed) - x(began), 2) + 2, thick + 1); g.lineWidth = 1; }
    });
    g.fillStyle = css.color;
    for (const lane of plan.lanes) if (lane.queued.length && line >= 10) {
      g.fillText(`${lane.queued.length.toLocaleString("en")} not started`, LABELS + 4, (lane.top + lane.ends.length + .5) * line);
    }
    g.restore();
    canvas.setAttribute("aria-label", `Gantt chart of ${numbered(rows.length, "task")} in ${numbered(plan.lanes.length, "lane")}, `
      + `from ${duration(Math.max(from, 0))} to ${duration(to)}; ${marked()}arrows move, plus and minus zoom, 0 shows all`);
    panel.dataset.paintMs = (performance.now() - began).toFixed(1);
  }
  const marked = () => store.lineage && store.lineage.event === chosen.selected
    ? `marked: ${store.lineage.before.size} that the selected one depended on, ${store.lineage.after.size} that depended on it; ` : "";
  function rowAt(event) {
    if (!plan) return null;
    const { rows, field } = store, [from, to] = range(), width = box.clientWidth || 800;
    const time = from + (event.offsetX - LABELS) / (width - LABELS) * (to - from), slack = 2 * (to - from) / (width - LABELS);
    const line = Math.max(Math.min(400 / plan.total, 16), 4), at = Math.floor(event.offsetY / line);
    const lane = plan.lanes.find(one => one.top <= at && at < one.top + one.height);
    if (!lane) return null;
    for (let k = lane.bars.length - 2; k >= 0; k -= 2) {
      const row = rows[lane.bars[k]];
      if (lane.top + lane.bars[k + 1] === at && row[field.scheduled] - slack <= time && time <= (row[field.closed] ?? end()) + slack) return row;
    }
    return null;
  }
  canvas.addEventListener("mousemove", event => {
    const row = rowAt(event), { field } = store;
    tip.textContent = row ? `${visible(row[field.id])}, ${styleOf(model, row[field.state]).word}: waited ${duration(waiting(store, row))}, ran ${duration(running(store, row))}` : " ";
  });
  canvas.addEventListener("click", event => { const row = rowAt(event); select(row ? row[store.field.event] : null); });
  canvas.addEventListener("wheel", event => {
    if (!event.ctrlKey && !event.shiftKey) return;  // else the page scrolls
    event.preventDefault();
    const [from, to] = range(), width = box.clientWidth || 800;
    zoom(event.deltaY > 0 ? 1.25 : .8, from + (event.offsetX - LABELS) / (width - LABELS) * (to - from));
  }, { passive: false });
  canvas.addEventListener("keydown", event => {
    const act = { "+": () => zoom(1 / 1.5), "=": () => zoom(1 / 1.5), "-": () => zoom(1.5), ArrowLeft: () => pan(-.1),
      ArrowRight: () => pan(.1), 0: () => { chosen.zoom = null; draw(); } }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  const observer = new ResizeObserver(draw);
  observer.observe(box);
  return { panel, draw, dispose: () => { observer.disconnect(); cancelAnimationFrame(asked); } };
}

