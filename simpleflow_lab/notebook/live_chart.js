// The Gantt chart of the live view, on a canvas: it zooms, and marks the lineage of the selected task.

const LABELS = 130;         // width of the chart's labels
const AXIS = 20;            // height of its axis
const STEPS = [         // of its axis, in seconds: at most six of one are in what is shown
  ...[.001, .01, .1, 1].flatMap(one => [one, 2 * one, 5 * one]), 10, 20, 30, ...[60, 3600].flatMap(one => [one, 2 * one, 5 * one, 10 * one, 20 * one, 30 * one]),
  ...[1, 2, 5, 10, 20, 50, 100].map(days => 86400 * days)];
const CROSS = 8;            // pixels between two crosses of failures in a row, at least
const SEAM = 1;             // pixels between a bar and one that follows at once
const SAME = .5;            // pixels by which a bar must reach beyond those of its look that were drawn before

// The marks of the axis of a chart of this width: where each is, and its text with where that begins. A text at an edge is
// moved to be within the chart; one that would be covered by that is left out.
function axisMarks(from, to, width, widthOf) {
  const scale = (width - LABELS) / (to - from), fit = Math.floor((width - LABELS) / (widthOf(duration(to)) + 8));
  const most = Math.max(Math.min(fit, 6), 2), step = STEPS.find(one => (to - from) / one <= most) ?? (to - from) / most;
  const marks = [];
  let end = -Infinity;
  for (let k = Math.ceil(Math.max(from, 0) / step); k * step <= to; k++) {
    const at = LABELS + (k * step - from) * scale, text = duration(k * step), long = widthOf(text);
    const left = Math.max(Math.min(at + long / 2, width - 2) - long, LABELS), isFree = left >= end + 4;
    if (isFree) end = left + long;
    marks.push({ at, text: isFree ? text : "", left });
  }
  return marks;
}

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
  let lanesMade = null, madeOf = null, madeBy = "", placed = 0, plan = null, asked = 0;

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
  // All rows find their place when there are others, or other lanes; then only those that have changed.
  function layOut() {
    const { rows, field, touched } = store, key = field[chosen.lanes];
    const began = i => rows[i][field.started] ?? rows[i][field.scheduled];
    let moved;
    if (madeOf !== touched || madeBy !== chosen.lanes) {
      lanesMade = newLanes(); madeOf = touched; madeBy = chosen.lanes;
      for (const row of rows) lanesMade.lane(row[key] || "–");
      moved = rows.map((_, i) => i);
    } else if (placed === touched.length) return;
    else moved = [...new Set(touched.slice(placed))];
    placed = touched.length;
    for (const i of moved.sort((a, b) => began(a) - began(b) || a - b)) {
      const row = rows[i];
      lanesMade.put(i, row[key] || "–", began(i), row[field.state] === "reused" ? end() * REUSED : row[field.closed], isQueued(store, row));
    }
    plan = lanesMade.arranged();
  }
  function draw() { if (!asked) asked = requestAnimationFrame(() => { asked = 0; paint(); }); }
  function paint() {
    if (panel.hidden || !canvas.isConnected) return;
    const began = performance.now(), { rows, field } = store;
    layOut();
    const width = box.clientWidth || 800, line = rowHeight(plan.total, 400, 16);
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
    for (const { at, text, left } of axisMarks(from, to, width, text => g.measureText(text).width)) {
      g.globalAlpha = .1; g.fillRect(at, 0, 1, height - AXIS); g.globalAlpha = 1;
      if (text) g.fillText(text, left, height - AXIS / 2);
    }
    g.save(); g.beginPath(); g.rect(LABELS, 0, width - LABELS, height); g.clip();
    const thick = Math.max(line - 1.5, 2), opacity = row => store.relation(row) === "other" ? .15 : 1;
    const inSight = (keys, act) => {
      for (const i of keys) {
        const row = rows[i], began = row[field.scheduled], closed = row[field.closed] ?? until;
        if (closed >= from && began <= to) act(row, began, ran(store, row) ? row[field.started] ?? began : closed, closed);
      }
    };
    const marks = (row, began, started, closed, top) => {
      const relation = store.relation(row);
      g.fillStyle = g.strokeStyle = css.color;
      if (relation === "before" || relation === "after")  // a line below what it depended on, above what depended on it
        g.fillRect(x(began), relation === "before" ? top + thick : top - 1, Math.max((closed - began) * scale, 1.5), 1);
      if (row[field.event] !== chosen.selected) return;
      const left = Math.min(x(began), x(started));
      g.lineWidth = 2; g.strokeRect(left - 1, top - .5, Math.max(x(closed) - left, 2) + 2, thick + 1); g.lineWidth = 1;
    };
    // A row: what waited is drawn first, behind what ran meanwhile; of bars that lie on each other, what is seen.
    const drawRow = (keys, top) => {
      let covered = newCover();
      inSight(keys, (row, began, started) => {
        if (started <= began) return;
        const left = x(began), right = Math.max(x(started), left + .5), clear = opacity(row), at = covered(left, right, clear);
        if (at === null) return;
        g.fillStyle = styleOf(model, row[field.state]).colour; g.globalAlpha = .25 * clear;
        g.fillRect(at, top + thick / 3, right - at, thick / 3);
      });
      covered = newCover();
      let crossed = -99;  // where the last cross stands; those that would cover it are left out
      inSight(keys, (row, began, started, closed) => {
        const state = row[field.state], { colour } = styleOf(model, state), left = x(started);
        const wide = Math.max((closed - started) * scale, state === "reused" ? 6 : 1.5);
        const clear = (row[field.kind] === "timer" ? .5 : 1) * opacity(row);
        if (covered(left, left + wide, `${state} ${clear}`) !== null) {
          g.fillStyle = colour; g.globalAlpha = clear;
          drawBar(g, left, top, wide > 4 ? wide - SEAM : wide, thick, state === "unfinished");
        }
        g.globalAlpha = 1;
        if (row[field.closed] !== null && !["completed", "fired", "reused"].includes(state) && thick > 3 && left + wide - crossed >= CROSS) {
          crossed = left + wide;
          g.strokeStyle = css.color; g.beginPath(); g.moveTo(left + wide - 3, top); g.lineTo(left + wide + 3, top + thick);
          g.moveTo(left + wide + 3, top); g.lineTo(left + wide - 3, top + thick); g.stroke();
        }
        if (chosen.selected !== null) marks(row, began, started, closed, top);
      });
    };
    // What has not started, as one pale bar, and how much that is.
    const drawQueue = (lane, top) => {
      let since = until;
      for (const i of lane.queued) since = Math.min(since, rows[i][field.scheduled]);
      g.fillStyle = styleOf(model, rows[lane.queued.values().next().value][field.state]).colour;
      g.globalAlpha = .25 * (store.lineage?.before.size || store.lineage?.after.size ? .15 : 1); g.fillRect(x(since), top + thick / 3, (until - since) * scale, thick / 3);
      g.globalAlpha = 1;
      if (chosen.selected !== null) inSight(lane.queued, (row, began, started, closed) => marks(row, began, started, closed, top));
      g.fillStyle = css.color;
      if (line >= 10) g.fillText(`${lane.queued.size.toLocaleString("en")} not started`, LABELS + 4, top + line / 2);
    };
    for (const lane of plan.lanes) {
      lane.rows.forEach(({ keys }, at) => drawRow(keys, (lane.top + at) * line));
      if (lane.queued.size) drawQueue(lane, (lane.top + lane.rows.length) * line);
    }
    g.restore();
    canvas.setAttribute("aria-label", `Gantt chart of ${numbered(rows.length, "task")} in ${numbered(plan.lanes.length, "lane")}, `
      + `from ${duration(Math.max(from, 0))} to ${duration(to)}; ${marked()}arrows move, plus and minus zoom, 0 shows all`);
    panel.dataset.paintMs = (performance.now() - began).toFixed(1);
  }
  const marked = () => store.lineage && store.lineage.event === chosen.selected
    ? `marked: ${store.lineage.before.size} that the selected one depended on, ${store.lineage.after.size} that depended on it; ` : "";
  function rowAt(event) {
    layOut();
    const { rows, field } = store, [from, to] = range(), width = box.clientWidth || 800;
    const time = from + (event.offsetX - LABELS) / (width - LABELS) * (to - from), slack = 2 * (to - from) / (width - LABELS);
    const line = rowHeight(plan.total, 400, 16), at = Math.floor(event.offsetY / line);
    const lane = plan.lanes.find(one => one.top <= at && at < one.top + one.height);
    if (!lane) return null;
    for (const i of [...lane.rows[at - lane.top]?.keys ?? lane.queued].reverse()) {
      const row = rows[i];
      if (row[field.scheduled] - slack <= time && time <= (row[field.closed] ?? end()) + slack) return row;
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
  const forget = whenResized(box, draw);
  return { panel, draw, dispose: () => { forget(); cancelAnimationFrame(asked); } };
}

// Of bars of a row that are drawn from the left to the right: where one of this look that reaches from `left` to `right`
// begins to be seen; null if those before it hide it.
function newCover() {
  let from = 0, to = -Infinity, of = null;
  return (left, right, look) => {
    if (look !== of || left < from || left > to) { from = left; to = right; of = look; return left; }
    if (right <= to + SAME) return null;
    const at = to;
    to = right;
    return at;
  };
}
