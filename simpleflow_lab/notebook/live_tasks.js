// The table of tasks of the live view, filtered and sorted; only the rows in sight are elements.

const TABLE_HEIGHT = 320;   // the most, in pixels, as in live_view.css
const ROW_HEIGHT = 24;      // of the table, in pixels, as in live_view.css
const ORDER = ["failed", "timed_out", "schedule_failed", "start_failed", "terminated", "canceled", "unfinished", "started", "scheduled", "initiated"];
const RELATIONS = { before: "↑ ", after: "↓ " };  // of a row to the selected one: that depended on it, it on that
const rank = state => { const at = ORDER.indexOf(state); return at < 0 ? ORDER.length : at; };

const inOrder = label => label.replace(/\d+/g, number => number.padStart(12, "0"));  // load-2 before load-10

function taskTable(store, model, select) {
  const { chosen, field } = store;
  const columns = [
    ["state", "state", row => row[field.state], "13%"], ["task", "id", row => inOrder(row[field.label]), "18%"],
    ["attempt", "attempt", row => row[field.attempt], "9%"], ["scheduled", "scheduled", row => row[field.scheduled], "11%"],
    ["waited", "waited", row => waiting(store, row), "9%"], ["ran", "ran", row => running(store, row) ?? -1, "9%"],
    ["worker", "worker", row => row[field.worker], "14%"], ["result or reason", "outcome", row => row[field.outcome], "17%"],
  ];
  const number = new Set(["attempt", "scheduled", "waited", "ran"]);
  const text = {
    state: row => { const of = styleOf(model, row[field.state]); return `${of.glyph} ${of.word}${row[field.flag] === "unhandled" ? " ⚠" : ""}`; },
    id: row => `${RELATIONS[store.relation(row)] ?? ""}${row[field.label]}`,
    scheduled: row => duration(row[field.scheduled]), waited: row => duration(waiting(store, row)),
    ran: row => duration(running(store, row)),
  };
  const filter = h("input", { type: "search", placeholder: "filter", "aria-label": "filter the tasks", value: chosen.filter });
  const states = h("select", { "aria-label": "state of the tasks" });
  const info = h("span", { role: "status", class: "sfl-quiet" });
  const titles = columns.map(([title, key, , width]) => h("th",
    { scope: "col", class: number.has(key) ? "sfl-number" : "", style: { width } },
    h("button", { type: "button", onclick: () => sortBy(key) }, title)));
  const head = h("tr", {}, ...titles), body = h("tbody"), above = h("div"), below = h("div");
  const table = h("table", { role: "grid", "aria-label": "tasks" }, h("thead", {}, head), body);
  const box = h("div", { class: "sfl-table", tabindex: 0, role: "group", "aria-label": "tasks: arrows move" }, above, table, below);
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
  function drawHead() {  // in the buttons that are there: one of them may have the focus
    columns.forEach(([title, key], at) => {
      const sorted = chosen.sort === key;
      titles[at].setAttribute("aria-sort", sorted ? (chosen.down ? "descending" : "ascending") : "none");
      titles[at].firstChild.textContent = title + (sorted ? (chosen.down ? " ▼" : " ▲") : "");
    });
  }
  const texts = new WeakMap();  // by row, which is another one when it has changed: what a filter looks into
  function searched(row) {
    let all = texts.get(row);
    if (all === undefined) {
      all = ["id", "name", "state", "worker", "task_list", "outcome"].map(name => row[field[name]]).join(" ").toLowerCase();
      texts.set(row, all);
    }
    return all;
  }
  function arrange() {
    const { rows } = store, words = chosen.filter.toLowerCase().split(/\s+/).filter(Boolean), seen = new Map();
    order = [];
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i], state = row[field.state];
      seen.set(state, (seen.get(state) || 0) + 1);
      if (chosen.state && state !== chosen.state) continue;
      if (words.length) {
        const all = searched(row);
        if (!words.every(word => all.includes(word))) continue;
      }
      order.push(i);
    }
    const column = columns.find(([, key]) => key === chosen.sort);
    if (column) {
      const value = order.length ? new Map(order.map(i => [i, column[2](rows[i])])) : new Map(), sign = chosen.down ? -1 : 1;
      order.sort((a, b) => { const one = value.get(a), other = value.get(b); return (one > other ? 1 : one < other ? -1 : a - b) * sign; });
    } else {  // as they come, by the rank of their state
      const ranked = Array.from({ length: ORDER.length + 1 }, () => []);
      for (const i of order) ranked[rank(rows[i][field.state])].push(i);
      order = ranked.flat();
    }
    const options = [["", "all states"], ...[...seen].map(([state, n]) => [state, `${styleOf(model, state).word} (${n.toLocaleString("en")})`])];
    if (options.length !== states.length || options.some(([value], at) => states[at].value !== value)) {
      fill(states, ...options.map(([value]) => h("option", { value, selected: value === chosen.state })));
    }
    options.forEach(([, title], at) => { states[at].textContent = title; });  // the list may be open
    info.textContent = `${order.length.toLocaleString("en")} of ${numbered(rows.length, "attempt")}`;
  }
  function draw() { if (!asked) asked = requestAnimationFrame(() => { asked = 0; paint(); }); }
  function paint() {
    if (panel.hidden || isHeld(body, draw)) return;
    const began = performance.now(), state = JSON.stringify([store.mark, chosen.filter, chosen.state, chosen.sort, chosen.down]);
    if (ordered !== state) { arrange(); ordered = state; }
    const fits = Math.ceil(Math.max(box.clientHeight, TABLE_HEIGHT) / ROW_HEIGHT) + 4;  // it is low before it has rows
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
          return h("td", { class: number.has(key) ? "sfl-number" : "", title: key === "id" ? row[field.id] : cell, style: colour }, cell);
        }));
    }));
    if (box.scrollTop !== chosen.scroll) box.scrollTop = chosen.scroll;
    panel.dataset.paintMs = (performance.now() - began).toFixed(1);
  }
  drawHead();
  return { panel, draw, dispose: () => cancelAnimationFrame(asked) };
}

