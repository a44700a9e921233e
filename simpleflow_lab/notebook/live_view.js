// The live view of one execution: its state, what it waits for, a Gantt chart, a table of its tasks, its failures and
// its output, and what can be done about it.
//
// A model has one store: the rows of the tasks, which the kernel sends once and then as they change, and what the reader
// has chosen (tab, zoom, filter, order, selection), which so outlives that the output is drawn again. Every text of a
// history goes into a text node or onto a canvas, never into markup.

const ROW_HEIGHT = 24;      // of the table, in pixels, as in live_view.css
const LABELS = 130;         // width of the chart's labels
const AXIS = 20;            // height of its axis
const SILENT = 15;          // seconds without news after which the reader is told
const MAX_SUBROWS = 40;     // of a lane: more than so many tasks at once share the last one
const stores = new WeakMap();

// -- the store of a model --

function storeOf(model) {
  if (!stores.has(model)) stores.set(model, newStore(model));
  return stores.get(model);
}

function newStore(model) {
  const field = Object.fromEntries(model.get("fields").map((name, i) => [name, i]));
  const store = {
    field, rows: [], index: new Map(), mark: 0, log: null, listeners: new Set(), now: 0, seenAt: performance.now(),
    chosen: { tab: "chart", lanes: "name", zoom: null, filter: "", state: "", sort: "", down: false, selected: null,
      scroll: 0 },
  };
  store.put = rows => {
    for (const row of rows) {
      const at = store.index.get(row[field.event]);
      if (at === undefined) { store.index.set(row[field.event], store.rows.length); store.rows.push(row); }
      else store.rows[at] = row;
    }
  };
  store.replace = ({ mark, rows }) => { store.rows = []; store.index.clear(); store.put(rows); store.mark = mark; };
  store.changed = what => { for (const listener of store.listeners) listener(what); };
  store.replace(model.get("rows") || { mark: 0, rows: [] });
  const change = () => {
    const { since, mark, rows } = model.get("changes");
    if (mark === undefined || mark <= store.mark) return;
    if (since > store.mark) { model.send({ kind: "rows" }); return; }  // a change was missed
    store.put(rows); store.mark = mark; store.changed("rows");
  };
  change();
  model.on("change:changes", change);
  model.on("msg:custom", message => {
    if (message.kind === "rows") { store.replace(message); store.changed("rows"); }
    if (message.kind === "log") { store.log = message.lines; store.changed("log"); }
  });
  const tick = () => { store.now = model.get("summary").seconds || 0; store.seenAt = performance.now(); };
  tick();
  model.on("change:summary", () => { store.gone = false; tick(); store.changed("summary"); });
  model.on("change:notice", () => store.changed("summary"));
  // The page closes the connection to a kernel that has ended or was restarted; what comes later comes from a new one.
  store.gone = false;
  model.on("comm_live_update", () => { store.gone = true; store.changed("gone"); });
  return store;
}

// -- elements and texts --

const badge = of => h("span", { class: "sfl-badge", style: { color: of.colour } }, `${of.glyph} ${of.word}`);
const numbered = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

// -- the view --

function render({ model, el }) {
  const store = storeOf(model), { chosen } = store;
  const views = { chart: chart(store, model, select), tasks: taskTable(store, model, select),
    failures: failureList(model), output: output(store, model) };
  const head = h("div"), actions = actionRow(model), notice = h("div", { role: "status", class: "sfl-quiet" });
  const detail = h("div", { role: "status" });
  const tabs = tabList(views, chosen, show);
  const root = h("section", { class: "sfl-live mathjax_ignore tex2jax_ignore" }, head, actions.element, notice,
    tabs.element, ...Object.values(views).map(view => view.panel), detail);
  for (const kind of ["keydown", "keyup", "keypress"]) root.addEventListener(kind, event => event.stopPropagation());
  el.append(root);

  function select(event) {
    chosen.selected = event;
    drawDetail(); views.chart.draw(); views.tasks.draw();
  }
  function show(name) {
    chosen.tab = name;
    for (const [key, view] of Object.entries(views)) view.panel.hidden = key !== name;
    tabs.mark(name);
    detail.hidden = name === "failures" || name === "output";
    views[name].draw(); views[name].shown?.(true);
    if (name !== "output") views.output.shown(false);
  }
  function drawHead() {
    const summary = model.get("summary"), total = summary.counts.reduce((sum, of) => sum + of.number, 0);
    const words = summary.counts.map(of => `${of.glyph} ${of.number.toLocaleString("en")} ${of.word}`).join(", ");
    const bar = h("div", { class: "sfl-bar", role: "img", "aria-label": words || "no tasks yet" },
      ...summary.counts.map(of => h("div", { style: { width: `${100 * of.number / total}%`, background: of.colour } })));
    const { lines } = summary.waits;
    fill(head,
      h("header", {}, h("h3", {}, summary.title.type), badge(store.gone && summary.open ? { ...summary.status, glyph: "?", word: `was ${summary.status.word}` } : summary.status), h("span", {}, summary.title.workflow_id),
        h("span", { class: "sfl-quiet" }, `${duration(summary.seconds)}, ${numbered(summary.events, "event")}`
          + (summary.run > 1 ? `, run ${summary.run} that is shown here` : ""))),
      bar, h("div", {}, `${numbered(total, "task")}${words ? `: ${words}` : " yet"}`,
        summary.running.length ? h("span", { class: "sfl-quiet" }, `: ${summary.running.join(", ")}`) : ""),
      ...summary.reports.map(line => h("div", {}, line)),
      lines.length ? h("div", { class: "sfl-banner" }, h("strong", {}, "waits for"),
        h("ul", {}, ...lines.map(line => h("li", {}, line)))) : null,
      summary.explained.length ? h("ul", { class: "sfl-explained" },
        ...summary.explained.map(line => h("li", {}, line)), age(summary)) : null,
      summary.warnings.length ? h("div", { class: "sfl-banner", style: { borderColor: "#dd8a1c" } },
        h("strong", {}, `⚠ ${numbered(summary.warnings.length, "warning")}`),
        h("ul", {}, ...summary.warnings.map(line => h("li", {}, line)))) : null);
    actions.update(summary);
    notice.textContent = model.get("notice");
    tabs.label("tasks", `Tasks: ${numbered(store.rows.length, "attempt")}`);
    tabs.label("failures", `Failures: ${numbered(summary.failed, "attempt")}`);
  }
  function drawDetail() {
    const at = store.index.get(chosen.selected), row = at === undefined ? null : store.rows[at];
    if (!row) { detail.replaceChildren(); return; }
    const { field } = store, of = styleOf(model, row[field.state]);
    fill(detail, h("div", { class: "sfl-banner", style: { borderColor: of.colour } },
      h("strong", {}, row[field.id]), row[field.attempt] > 1 ? ` attempt ${row[field.attempt]} ` : " ", badge(of),
      ` ${row[field.flag]} on ${row[field.task_list] || "–"}, worker ${row[field.worker] || "–"}, `,
      `waited ${duration(waiting(store, row))}, ran ${duration(running(store, row))}`,
      row[field.outcome] ? h("pre", {}, row[field.outcome]) : null));
  }
  const listener = what => {
    if (what === "gone") { drawHead(); look(); return; }
    if (what === "log") { if (chosen.tab === "output") views.output.draw(); return; }
    drawHead(); views[chosen.tab].draw();
    if (what === "rows") drawDetail();
  };
  store.listeners.add(listener);
  drawHead(); drawDetail(); show(chosen.tab);
  say(model, { kind: "shown" });
  // An open execution is told of several times a second; without news there is no kernel, or it has no time.
  const stale = h("div", { class: "sfl-banner", role: "status", hidden: true });
  head.after(stale);
  function look() {
    const silent = (performance.now() - store.seenAt) / 1000;
    stale.hidden = !store.gone && (!model.get("summary").open || silent < SILENT);
    actions.disable(!stale.hidden);
    if (!stale.hidden) stale.textContent = (store.gone ? "⚠ its kernel has gone: it ended or was restarted; "
      : `⚠ no news from the kernel for ${duration(silent)}: if it has ended or was restarted, `)
      + "run the cell again; the execution may go on elsewhere";
  }
  look();
  const watch = setInterval(look, 1000);
  return () => {
    clearInterval(watch);
    store.listeners.delete(listener);
    for (const view of Object.values(views)) view.dispose?.();
    say(model, { kind: "hidden" });
  };
}

// An explanation takes the whole history, so that of a long one is made less often.
const age = summary => summary.open && summary.seconds - summary.explained_at > 5
  ? h("li", { class: "sfl-quiet" }, `told ${duration(summary.explained_at)} after its start`) : null;
const styleOf = (model, state) => model.get("styles")[state] || { word: state, glyph: "?", colour: "#8b95a5" };
const clock = (store, open) => open ? store.now + Math.min((performance.now() - store.seenAt) / 1000, 2) : store.now;
const waiting = (store, row) => {
  const { field } = store;
  return (row[field.started] ?? row[field.closed] ?? store.now) - row[field.scheduled];
};
const ran = (store, row) => row[store.field.started] !== null || row[store.field.kind] === "timer";
const isQueued = (store, row) => row[store.field.closed] === null && !ran(store, row);
const running = (store, row) => {
  const { field } = store;
  return row[field.started] === null ? null : (row[field.closed] ?? store.now) - row[field.started];
};

function tabList(views, chosen, show) {
  const titles = { chart: "Gantt chart", tasks: "Tasks", failures: "Failures", output: "Output" };
  const names = Object.keys(views), buttons = {};
  for (const name of names) {
    buttons[name] = h("button", { role: "tab", id: `${views[name].panel.id}-tab`, "aria-controls": views[name].panel.id,
      onclick: () => show(name),
      onkeydown: event => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = names[(names.indexOf(name) + step + names.length) % names.length];
        show(next); buttons[next].focus();
      } }, titles[name]);
    views[name].panel.setAttribute("role", "tabpanel");
    views[name].panel.setAttribute("aria-labelledby", buttons[name].id);
  }
  return {
    element: h("div", { role: "tablist" }, ...names.map(name => buttons[name])),
    label: (name, text) => { if (buttons[name].textContent !== text) buttons[name].textContent = text; },
    mark: shown => names.forEach(name => {
      buttons[name].setAttribute("aria-selected", String(name === shown));
      buttons[name].tabIndex = name === shown ? 0 : -1;
    }),
  };
}

let panels = 0;
const panelId = () => `sfl-live-panel-${++panels}`;

// -- acting --

function actionRow(model) {
  const act = (action, more = {}) => say(model, { kind: "act", action, ...more });
  const cancel = askingButton("Cancel…", "Request cancellation?", () => act("cancel"));
  const terminate = askingButton("Terminate…", "End it now?", () => act("terminate"));
  const restart = askingButton("Restart…", "Start it again?", () => act("restart"));
  const fork = askingButton("Go on from the first failure…", "Start a fork of it?", () => act("fork"));
  fork.title = "a new execution reuses the results that were there before the first failure, and runs the rest again";
  const names = h("datalist", { id: panelId() });
  const name = h("input", { list: names.id, placeholder: "signal", "aria-label": "name of the signal", size: 14 });
  const input = h("input", { placeholder: "its input, as JSON", "aria-label": "input of the signal", size: 18 });
  const to = h("select", { "aria-label": "who gets the signal", hidden: true });
  const send = h("button", { type: "button" }, "Send signal");
  const signal = () => {
    const text = input.value.trim();
    input.setCustomValidity("");
    if (text) {
      try { JSON.parse(text); }
      catch { input.setCustomValidity("this is no JSON: a text needs its quotes"); input.reportValidity(); return; }
    }
    if (!name.value) { name.focus(); return; }
    act("signal", { name: name.value, input: text, to: to.value });
    input.value = "";
  };
  send.addEventListener("click", signal);
  input.addEventListener("keydown", event => { if (event.key === "Enter") signal(); });
  const whileOpen = h("span", { class: "sfl-row" }, cancel, terminate, name, names, input, to, send);
  const element = h("div", { class: "sfl-row" }, whileOpen, fork, restart);
  let offered = "";
  const disable = off => { for (const one of [cancel, terminate, send, fork, restart]) one.disabled = off; };
  return { element, disable, update: summary => {
    whileOpen.hidden = !summary.open;
    fork.hidden = summary.open || !summary.failed || summary.status.word === "COMPLETED";
    restart.ask = summary.open ? "End it, and start it again?" : "Start it again?";
    const offers = [...summary.waits.signals.map(value => ["", value]), ...summary.waits.below];
    if (offered === JSON.stringify(offers)) return;
    offered = JSON.stringify(offers);
    names.replaceChildren(...[...new Set(offers.map(([, value]) => value))].map(value => h("option", { value })));
    const chosen = to.value, below = [...new Set(summary.waits.below.map(([child]) => child))];
    to.replaceChildren(...["", ...below].map(value => h("option", { value }, value ? `to ${value}` : "to this execution")));
    to.hidden = !below.length;
    to.value = below.includes(chosen) ? chosen : "";
    if (offers.length && (!name.value || name.dataset.offered === name.value)) {
      [to.value, name.value] = offers[0]; name.dataset.offered = name.value;
    }
  } };
}

function askingButton(text, question, act) {
  let timer = null;
  const ask = on => {
    clearTimeout(timer); timer = on ? setTimeout(() => ask(false), 5000) : null;
    button.textContent = on ? button.ask || question : text; button.classList.toggle("sfl-sure", on);
  };
  const button = h("button", { type: "button", onclick: () => { if (timer) { ask(false); act(); } else ask(true); },
    onkeydown: event => { if (event.key === "Escape") ask(false); }, onblur: () => ask(false) }, text);
  return button;
}

// -- the Gantt chart --

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
      lane.ends[at] = Math.max(lane.ends[at], row[field.closed] ?? Infinity);
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
    for (let k = 0; k <= 5; k++) {
      const at = from + (to - from) * k / 5;
      g.textAlign = k === 5 ? "right" : k ? "center" : "left";
      if (at >= 0) g.fillText(duration(at), x(at), height - AXIS / 2);
    }
    g.textAlign = "left";
    g.save(); g.beginPath(); g.rect(LABELS, 0, width - LABELS, height); g.clip();
    for (const lane of plan.lanes) for (let k = 0; k < lane.bars.length; k += 2) {
      const row = rows[lane.bars[k]], began = row[field.scheduled], closed = row[field.closed] ?? until;
      if (closed < from || began > to) continue;
      const top = (lane.top + lane.bars[k + 1]) * line, thick = Math.max(line - 1.5, 2);
      const started = ran(store, row) ? row[field.started] ?? began : closed, of = styleOf(model, row[field.state]), left = x(started);
      g.fillStyle = of.colour;
      if (started > began) { g.globalAlpha = .25; g.fillRect(x(began), top + thick / 3, Math.max((started - began) * scale, .5), thick / 3); g.globalAlpha = 1; }
      const wide = Math.max((closed - started) * scale, 1.5);
      if (!isQueued(store, row)) { g.globalAlpha = row[field.kind] === "timer" ? .5 : 1; g.fillRect(left, top, wide, thick); g.globalAlpha = 1; }
      if (row[field.closed] !== null && row[field.state] !== "completed" && row[field.state] !== "fired" && thick > 3) {
        g.strokeStyle = css.color; g.beginPath(); g.moveTo(left + wide - 3, top); g.lineTo(left + wide + 3, top + thick);
        g.moveTo(left + wide + 3, top); g.lineTo(left + wide - 3, top + thick); g.stroke();
      }
      if (row[field.event] === chosen.selected) { g.strokeStyle = css.color; g.lineWidth = 2; g.strokeRect(Math.min(x(began), left) - 1, top - .5, Math.max(x(closed) - x(began), 2) + 2, thick + 1); g.lineWidth = 1; }
    }
    g.fillStyle = css.color;
    for (const lane of plan.lanes) if (lane.queued.length && line >= 10) {
      g.fillText(`${lane.queued.length.toLocaleString("en")} not started`, LABELS + 4, (lane.top + lane.ends.length + .5) * line);
    }
    g.restore();
    canvas.setAttribute("aria-label", `Gantt chart of ${numbered(rows.length, "task")} in ${numbered(plan.lanes.length, "lane")}, `
      + `from ${duration(Math.max(from, 0))} to ${duration(to)}; arrows move, plus and minus zoom, 0 shows all`);
    panel.dataset.paintMs = (performance.now() - began).toFixed(1);
  }
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
    tip.textContent = row ? `${row[field.id]}, ${styleOf(model, row[field.state]).word}: waited ${duration(waiting(store, row))}, ran ${duration(running(store, row))}` : " ";
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

function fitted(g, text, width) {
  if (g.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && g.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return `${text.slice(0, length)}…`;
}

// -- the table of tasks: only the rows in sight are elements --

const ORDER = ["failed", "timed_out", "schedule_failed", "start_failed", "terminated", "canceled", "started", "scheduled", "initiated"];
const rank = state => { const at = ORDER.indexOf(state); return at < 0 ? ORDER.length : at; };

function taskTable(store, model, select) {
  const { chosen, field } = store;
  const columns = [
    ["state", "state", row => row[field.state], "14%"], ["task", "id", row => row[field.id], "20%"],
    ["attempt", "attempt", row => row[field.attempt], "7%"], ["scheduled", "scheduled", row => row[field.scheduled], "9%"],
    ["waited", "waited", row => waiting(store, row), "9%"], ["ran", "ran", row => running(store, row) ?? -1, "9%"],
    ["worker", "worker", row => row[field.worker], "14%"], ["result or reason", "outcome", row => row[field.outcome], "18%"],
  ];
  const number = new Set(["attempt", "scheduled", "waited", "ran"]);
  const text = {
    state: row => { const of = styleOf(model, row[field.state]); return `${of.glyph} ${of.word}${row[field.flag] === "unhandled" ? " ⚠" : ""}`; },
    scheduled: row => duration(row[field.scheduled]), waited: row => duration(waiting(store, row)),
    ran: row => duration(running(store, row)),
  };
  const filter = h("input", { type: "search", placeholder: "filter", "aria-label": "filter the tasks", value: chosen.filter });
  const states = h("select", { "aria-label": "state of the tasks" });
  const info = h("span", { role: "status", class: "sfl-quiet" });
  const head = h("tr"), body = h("tbody"), above = h("div"), below = h("div");
  const table = h("table", { role: "grid" }, h("thead", {}, head), body);
  const box = h("div", { class: "sfl-table", tabindex: 0, "aria-label": "tasks" }, above, table, below);
  const panel = h("div", { id: panelId() }, h("div", { class: "sfl-row" }, filter, states, info), box);
  let order = [], ordered = "", asked = 0;
  filter.addEventListener("input", () => { chosen.filter = filter.value; draw(); });
  states.addEventListener("change", () => { chosen.state = states.value; draw(); });
  box.addEventListener("scroll", () => { chosen.scroll = box.scrollTop; draw(); });
  body.addEventListener("click", event => {
    const row = event.target.closest("tr");
    if (row) select(Number(row.dataset.event));
  });
  box.addEventListener("keydown", event => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !order.length) return;
    event.preventDefault();
    const at = order.findIndex(i => store.rows[i][field.event] === chosen.selected);
    const next = Math.min(Math.max(at + step, 0), order.length - 1);
    if (next * ROW_HEIGHT < box.scrollTop) box.scrollTop = next * ROW_HEIGHT;
    if ((next + 2) * ROW_HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = (next + 2) * ROW_HEIGHT - box.clientHeight;
    select(store.rows[order[next]][field.event]);
  });
  function sortBy(key) { chosen.down = chosen.sort === key && !chosen.down; chosen.sort = key; drawHead(); draw(); }
  function drawHead() {
    head.replaceChildren(...columns.map(([title, key, , width]) => h("th", { scope: "col", style: { width },
      "aria-sort": chosen.sort === key ? (chosen.down ? "descending" : "ascending") : "none" },
      h("button", { type: "button", onclick: () => sortBy(key) },
        title + (chosen.sort === key ? (chosen.down ? " ▼" : " ▲") : "")))));
  }
  function arrange() {
    const { rows } = store, words = chosen.filter.toLowerCase().split(/\s+/).filter(Boolean), seen = new Map();
    order = [];
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i], state = row[field.state];
      seen.set(state, (seen.get(state) || 0) + 1);
      if (chosen.state && state !== chosen.state) continue;
      if (words.length) {
        const all = `${row[field.id]} ${row[field.name]} ${state} ${row[field.worker]} ${row[field.task_list]} ${row[field.outcome]}`.toLowerCase();
        if (!words.every(word => all.includes(word))) continue;
      }
      order.push(i);
    }
    const column = columns.find(([, key]) => key === chosen.sort);
    if (column) {
      const value = order.length ? new Map(order.map(i => [i, column[2](rows[i])])) : new Map(), sign = chosen.down ? -1 : 1;
      order.sort((a, b) => { const one = value.get(a), other = value.get(b); return (one > other ? 1 : one < other ? -1 : a - b) * sign; });
    } else order.sort((a, b) => rank(rows[a][field.state]) - rank(rows[b][field.state]) || a - b);
    const options = [["", "all states"], ...[...seen].map(([state, n]) => [state, `${styleOf(model, state).word} (${n.toLocaleString("en")})`])];
    states.replaceChildren(...options.map(([value, title]) => h("option", { value, selected: value === chosen.state }, title)));
    info.textContent = `${order.length.toLocaleString("en")} of ${numbered(rows.length, "attempt")}`;
  }
  function draw() { if (!asked) asked = requestAnimationFrame(() => { asked = 0; paint(); }); }
  function paint() {
    if (panel.hidden) return;
    const began = performance.now(), state = JSON.stringify([store.mark, chosen.filter, chosen.state, chosen.sort, chosen.down]);
    if (ordered !== state) { arrange(); ordered = state; }
    const fits = Math.ceil((box.clientHeight || 320) / ROW_HEIGHT) + 4;
    const first = Math.max(Math.min(Math.floor(chosen.scroll / ROW_HEIGHT) - 2, order.length - fits), 0);
    const shown = order.slice(first, first + fits);
    above.style.height = `${first * ROW_HEIGHT}px`;
    below.style.height = `${Math.max(order.length - first - shown.length, 0) * ROW_HEIGHT}px`;
    table.setAttribute("aria-rowcount", order.length + 1);
    body.replaceChildren(...shown.map((i, k) => {
      const row = store.rows[i];
      return h("tr", { "aria-rowindex": first + k + 2, "data-event": row[field.event],
        "aria-selected": String(row[field.event] === chosen.selected) },
        ...columns.map(([, key, value]) => {
          const cell = text[key] ? text[key](row) : String(value(row) ?? "");
          const colour = key === "state" ? { color: styleOf(model, row[field.state]).colour } : {};
          return h("td", { class: number.has(key) ? "sfl-number" : "", title: cell, style: colour }, cell);
        }));
    }));
    if (box.scrollTop !== chosen.scroll) box.scrollTop = chosen.scroll;
    panel.dataset.paintMs = (performance.now() - began).toFixed(1);
  }
  drawHead();
  return { panel, draw, dispose: () => cancelAnimationFrame(asked) };
}

// -- failures and output --

function failureList(model) {
  const panel = h("div", { id: panelId() });
  let drawn = null;
  return { panel, draw: () => {
    const { failures, failed } = model.get("summary"), state = JSON.stringify(failures);
    if (drawn === state) return;  // what the reader opened stays open
    drawn = state;
    const open = new Set([...panel.querySelectorAll("details[open]")].map(item => item.dataset.event));
    fill(panel, ...failures.map(failure => h("details", { "data-event": failure.event, open: open.has(String(failure.event)) },
      h("summary", {}, badge(styleOf(model, failure.state)), ` ${failure.id}`,
        failure.attempt > 1 ? `, attempt ${failure.attempt}` : "", failure.flag ? `, ${failure.flag}` : "",
        failure.reason ? `: ${failure.reason}` : ""),
      h("pre", {}, failure.details || "no details were recorded"))),
      failed > failures.length ? h("div", { class: "sfl-quiet" }, `and ${numbered(failed - failures.length, "earlier failed attempt")}`) : null,
      failures.length ? null : h("div", { class: "sfl-quiet" }, "no task has failed"));
  } };
}

function output(store, model) {
  const text = h("pre", { tabindex: 0, "aria-label": "output" }), panel = h("div", { id: panelId() }, text);
  let asked = false;
  return { panel,
    draw: () => {
      const atEnd = text.scrollTop + text.clientHeight >= text.scrollHeight - 4;
      text.textContent = store.log === null ? "…" : store.log.join("\n");
      if (atEnd) text.scrollTop = text.scrollHeight;
    },
    shown: shown => { if (asked !== shown) { asked = shown; say(model, { kind: "log", shown }); } },
    dispose: () => { if (asked) say(model, { kind: "log", shown: false }); } };
}

export default { initialize: ({ model }) => { storeOf(model); }, render };
