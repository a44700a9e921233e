// The live view of one execution: its state, what it waits for, a Gantt chart, a table of its tasks, its failures and
// its output, and what can be done about it.
//
// A model has one store: the rows of the tasks, which the kernel sends once and then as they change, and what the reader
// has chosen (tab, zoom, filter, order, selection), which so outlives that the output is drawn again. Every text of a
// history goes into a text node or onto a canvas, never into markup. The chart is in live_chart.js, its rows in lanes.js,
// the table in live_tasks.js; they stand before this file in one module.

const SILENT = 15;          // seconds without news after which the reader is told
const LINEAGE_EVERY = 2000; // milliseconds between two questions for the lineage of the selected task, as others change

// -- the store of a model --

function newStore(model) {
  const field = Object.fromEntries(model.get("fields").map((name, i) => [name, i]));
  const store = {
    field, rows: [], index: new Map(), touched: [], mark: 0, log: null, lineage: null, lineageAskedAt: 0, listeners: new Set(), now: 0, seenAt: performance.now(),
    chosen: { tab: "chart", lanes: "name", zoom: null, filter: "", state: "", sort: "", down: false, selected: null,
      scroll: 0 },
  };
  store.put = rows => {
    for (const row of rows) {
      const at = store.index.get(row[field.event]) ?? store.rows.length;
      store.index.set(row[field.event], at); store.rows[at] = row; store.touched.push(at);
    }
  };
  store.replace = ({ mark, rows }) => { store.rows = []; store.touched = []; store.index.clear(); store.put(rows); store.mark = mark; };
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
  model.on("destroy", () => { store.replace({ mark: 0, rows: [] }); model.set("rows", null); });  // JupyterLab keeps the model
  model.on("msg:custom", message => {
    if (message.kind === "rows") { store.replace(message); store.changed("rows"); }
    if (message.kind === "lineage") {
      store.lineage = { ...message, before: new Set(message.before), after: new Set(message.after) };
      store.changed("lineage");
    }
    if (message.kind === "log") { store.log = message.lines; store.changed("log"); }
  });
  // The tasks that the selected one depended on, and those that depended on it: the kernel knows.
  store.askLineage = () => {
    if (store.chosen.selected === null) { store.lineage = null; return; }
    store.lineageAskedAt = performance.now();
    say(model, { kind: "lineage", event: store.chosen.selected });
  };
  store.relation = row => {
    const { lineage, chosen } = store, event = row[field.event];
    if (!lineage || lineage.event !== chosen.selected) return "";
    return event === chosen.selected ? "self" : lineage.before.has(event) ? "before" : lineage.after.has(event) ? "after"
      : lineage.before.size || lineage.after.size ? "other" : "";  // beside one that stands alone nothing is pale
  };
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
  const store = storeOf(model, newStore), { chosen } = store;
  drawn.add(model.get("identity"));
  const views = { chart: chart(store, model, select), tasks: taskTable(store, model, select),
    failures: failureList(model), output: output(store, model) };
  const head = h("div"), actions = actionRow(model), notice = h("div", { role: "status", class: "sfl-quiet" });
  const detail = h("div", { role: "status", tabindex: -1 });
  const tabs = tabList(views, chosen, show);
  const spoken = h("div", { role: "status", class: "sfl-spoken" });  // for a screen reader: what matters, once each time
  const root = h("section", { class: "sfl-live mathjax_ignore tex2jax_ignore",
    "aria-label": `live view of ${model.get("summary").title.workflow_id}`, "data-place": model.get("place") }, spoken, head, actions.element, notice,
    tabs.element, ...Object.values(views).map(view => view.panel), detail);
  takeKeys(root);
  holdPressed(root);
  el.append(root);

  function select(event) {
    if (chosen.selected !== event) { chosen.selected = event; store.lineage = null; store.askLineage(); }
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
        summary.running.length ? h("span", { class: "sfl-quiet" }, `: ${summary.running.join(", ")}`) : "",
        summary.reused ? `, ${summary.reused.toLocaleString("en")} reused` : ""),
      ...summary.reports.map(line => h("div", {}, line)),
      lines.length ? h("div", { class: "sfl-banner" }, h("strong", {}, "waits for"),
        h("ul", { "aria-label": "waits for" }, ...lines.map(line => h("li", {}, line)))) : null,
      summary.explained.length ? h("ul", { class: "sfl-explained", "aria-label": "explanation" },
        ...summary.explained.map(line => h("li", {}, line)), age(summary)) : null,
      summary.warnings.length ? h("div", { class: "sfl-banner", style: { borderColor: "#dd8a1c" } },
        h("strong", {}, `⚠ ${numbered(summary.warnings.length, "warning")}`),
        h("ul", {}, ...summary.warnings.map(line => h("li", {}, line)))) : null);
    actions.update(summary);
    const { signals, blocked } = summary.waits, says = `${summary.status.word}, ${numbered(summary.failed, "failed attempt")}`
      + (signals.length ? `, waits for signal ${visible(signals.join(", "))}` : "") + (blocked ? ", a decision is blocked" : "");
    if (spoken.textContent !== says) spoken.textContent = says;
    notice.textContent = visible(model.get("notice"));
    tabs.label("tasks", `Tasks: ${numbered(store.rows.length, "attempt")}`);
    tabs.label("failures", `Failures: ${numbered(summary.failed, "attempt")}`);
  }
  function drawDetail() {
    const at = store.index.get(chosen.selected), row = at === undefined ? null : store.rows[at];
    if (!row) { fill(detail); return; }
    const { field } = store, of = styleOf(model, row[field.state]);
    fill(detail, h("div", { class: "sfl-banner", style: { borderColor: of.colour } },
      h("strong", {}, row[field.id]), row[field.attempt] > 1 ? ` attempt ${row[field.attempt]} ` : " ", badge(of),
      ` ${row[field.flag]} on ${row[field.task_list] || "–"}, worker ${row[field.worker] || "–"}, `,
      `waited ${duration(waiting(store, row))}, ran ${duration(running(store, row))}`,
      row[field.outcome] ? h("pre", {}, row[field.outcome]) : null,
      neighbours(store, "needed", "before", store.lineage?.likely ? "depended, it seems, on" : "depended on", select),
      neighbours(store, "dependents", "after", "on it depended", select)));
  }
  const listener = what => {
    if (what === "gone") { drawHead(); look(); return; }
    if (what === "log") { if (chosen.tab === "output") views.output.draw(); return; }
    drawHead(); views[chosen.tab].draw();
    if (what === "rows" || what === "lineage") drawDetail();
    if (what === "rows" && chosen.selected !== null && performance.now() - store.lineageAskedAt > LINEAGE_EVERY) store.askLineage();
  };
  store.listeners.add(listener);
  drawHead(); drawDetail(); show(chosen.tab);
  say(model, { kind: "shown" });
  // News of an open execution come several times a second; without news there is no kernel, or it has no time.
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
    root.remove();  // JupyterLab keeps the place of a view for ever
    say(model, { kind: "hidden" });
  };
}

// A line of the detail of the selected task: on what it depended, or what depended on it, each a button that selects it.
function neighbours(store, direct, all, words, select) {
  const { lineage, chosen, field } = store;
  if (!lineage || lineage.event !== chosen.selected) return null;
  const named = lineage[direct].map(event => store.index.get(event)).filter(at => at !== undefined).map(at => store.rows[at]);
  const more = lineage[all].size - named.length;
  return h("div", { class: "sfl-row" }, h("span", {}, named.length ? `${words}:` : `${words} nothing`),
    ...named.map(row => h("button", { type: "button", onclick: () => select(row[field.event]) },
      row[field.attempt] > 1 ? `${row[field.id]} (${row[field.attempt]})` : row[field.id])),
    named.length && more > 0 ? h("span", { class: "sfl-quiet" }, `and ${more.toLocaleString("en")} more`) : null);
}

// An explanation takes the whole history, so that of a long one is made less often.
const age = summary => summary.open && summary.seconds - summary.explained_at > 5
  ? h("li", { class: "sfl-quiet" }, `said ${duration(summary.explained_at)} after its start`) : null;
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
    element: h("div", { role: "tablist", "aria-label": "parts of the view" }, ...names.map(name => buttons[name])),
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
  const retry = h("button", { type: "button", title: "the blocked decision is made again now, not after its pause",
    onclick: () => act("retry") }, "Retry decision");
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
  const whileOpen = h("span", { class: "sfl-row" }, retry, cancel, terminate, name, names, input, to, send);
  const element = h("div", { class: "sfl-row" }, whileOpen, fork, restart);
  let offered = "";
  const disable = off => { for (const one of [retry, cancel, terminate, send, fork, restart]) one.disabled = off; };
  return { element, disable, update: summary => {
    whileOpen.hidden = !summary.open;
    retry.hidden = !summary.waits.blocked;
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
    onkeydown: event => { if (event.key === "Escape" && timer) { event.preventDefault(); ask(false); } }, onblur: () => ask(false) }, text);
  return button;
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
      text.textContent = store.log === null ? "…" : visible(store.log.join("\n"));
      if (atEnd) text.scrollTop = text.scrollHeight;
    },
    shown: shown => { if (asked !== shown) { asked = shown; say(model, { kind: "log", shown }); } },
    dispose: () => { if (asked) say(model, { kind: "log", shown: false }); } };
}

export default { initialize: ({ model }) => { storeOf(model, newStore); drawIfGivenUp(model); }, render };
