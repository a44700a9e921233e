// The debugger's view of one replay: a slider over its steps, the source with what ran and where it waits, and beside it
// the variables, futures, commands, events and output of the current step, with a Gantt chart that marks its moment.
//
// The kernel sends one step at a time, and only what changed; the page asks for the next one when it has the answer to
// the one before, so that a slider that is drawn shows what it can. Every text of a history goes into a text node or
// onto a canvas, never into markup. What the reader chose (file, selection, filter) stays with the model.

const NEWS = 2000;        // milliseconds between two questions whether the execution went on
const SILENT = 10;        // seconds without an answer after which the reader is told
const FUTURE_ROW = 24;    // height of a row of the table of futures, in pixels, as in debugger_view.css
const PAGE = 200;         // futures that the kernel sends at once
const MARKS = { d: ["⚠", "differs", "#dd8a1c"], f: ["✗", "a failure", "#d1495b"], s: ["▾", "a signal", "#9d78c2"],
  p: ["·", "printed", "#8b95a5"] };
const KEYS = [
  ["← →", "step back, step forward"], ["PageUp PageDown", "ten steps back, ten forward"], ["Home End", "first step, last step"],
  ["f  F", "first failure, next failure"], ["d", "where the code differs from the history"],
  ["e", "to the step of an event"], ["l", "to a line, as 12 or flows.py:12"],
  ["c", "to a condition, as total > 5 or len(step.commands) > 2; with Shift+Enter backwards, as for a line"],
  ["p", "to where another execution parts from this one"], ["u", "filter the futures"],
  ["↑ ↓", "the future before, the next one, when the table of futures has the focus"],
  ["r", "replay again: the history and the code as they are now"], ["Esc", "stop to look, close this, forget the selection; once more: back to the notebook"],
  ["?", "this list"],
];
let numbered = 0;
const newId = () => `sfl-debugger-${++numbered}`;

// -- the store of a model: what the reader chose, and what is asked of the kernel --

function newStore(model) {
  const store = { file: null, future: null, line: null, scroll: 0, waits: null, wanted: null, ids: 0, since: 0, asks: null, asksNews: false };
  // What is asked while an answer is on its way is asked then; of several moves of the slider only the last.
  store.move = message => {
    if (store.waits !== null) { store.asks = message; return; }
    store.waits = ++store.ids; store.since = performance.now(); store.asks = null;
    say(model, { ...message, id: store.waits });
  };
  model.on("msg:custom", message => {
    if (message.kind === "told") store.asksNews = false;
    if (message.kind !== "answered") return;
    store.waits = null;
    if (store.asks !== null) store.move(store.asks);
    else store.wanted = null;
  });
  return store;
}

// -- elements and texts --

const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const more = (all, sent) => all > sent ? h("div", { class: "sfl-quiet" }, `and ${(all - sent).toLocaleString("en")} more`) : null;

function badge([glyph, word, colour]) {
  return h("span", { class: "sfl-badge" }, h("span", { style: { color: colour }, "aria-hidden": "true" }, `${glyph} `), word);
}

// -- the view --

function render({ model, el }) {
  const store = storeOf(model, newStore);
  drawn.add(model.get("identity"));
  const parts = [head(model, store, pick), slider(model, store), moves(model, store)];
  const source = sourcePane(model, store, pick), panes = [source, variables(model), futures(model, store, pick),
    commands(model, pick), events(model, store), output(model)];
  const gantt = chart(model, store, pick);
  const help = helpBox();
  const stale = h("div", { class: "sfl-banner", role: "status", hidden: true });
  const root = h("section", { class: "sfl-debugger mathjax_ignore tex2jax_ignore", tabindex: 0, "data-place": model.get("place"),
    "data-lm-suppress-shortcuts": "true", "aria-label": `debugger of ${model.get("overview").title}; press ? for its keys` },
    ...parts.map(part => part.element), help.element, stale,
    h("div", { class: "sfl-panes" }, ...[[0, 5], [1, 3], [2, 4]].map(column =>
      h("div", { class: "sfl-column" }, ...column.map(i => panes[i].element)))), gantt.element);
  el.append(root);
  const all = [...parts, ...panes, gantt];

  function go(to) {
    const { total } = model.get("overview");
    store.wanted = Math.min(Math.max(to, 1), total);
    parts[1].draw();
    store.move({ kind: "go", to: store.wanted });
  }
  const at = () => store.wanted ?? model.get("shown").number;
  parts[1].go = go;

  // A future, or a line, that was clicked: its line, its events and its bar are marked.
  function pick({ future, line }) {
    if (future !== undefined) store.future = future;
    store.line = line === undefined ? future?.line ?? store.line : line;
    if (store.line) store.file = store.line[0];
    for (const part of all) part.draw();
    if (store.line) source.reveal(store.line[1]);
  }

  const actions = {
    ArrowRight: () => go(at() + 1), ArrowLeft: () => go(at() - 1), PageDown: () => go(at() + 10), PageUp: () => go(at() - 10),
    Home: () => go(1), End: () => go(model.get("overview").total),
    f: () => store.move({ kind: "failure", after: 0 }), F: () => store.move({ kind: "failure", after: at() }),
    d: () => store.move({ kind: "divergence" }), r: () => store.move({ kind: "reload" }),
    e: () => parts[2].focus("event"), l: () => parts[2].focus("line"), c: () => parts[2].focus("condition"),
    p: () => parts[2].focus("parting"), u: () => panes[2].focus(), "?": () => help.toggle(),
    Escape: () => { say(model, { kind: "stop" }); help.toggle(false); pick({ future: null, line: null });
      if (document.activeElement === root) leave(root); else root.focus(); },
  };
  root.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input:not([type='range']), select, textarea");
    const act = typing && event.key !== "Escape" ? null : actions[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  takeKeys(root);
  holdPressed(root);
  root.addEventListener("sfl-go", event => { event.stopPropagation(); actions[event.detail](); });

  const followed = ["overview", "shown", "details", "futures", "sources", "notice", "busy", "opened", "news"];
  let asked = 0, charted = 0;
  const changed = () => { if (!asked) asked = requestAnimationFrame(paint); };
  let painted = null;
  function paint() {
    asked = 0;
    const began = performance.now(), { number } = model.get("shown");
    if (painted !== number) {  // another step: the source shows where it waits
      painted = number;
      if (!store.future) { store.line = null; store.file = null; }
    }
    for (const part of all) if (part !== gantt) part.draw();
    if (!store.line) source.reveal();
    root.dataset.step = number;
    if (!charted) charted = requestAnimationFrame(() => { charted = 0; gantt.draw(); });  // many bars: behind the texts
    root.dataset.paintMs = (performance.now() - began).toFixed(1);
  }
  for (const name of followed) model.on(`change:${name}`, changed);
  paint();
  let hasSize = false;
  const forget = whenResized(root, () => {
    parts[1].draw(); gantt.draw();
    if (hasSize || !root.clientHeight) return;
    hasSize = true;
    if (!store.line) source.reveal();  // before, nothing could be scrolled
  });
  const watch = setInterval(() => {
    const silent = store.waits === null ? 0 : (performance.now() - store.since) / 1000;
    stale.hidden = silent < SILENT || model.get("busy") !== "";
    if (!stale.hidden) stale.textContent = `⚠ no answer from the kernel for ${duration(silent)}: it may be busy with a cell; `
      + "if it has ended or was restarted, run the cell again";
  }, 1000);
  // Whoever looks at an open execution is told when it has gone on; nothing moves by itself.
  let isSeen = false;
  const sight = new IntersectionObserver(entries => { isSeen = entries.at(-1).isIntersecting; });
  sight.observe(root);
  const listen = setInterval(() => {
    if (!model.get("overview").open || !isSeen || document.hidden || store.asksNews || store.waits !== null) return;
    store.asksNews = true;
    say(model, { kind: "news" });
  }, NEWS);
  return () => {
    clearInterval(listen); sight.disconnect();
    clearInterval(watch); forget(); cancelAnimationFrame(asked); cancelAnimationFrame(charted);
    for (const name of followed) model.off(`change:${name}`, changed);
    root.remove();  // JupyterLab keeps the place of a view for ever
  };
}

// -- head, slider, moves --

function head(model, store, pick) {
  const element = h("header");
  const raised = ({ text, lines }) => h("div", { class: "sfl-banner sfl-raised", role: "group", "aria-label": "traceback" },
    h("strong", {}, "✗ run raised "), text, ...lines.map(line => h("button", { type: "button", class: "sfl-item",
      title: "to this line", onclick: () => pick({ future: null, line }) }, line[2])));
  return { element, draw() {
    const news = model.get("news"), overview = model.get("overview"), shown = model.get("shown");
    fill(element, h("h3", {}, `step ${shown.number} of ${overview.total}`),
      h("span", { class: "sfl-trigger" }, "woken by ", h("strong", {}, shown.trigger)),
      shown.open ? badge(["▶", "open: how it would decide now", "#2a9d8f"]) : null,
      shown.close ? badge(["■", shown.refused ? `${shown.close}, refused: ${shown.refused}` : shown.close, "#8b95a5"]) : null,
      h("span", { class: "sfl-quiet" }, `${overview.title}, ${overview.workflow}, ${duration(shown.time)} after its start`),
      model.get("opened") ? h("span", { class: "sfl-quiet sfl-opened" }, `${model.get("opened")}; Home: the first step, End: the last`) : null,
      news ? h("button", { type: "button", class: "sfl-news", title: "replay again: the history and the code as they are now (r)",
        onclick: () => store.move({ kind: "reload" }) }, `▶ ${count(news, "new decision")} · r to read ${news === 1 ? "it" : "them"}`) : null,
      shown.edited?.length ? h("div", { class: "sfl-banner", role: "note" }, h("strong", {}, "⚠ the source was edited since: "), shown.edited.join("; ")) : null,
      ...(shown.at_once ?? []).map(text => h("div", { class: "sfl-quiet" }, text)),
      shown.raised ? raised(shown.raised) : null,
      shown.error ? h("div", { class: "sfl-banner sfl-error", role: "alert" }, h("strong", {}, "⚠ the steps end here: "), shown.error) : null);
  } };
}

function slider(model, store) {
  const marks = h("canvas", { class: "sfl-marks", height: 16, "aria-hidden": "true" });
  const range = h("input", { type: "range", min: 1, step: 1, "aria-label": "step" });
  const button = (text, title, key) => h("button", { type: "button", title: `${title} (${key})`, "aria-label": title,
    onclick: event => event.target.dispatchEvent(new CustomEvent("sfl-go", { bubbles: true, detail: key })) }, text);
  const help = h("button", { type: "button", title: "keys (?)", "aria-label": "keys", onclick: event =>
    event.target.dispatchEvent(new CustomEvent("sfl-go", { bubbles: true, detail: "?" })) }, "?");
  const element = h("div", { class: "sfl-slider" }, button("|◀", "first step", "Home"), button("◀", "step back", "ArrowLeft"),
    h("div", { class: "sfl-track" }, marks, range), button("▶", "step forward", "ArrowRight"),
    button("▶|", "last step", "End"), help);
  const part = { element, go: () => {}, draw() {
    const overview = model.get("overview"), at = store.wanted ?? model.get("shown").number;
    range.max = overview.total;
    if (Number(range.value) !== at) range.value = at;
    range.setAttribute("aria-valuetext", `step ${at} of ${overview.total}${MARKS[overview.marks[at - 1]] ? `, ${MARKS[overview.marks[at - 1]][1]}` : ""}`);
    drawMarks(overview);
  } };
  range.addEventListener("input", () => part.go(Number(range.value)));
  let drawn = "";
  function drawMarks({ marks: letters, total }) {
    const width = marks.parentElement.clientWidth || 600, state = `${width} ${letters}`;
    if (state === drawn) return;
    drawn = state;
    marks.width = width * devicePixelRatio; marks.height = 16 * devicePixelRatio;
    marks.style.width = `${width}px`;
    const g = marks.getContext("2d");
    g.scale(devicePixelRatio, devicePixelRatio);
    g.font = "12px sans-serif"; g.textAlign = "center";
    const end = {};
    for (const kind of ["p", "s", "f", "d"]) for (let i = 0; i < letters.length; i++) {
      if (letters[i] !== kind) continue;
      const x = total > 1 ? 8 + i / (total - 1) * (width - 16) : width / 2;
      if (x < (end[kind] ?? -9) + 3) continue;  // one mark for what lies so near
      end[kind] = x;
      g.fillStyle = MARKS[kind][2]; g.fillText(MARKS[kind][0], x, 12);
    }
  }
  return part;
}

function moves(model, store) {
  const fields = {};
  const field = (key, label, placeholder, size, send) => {
    const input = fields[key] = h("input", { placeholder, size, "aria-label": label, title: label,
      onkeydown: event => {
        if (event.key !== "Enter" || !input.value.trim()) return;
        event.preventDefault();
        send(input.value.trim(), event.shiftKey);
      } });
    return input;
  };
  const button = (text, title, message) => h("button", { type: "button", title, onclick: () => store.move(message()) }, text);
  const notice = h("span", { role: "status", class: "sfl-notice" });
  const stop = h("button", { type: "button", hidden: true, onclick: () => say(model, { kind: "stop" }) }, "Stop");
  const event = field("event", "to the step of this event", "event", 5, text => store.move({ kind: "event", event: /^#?\d{1,9}$/.test(text) ? Number(text.replace("#", "")) : text }));
  const element = h("div", { class: "sfl-row" }, h("span", { class: "sfl-quiet" }, "run to"), event,
    field("line", "to the next step in which this line ran; Shift+Enter: back", "line", 9,
      (text, backwards) => store.move({ kind: "line", line: text, backwards })),
    field("condition", "to the next step where this holds; Shift+Enter: back", "condition, as total > 5", 22,
      (text, backwards) => store.move({ kind: "condition", text, backwards })),
    field("parting", "to where this execution parts: a workflow id, a variable, a file", "other execution", 14,
      text => store.move({ kind: "parting", other: text })),
    button("✗ failure", "to the first failure (f)", () => ({ kind: "failure", after: 0 })),
    button("⚠ difference", "to where the code differs from the history (d)", () => ({ kind: "divergence" })),
    button("⟳", "replay again: the history and the code as they are now (r)", () => ({ kind: "reload" })), stop, notice);
  return { element, focus: key => { fields[key].focus(); fields[key].select(); }, draw() {
    const busy = model.get("busy");
    stop.hidden = !busy;
    notice.textContent = busy ? `${busy} …` : visible(model.get("notice"));
  } };
}

function helpBox() {
  const element = h("div", { class: "sfl-help", role: "dialog", "aria-label": "keys", hidden: true },
    h("dl", {}, ...KEYS.flatMap(([keys, text]) => [h("dt", {}, keys), h("dd", {}, text)])));
  return { element, toggle: on => { element.hidden = on === undefined ? !element.hidden : !on; } };
}

// -- panes --

function pane(title, ...children) {
  const id = newId(), heading = h("h4", { id }, title);
  return { heading, element: h("div", { class: "sfl-pane", role: "region", "aria-labelledby": id }, heading, ...children) };
}

// The source: one element for each line of the file that is shown; a step changes only classes and the gutter.
function sourcePane(model, store, pick) {
  const files = h("select", { "aria-label": "source file" });
  const code = h("div", { class: "sfl-code", tabindex: 0, "aria-label": "source" });
  const { element, heading } = pane("Source", code);
  heading.append(" ", files);
  element.classList.add("sfl-source");
  files.addEventListener("change", () => { store.file = files.value; draw(); reveal(); });
  let drawnFile = null, drawnText = null, rows = [], marked = new Map();

  function marks(file) {
    const shown = model.get("shown"), details = model.get("details"), found = new Map();
    const mark = (line, kind, text) => {
      if (!line || line[0] !== file) return;
      if (!found.has(line[1])) found.set(line[1], { kinds: new Set(), texts: [] });
      const at = found.get(line[1]);
      at.kinds.add(kind);
      if (text && at.texts.length < 6) at.texts.push(text);
    };
    if (details.number === shown.number) for (const line of details.lines) mark(line, "ran");
    for (const command of shown.commands) mark(command.line, "asked", `asked for ${command.kind} ${command.id}`);
    for (const fiber of shown.waits) fiber.lines.forEach((line, depth) =>
      mark(line, depth ? "caller" : "waits", `${fiber.label} waits ${depth ? "below this call" : "here"} for ${fiber.for.slice(0, 3).join(", ")}`));
    shown.raised?.lines.forEach((line, i, { length }) => mark(line, i < length - 1 ? "caller" : "raised",
      i < length - 1 ? "run raised below this call" : `run raised ${shown.raised.text}`));
    if (store.line && store.line[0] === file) mark(store.line, "chosen");
    return found;
  }
  function draw() {
    const sources = model.get("sources"), shown = model.get("shown");
    const here = shown.raised?.lines.at(-1)?.[0] ?? shown.waits[0]?.lines[0]?.[0] ?? shown.commands.find(command => command.line)?.line[0]
      ?? model.get("details").lines?.[0]?.[0] ?? Object.keys(sources)[0];
    const file = store.file && sources[store.file] ? store.file : here;
    const names = Object.keys(sources).join("\n");
    if (files.dataset.names !== names) {
      files.dataset.names = names;
      fill(files, ...Object.entries(sources).map(([key, of]) => h("option", { value: key }, of.name)));
      files.hidden = Object.keys(sources).length < 2;
    }
    if (file !== undefined && files.value !== file) files.value = file;
    const source = sources[file];
    if (drawnFile !== file || drawnText !== source?.lines) {
      drawnFile = file; drawnText = source?.lines; marked = new Map();
      rows = (source?.lines ?? []).map((text, i) => h("div", { class: "sfl-line", "data-line": i + 1 },
        h("span", { class: "sfl-gutter" }), h("span", { class: "sfl-lineno" }, String(i + 1)), h("span", { class: "sfl-text" }, text || " ")));
      fill(code, ...rows, source && source.all > source.lines.length ? more(source.all, source.lines.length) : null,
        rows.length ? null : h("div", { class: "sfl-quiet" }, "the source is not here"));
    }
    const found = marks(file);
    for (const [line] of marked) if (!found.has(line)) paint(line, null);
    for (const [line, at] of found) paint(line, at);
    marked = found;
  }
  function paint(line, at) {
    const row = rows[line - 1];
    if (!row) return;
    const kinds = at?.kinds ?? new Set();
    row.className = ["sfl-line", ...[...kinds].map(kind => `sfl-${kind}`)].join(" ");
    row.firstChild.textContent = `${kinds.has("raised") ? "✗" : kinds.has("waits") ? "▶" : kinds.has("caller") ? "▷" : " "}${kinds.has("asked") ? "+" : kinds.has("ran") ? "•" : " "}`;
    row.title = at ? visible(at.texts.join("\n")) : "";
    const words = [kinds.has("raised") && "raised", kinds.has("waits") && "waits", kinds.has("caller") && "called from here", kinds.has("ran") && "ran", kinds.has("asked") && "commanded"].filter(Boolean);
    if (words.length) row.setAttribute("aria-label", `line ${line}, ${words.join(", ")}: ${row.lastChild.textContent}`);
    else row.removeAttribute("aria-label");
  }
  function reveal(line) {
    const target = line ?? [...marked].find(([, at]) => at.kinds.has("raised"))?.[0] ?? [...marked].find(([, at]) => at.kinds.has("waits"))?.[0] ?? [...marked.keys()][0];
    const row = rows[target - 1];
    if (!row) return;
    const top = row.offsetTop;  // from the top of the code
    if (top < code.scrollTop + 20 || top > code.scrollTop + code.clientHeight - 40) code.scrollTop = top - code.clientHeight / 3;
  }
  code.addEventListener("click", event => {
    const row = event.target.closest(".sfl-line");
    if (row) pick({ line: [drawnFile, Number(row.dataset.line), ""] });
  });
  element.append(h("div", { class: "sfl-quiet sfl-legend" }, "▶ waits here   ▷ called from here   ✗ raised here   • ran in this step   + asked for something"));
  return { element, draw, reveal };
}

function variables(model) {
  const box = h("div", { class: "sfl-box", tabindex: 0, "aria-label": "variables" }), { element } = pane("Variables", box);
  let drawn = null, before = new Map(), number = 0;
  return { element, draw() {
    const details = model.get("details"), shown = model.get("shown");
    const ready = details.number === shown.number;
    box.setAttribute("aria-busy", String(!ready));
    element.classList.toggle("sfl-old", !ready);
    if (!ready && !drawn) fill(box, h("div", { class: "sfl-quiet" }, "reads the variables of this step …"));
    if (!ready || drawn === details) return;
    drawn = details;
    const values = new Map();
    const list = details.fibers.flatMap(fiber => fiber.frames.map((frame, depth) => {
      const rows = frame.locals.flatMap(([name, text]) => {
        const key = `${fiber.label}\n${frame.line[2].split(":")[0]}\n${depth}\n${name}`, isNew = before.size > 0 && before.get(key) !== text;
        values.set(key, text);
        return [h("dt", {}, name), h("dd", { class: isNew ? "sfl-new" : "" , title: isNew ? "changed since the step shown before" : null }, isNew ? "✱ " : "", text)];
      });
      return h("details", { open: depth === 0 }, h("summary", {}, depth ? "" : h("strong", {}, `${fiber.label} `), frame.line[2]),
        rows.length ? h("dl", {}, ...rows) : h("div", { class: "sfl-quiet" }, "no variables"));
    }));
    before = values; number = details.number;
    fill(box, details.error ? h("div", { class: "sfl-banner" }, details.error) : null, ...list,
      list.length || details.error ? null : h("div", { class: "sfl-quiet" }, "the code waits in no line of yours: it has ended; ← shows the step before, with its variables"));
  } };
}

const nameOf = future => future.label ? future.label.replace(`${future.kind}-`, "") : `${future.kind} ${future.number}`;

// The futures: the kernel sends a page of them; of these only the rows in sight are elements.
function futures(model, store, pick) {
  const filter = h("input", { type: "search", placeholder: "filter", size: 10, "aria-label": "filter the futures" });
  const which = h("select", { "aria-label": "which futures" }, h("option", { value: "changed" }, "changed in this step"), h("option", { value: "all" }, "all"));
  const info = h("span", { class: "sfl-quiet", role: "status" });
  const above = h("div"), body = h("div", { role: "rowgroup" }), below = h("div");
  const box = h("div", { class: "sfl-box sfl-futures", tabindex: 0, role: "grid", "aria-label": "futures" }, above, body, below);
  const detail = h("div", { class: "sfl-detail", role: "status" });
  const { element, heading } = pane("Futures", h("div", { class: "sfl-row" }, which, filter, info), box, detail);
  const ask = first => say(model, { kind: "futures", which: which.value, words: filter.value, first });
  filter.addEventListener("input", () => { box.scrollTop = 0; ask(0); });
  which.addEventListener("change", () => { box.scrollTop = 0; ask(0); });
  let asked = null;
  function visible() {
    const first = Math.max(Math.floor(box.scrollTop / FUTURE_ROW) - 4, 0);
    return [first, first + Math.ceil((box.clientHeight || 200) / FUTURE_ROW) + 8];
  }
  box.addEventListener("scroll", () => {
    const page = model.get("futures"), [first, last] = visible();
    const missing = first < page.first || (last > page.first + page.rows.length && page.first + page.rows.length < page.found);
    const wanted = Math.max(first - PAGE / 2, 0);
    if (missing && asked !== wanted) { asked = wanted; ask(wanted); }
    draw();
  });
  function draw() {
    const page = model.get("futures"), styles = model.get("overview").future_styles;
    if (page.which !== which.value && document.activeElement !== which) which.value = page.which;
    asked = null;
    heading.textContent = `Futures: ${Object.entries(page.counts).map(([state, n]) => `${styles[state][0]} ${n.toLocaleString("en")} ${styles[state][1]}`).join(", ") || "none yet"}`;
    info.textContent = `${page.found.toLocaleString("en")} of ${page.all.toLocaleString("en")}`;
    const [from, to] = visible();
    const first = Math.max(from - page.first, 0), rows = page.rows.slice(first, Math.max(to - page.first, 0));
    above.style.height = `${(page.first + first) * FUTURE_ROW}px`;
    below.style.height = `${Math.max(page.found - page.first - first - rows.length, 0) * FUTURE_ROW}px`;
    box.setAttribute("aria-rowcount", page.found);
    fill(body, ...rows.map((row, i) => h("div", { class: "sfl-future", role: "row", "data-number": row.number,
      "aria-rowindex": page.first + first + i + 1, "aria-selected": String(store.future?.number === row.number) },
      h("span", { role: "gridcell", class: "sfl-state" }, badge(styles[row.state])),
      h("span", { role: "gridcell", class: "sfl-id", title: row.id || row.kind }, `${row.changed && page.which === "all" ? "✱ " : ""}${nameOf(row)}`),
      h("span", { role: "gridcell", class: "sfl-value", title: row.value }, row.value))));
    const chosen = store.future && (page.rows.find(row => row.number === store.future.number) ?? store.future);
    fill(detail, chosen ? h("div", { class: "sfl-banner" }, h("strong", {}, nameOf(chosen)), " ", badge(styles[chosen.state]),
      ` ${chosen.kind}${chosen.fiber ? `, submitted by ${chosen.fiber}` : ""}${chosen.line ? ` at ${chosen.line[2]}` : ""}`,
      chosen.attempts > 1 ? `, ${chosen.attempts} attempts` : "",
      chosen.depends_on.length ? `, from future${chosen.depends_on.length > 1 ? "s" : ""} ${chosen.depends_on.join(", ")}` : "",
      chosen.members ? `, of ${count(chosen.members, "member")}` : "",
      chosen.input ? h("div", {}, "input ", h("code", {}, chosen.input)) : null,
      chosen.value ? h("pre", {}, chosen.value) : null,
      chosen.events.length ? h("div", {}, "events ", ...chosen.events.map(event => h("button", { type: "button",
        title: `to the step of event ${event}`, onclick: () => store.move({ kind: "event", event }) }, `#${event}`))) : null) : null);
  }
  body.addEventListener("click", event => {
    const row = event.target.closest(".sfl-future");
    const found = row && model.get("futures").rows.find(each => each.number === Number(row.dataset.number));
    if (found) pick({ future: found });
  });
  box.addEventListener("keydown", event => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], { rows, first } = model.get("futures");
    if (!step || !rows.length) return;
    event.preventDefault();
    const next = Math.min(Math.max(rows.findIndex(row => row.number === store.future?.number) + step, 0), rows.length - 1);
    const top = (first + next) * FUTURE_ROW;
    if (top < box.scrollTop) box.scrollTop = top;
    if (top + FUTURE_ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + FUTURE_ROW - box.clientHeight;
    pick({ future: rows[next] });
  });
  return { element, draw, focus: () => filter.focus() };
}

function commands(model, pick) {
  const box = h("div", { class: "sfl-box", tabindex: 0, "aria-label": "commands" }), { element, heading } = pane("Commands", box);
  let drawn = null;
  return { element, draw() {
    const shown = model.get("shown");
    if (drawn === shown) return;
    drawn = shown;
    heading.textContent = `Commands: ${shown.all_commands.toLocaleString("en")}${shown.pending ? `, ${shown.pending.toLocaleString("en")} not recorded yet` : ""}`;
    fill(box, ...shown.commands.map(command => h("button", { type: "button", class: "sfl-item", title: command.input || null,
      onclick: () => pick({ future: null, line: command.line }) },
      h("strong", {}, `${command.kind} ${command.id}`), command.event ? ` → event #${command.event}` : " → no event yet",
      command.line ? h("div", { class: "sfl-quiet" }, command.line[2]) : null)),
      more(shown.all_commands, shown.commands.length), shown.commands.length ? null : h("div", { class: "sfl-quiet" }, "it asked for nothing"));
  } };
}

function events(model, store) {
  const box = h("div", { class: "sfl-box", tabindex: 0, "aria-label": "events" }), { element } = pane("Events", box);
  let drawn = null;
  const row = ([id, type, words]) => {
    const isOf = store.future?.events.includes(id);
    return h("div", { class: `sfl-event${isOf ? " sfl-chosen" : ""}`, "data-event": id, "aria-current": isOf ? "true" : null, title: type },
      h("span", { class: "sfl-lineno" }, `#${id}`), isOf ? "◆ " : "", words);
  };
  return { element, draw() {
    const shown = model.get("shown"), state = `${shown.number} ${store.future?.number}`;
    if (drawn === state && box.dataset.total === String(shown.all_events)) return;
    drawn = state; box.dataset.total = shown.all_events;
    fill(box, h("div", { class: "sfl-quiet" }, `it saw ${count(shown.all_events, "event")}`), ...shown.events.map(row), more(shown.all_events, shown.events.length),
      h("div", { class: "sfl-quiet" }, shown.open ? "it is not recorded yet" : `recorded as ${count(shown.all_recorded, "event")}`), ...shown.recorded.map(row),
      more(shown.all_recorded, shown.recorded.length));
    box.querySelector(".sfl-chosen")?.scrollIntoView({ block: "nearest" });
  } };
}

function output(model) {
  const text = h("pre", { tabindex: 0, "aria-label": "output" }), budgets = h("div", { class: "sfl-budgets" });
  const { element } = pane("Output and budgets", text, budgets);
  return { element, draw() {
    const shown = model.get("shown");
    text.textContent = visible(shown.output) || "it printed nothing";
    text.classList.toggle("sfl-quiet", !shown.output);
    fill(budgets, ...shown.budgets.map(([name, used, limit]) => h("label", {},
      h("span", {}, `${name} ${used.toLocaleString("en")} of ${limit.toLocaleString("en")}`),
      h("meter", { min: 0, max: limit, value: Math.min(used, limit), high: .8 * limit, "aria-label": name }))));
  } };
}

// -- the Gantt chart --

function chart(model, store, pick) {
  const canvas = h("canvas", { tabindex: 0, role: "img" }), tip = h("div", { class: "sfl-quiet", role: "status" }, " ");
  const box = h("div", { class: "sfl-chart" }, canvas), { element, heading } = pane("Gantt chart", box, tip);
  element.classList.add("sfl-wide");
  let plan = null, planned = null;
  const isQueued = bar => bar[3] === "scheduled" || bar[3] === "initiated";
  function arrange({ bars, seconds }) {
    const lanes = newLanes(), began = bar => bar[5] ?? bar[4];
    for (const bar of bars) lanes.lane(bar[2]);
    for (const bar of [...bars].sort((a, b) => began(a) - began(b)))
      lanes.put(bar, bar[2], began(bar), bar[3] === "reused" ? seconds * REUSED : bar[6], isQueued(bar));
    const found = lanes.arranged();
    for (const lane of found.lanes) lane.bars = [...lane.rows.map(row => row.keys), [...lane.queued]].flatMap((keys, at) => keys.map(bar => [bar, at]));
    return found;
  }
  const LABELS = 120;
  function scale() {
    const overview = model.get("overview"), width = box.clientWidth || 800;
    const height = rowHeight(plan.total, 220, 14);
    return { width, height, x: time => LABELS + time / Math.max(overview.seconds, 1e-6) * (width - LABELS - 10) };
  }
  function draw() {
    const overview = model.get("overview"), shown = model.get("shown");
    if (planned !== overview) { planned = overview; plan = arrange(overview); }
    element.hidden = !overview.bars.length;
    if (element.hidden) return;
    const { width, height, x } = scale(), tall = plan.total * height + 18;
    canvas.width = width * devicePixelRatio; canvas.height = tall * devicePixelRatio;
    Object.assign(canvas.style, { width: `${width}px`, height: `${tall}px` });
    const g = canvas.getContext("2d"), css = getComputedStyle(canvas);
    g.scale(devicePixelRatio, devicePixelRatio);
    g.font = `11px ${css.fontFamily}`; g.textBaseline = "middle";
    const chosen = new Set(store.future?.events ?? []);
    let labelled = -20;
    for (const lane of plan.lanes) {
      const top = lane.top * height;
      g.globalAlpha = 1; g.fillStyle = css.color;
      if (top - labelled >= 12) { g.fillText(fitted(g, lane.name, LABELS - 8), 2, top + Math.max(height / 2, 6)); labelled = top; }
      for (const [[event, id, , state, scheduled, started, closed], row] of lane.bars) {
        const [, , colour] = overview.styles[state] ?? ["", "", "#8b95a5"], y = (lane.top + row) * height + 1, thick = Math.max(height - 2, 2);
        const from = x(scheduled), begin = x(started ?? closed ?? overview.seconds), to = x(closed ?? overview.seconds);
        g.globalAlpha = scheduled > shown.time ? .25 : 1;  // it was not asked for yet at that moment
        g.fillStyle = "#8b95a5"; g.fillRect(from, y + thick / 2 - .5, Math.max(begin - from, 0), 1);
        g.fillStyle = colour; drawBar(g, begin, y, Math.max(to - begin, state === "reused" ? 6 : 1.5), thick, state === "unfinished");
        if (["failed", "timed_out", "canceled", "terminated", "schedule_failed", "start_failed"].includes(state)) {
          g.strokeStyle = css.color; g.lineWidth = 1; g.beginPath();
          g.moveTo(to - 3, y); g.lineTo(to + 3, y + thick); g.moveTo(to + 3, y); g.lineTo(to - 3, y + thick); g.stroke();
        }
        if (chosen.has(event) && (state !== "reused" || id === store.future.id)) { g.strokeStyle = css.color; g.lineWidth = 2; g.strokeRect(from - 1, y - 1, Math.max(to - from, 2) + 2, thick + 2); }
      }
    }
    g.globalAlpha = 1; g.strokeStyle = css.color; g.lineWidth = 1.5; g.setLineDash([4, 3]);
    const moment = x(shown.time);
    g.beginPath(); g.moveTo(moment, 0); g.lineTo(moment, plan.total * height); g.stroke(); g.setLineDash([]);
    g.fillStyle = css.color; g.textAlign = moment > width - 120 ? "right" : "left";
    g.fillText(`step ${shown.number}, ${duration(shown.time)}`, moment + (moment > width - 120 ? -4 : 4), plan.total * height + 10);
    g.textAlign = "left";
    heading.textContent = `Gantt chart: ${count(overview.bars.length, "task")}${overview.more_bars ? ` of ${(overview.bars.length + overview.more_bars).toLocaleString("en")}` : ""}`;
    canvas.setAttribute("aria-label", `Gantt chart of ${count(overview.bars.length, "task")} over ${duration(overview.seconds)}; step ${shown.number} is at ${duration(shown.time)}`);
  }
  function barAt(event) {
    if (!plan) return null;
    const { height, x } = scale(), row = Math.floor(event.offsetY / height), overview = model.get("overview");
    const lane = plan.lanes.find(each => each.top <= row && row < each.top + each.height);
    return lane?.bars.findLast(([bar, at]) => lane.top + at === row && x(bar[4]) - 3 <= event.offsetX && event.offsetX <= Math.max(x(bar[6] ?? overview.seconds), x(bar[4]) + (bar[3] === "reused" ? 6 : 2)) + 3)?.[0] ?? null;
  }
  canvas.addEventListener("mousemove", event => {
    const bar = barAt(event), styles = model.get("overview").styles;
    tip.textContent = bar ? `${visible(bar[1])}, ${styles[bar[3]]?.[1] ?? bar[3]}: asked for at ${duration(bar[4])}${bar[6] === null ? ", open" : `, closed at ${duration(bar[6])}`}` : " ";
  });
  canvas.addEventListener("click", event => { const bar = barAt(event); if (bar) store.move({ kind: "event", event: bar[0] }); });
  return { element, draw };
}

export default { initialize: ({ model }) => { storeOf(model, newStore); drawIfGivenUp(model); }, render };
