// The rows of a Gantt chart: a lane for each name, and in it rows in which no two bars meet, as long as MAX_ROWS do. What
// has not started is counted apart, in the last row of its lane. A bar keeps its row: when others change, only these are
// placed. Bars that are all there at first are placed best in the order in which they began.

const MAX_ROWS = 200;       // of a lane: more than so many bars at once share the last one
const MAX_CANVAS = 16000;   // pixels

function newLanes() {
  const byName = new Map(), places = new Map();
  const lane = name => {
    if (!byName.has(name)) byName.set(name, { name, rows: [], queued: new Set(), top: 0, height: 0 });
    return byName.get(name);
  };
  // A bar of this key in the lane of this name; it is open as long as `end` is null.
  function put(key, name, began, end, isQueued) {
    const before = places.get(key);
    if (before?.row) {
      if (before.isOpen && end !== null) { before.isOpen = false; before.row.open--; }
      before.row.end = Math.max(before.row.end, end ?? began);
      return;
    }
    before?.lane.queued.delete(key);
    const place = { lane: lane(name), row: null, isOpen: end === null };
    places.set(key, place);
    if (isQueued) { place.lane.queued.add(key); return; }
    const { rows } = place.lane;
    place.row = rows.find(row => !row.open && row.end <= began);
    if (!place.row) {
      if (rows.length < MAX_ROWS) rows.push({ keys: [], end: began, open: 0 });
      place.row = rows.at(-1);
    }
    place.row.keys.push(key);
    place.row.end = Math.max(place.row.end, end ?? began);
    if (place.isOpen) place.row.open++;
  }
  // The lanes that hold anything, from the top, each with its place; and how many rows all of them take.
  function arranged() {
    const shown = [];
    let total = 0;
    for (const one of byName.values()) {
      one.top = total; one.height = one.rows.length + (one.queued.size ? 1 : 0); total += one.height;
      if (one.height) shown.push(one);
    }
    return { lanes: shown, total: Math.max(total, 1) };
  }
  return { lane, put, arranged };
}

// How many pixels a row is high where so many of them have this room: at most `most`, and at least 4, so that the chart
// scrolls; less only where a canvas would be too high for a browser.
const rowHeight = (total, room, most) => Math.max(Math.min(room / total, most), Math.min(4, MAX_CANVAS / total));
