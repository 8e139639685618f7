// The legend, the strip of scores by element, and the bar of a bare formula.

/** @param {Legend} root @param {Structure} structure @param {Mode} mode @param {Tables} tables */
function drawLegend(root, structure, mode, tables) {
  root.replaceChildren();
  root.pointTo = null;
  if (mode === "elements") {
    const symbols = [...new Set(structure.symbols)];
    root.append(element("div", { class: "chips" }, ...symbols.map((symbol) =>
      element("span", { class: "chip" }, element("i", { style: `background:${tables.elements[symbol].colour}` }), symbol))));
    return;
  }
  const scale = Colours.scale(structure, mode, tables);
  if (scale.flat) {
    root.append(element("p", { class: "quiet" },
      `All atoms score the same within 1 %: ${shortNumber(structure.scores[0])}. None stands out.`));
    return;
  }
  // of a scale around the even share, only the part with atoms is shown
  const { low, high, colours: part } = Colours.part(structure, scale);
  const share = (score) => (100 * (score - low)) / (high - low);
  const bar = element("div", { class: "bar", style: `background:linear-gradient(to right, ${part.join(",")})` });
  const under = element("div", { class: "under" });
  if (structure.baseline !== null && structure.baseline >= low && structure.baseline <= high) {
    const at = share(structure.baseline);
    bar.append(element("span", { class: "mark", style: `left:${at}%` }));
    under.append(element("span", { style: `left:${at}%;transform:translateX(-${at}%)` },
      structure.baseline === 0 ? "no effect"
        : `even share 1/${structure.symbols.length} = ${shortNumber(structure.baseline)}`));
  }
  if (structure.little_difference) root.append(element("p", { class: "quiet" }, structure.little_difference));
  const pointer = element("span", { class: "pointer", hidden: true });
  bar.append(pointer);
  root.prepend(element("div", { class: "scale" },
    element("span", {}, shortNumber(low)), bar, element("span", {}, scoreText(structure, high)), under));
  root.pointTo = (atom) => {
    pointer.hidden = atom === null;
    if (atom !== null) pointer.style.left = `${share(structure.scores[atom])}%`;
  };
}

// a score with its unit, if that is short enough to stand beside a number
/** @param {Structure} structure @param {number} score */
function scoreText(structure, score) {
  const unit = structure.score_unit.length <= 8 ? structure.score_unit : "";
  return `${shortNumber(score)} ${unit}`.trim();
}

// round numbers that divide a range into about five parts
/** @param {number} low @param {number} high */
function ticksBetween(low, high) {
  const raw = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= raw);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) ticks.push(k * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return ticks.map((value) => [value, value.toFixed(Math.min(digits, 8)).replace("-", "−")]);
}

const MANY_DOTS = 600; // of one element; beyond, a box stands for them

/** @param {HTMLElement} root @param {Structure} structure @param {Mode} mode @param {Tables} tables @param {Events} events */
function drawStrips(root, structure, mode, tables, events) {
  const groups = new Map();
  structure.order.forEach((atom) => {
    const symbol = structure.symbols[atom];
    if (!groups.has(symbol)) groups.set(symbol, []);
    groups.get(symbol).push(atom);
  });
  const width = Math.max(260, root.clientWidth || 400), right = width - 12;
  const left = 16 + 7 * Math.max(...[...groups].map(([symbol, atoms]) => `${symbol} × ${atoms.length}`.length));
  let [low, high] = structure.scores_range;
  if (structure.all_equal) [low, high] = [Math.min(0, low), 2 * high || 1];
  const pad = 0.04 * (high - low);
  const x = (score) => left + ((score - low + pad) / (high - low + 2 * pad)) * (right - left);
  const scale = Colours.scale(structure, mode === "elements" ? "range" : mode, tables);
  const colour = (atom) => mode === "elements" ? tables.elements[structure.symbols[atom]].colour : Colours.at(scale, structure.scores[atom]);
  const rows = [...groups].map(([symbol, atoms]) => ({ symbol, atoms, places: placeDots(atoms, structure, x, groups.size) }));
  let y = 22;
  const svg = element("svg", { role: "img", "aria-label": "Scores of the atoms, one row for each element" });
  const marks = element("g"), dots = element("g");
  for (const row of rows) {
    const height = Math.max(24, 2 * row.places.reach + 12);
    const middle = y + height / 2;
    marks.append(element("text", { x: 0, y: middle + 4 }, element("tspan", { class: "name" }, row.symbol),
        row.atoms.length > 1 ? ` × ${row.atoms.length}` : ""),
      element("line", { class: "grid", x1: left, x2: right, y1: middle, y2: middle }));
    if (row.places.box) dots.append(...drawBox(row.places.box, middle, x, tables.elements[row.symbol].colour));
    else row.places.dots.forEach(([atom, cx, dy]) => dots.append(dot(structure, atom, cx, middle + dy, row.places.r, colour(atom))));
    y += height;
  }
  drawAxis(marks, structure, low, high, x, y);
  svg.setAttribute("viewBox", `0 0 ${width} ${y + 24}`);
  svg.append(marks, dots);
  const atomOf = (event) => event.target.dataset && event.target.dataset.atom !== undefined ? Number(event.target.dataset.atom) : null;
  svg.addEventListener("pointermove", (event) => events.hover(atomOf(event)));
  svg.addEventListener("pointerleave", () => events.hover(null));
  svg.addEventListener("click", (event) => { if (atomOf(event) !== null) events.choose(atomOf(event)); });
  root.replaceChildren(svg);
}

/** @param {Element} marks @param {Structure} structure @param {number} low @param {number} high */
function drawAxis(marks, structure, low, high, x, y) {
  for (const [value, text] of ticksBetween(low, high)) {
    marks.append(element("line", { class: "grid", x1: x(value), x2: x(value), y1: 18, y2: y + 3 }),
      element("text", { x: x(value), y: y + 18, "text-anchor": "middle" }, text));
  }
  if (structure.baseline === null || structure.baseline < low || structure.baseline > high) return;
  const at = x(structure.baseline);
  marks.append(element("line", { class: "even", x1: at, x2: at, y1: 16, y2: y + 3 }),
    element("text", { x: Math.max(at, 66), y: 11, "text-anchor": "middle" },
      structure.baseline === 0 ? "no effect" : "even share"));
}

/** @param {Structure} structure @param {number} atom @param {string} fill */
function dot(structure, atom, cx, cy, r, fill) {
  return element("circle", { cx: cx.toFixed(1), cy: cy.toFixed(1), r, fill, "data-atom": atom },
    element("title", {}, `${structure.symbols[atom]}${atom}  ${scoreText(structure, structure.scores[atom])}`));
}

// stack dots that would overlap, up and down in turn
/** @param {number[]} atoms @param {Structure} structure */
function placeDots(atoms, structure, x, nRows) {
  let reach = 6;
  const r = atoms.length > 150 ? 2.6 : 4.6;
  if (atoms.length > MANY_DOTS) {
    const sorted = atoms.map((atom) => structure.scores[atom]).sort((a, b) => a - b);
    const box = [0, 0.25, 0.5, 0.75, 1].map((q) => sorted[Math.round(q * (sorted.length - 1))]);
    return { dots: [], reach, r, box };
  }
  const most = nRows > 4 ? 16 : 30;
  const done = [];
  for (const atom of atoms) {
    const cx = x(structure.scores[atom]);
    let dy = 0;
    for (let k = 0; k < 2 * most / r; k += 1) {
      dy = (k % 2 ? 1 : -1) * Math.ceil(k / 2) * r * 0.95;
      if (!done.some(([, px, py]) => Math.hypot(px - cx, py - dy) < 1.85 * r)) break;
    }
    dy = Math.max(-most, Math.min(most, dy));
    done.push([atom, cx, dy]);
    reach = Math.max(reach, Math.abs(dy) + r);
  }
  return { dots: done, reach, r, box: null };
}

function drawBox([low, first, median, third, high], y, x, fill) {
  return [
    element("line", { class: "even", x1: x(low), x2: x(high), y1: y, y2: y, style: "stroke-dasharray:none" }),
    element("rect", { x: x(first), width: Math.max(1, x(third) - x(first)), y: y - 8, height: 16, rx: 2, fill }),
    element("line", { class: "even", x1: x(median), x2: x(median), y1: y - 8, y2: y + 8, style: "stroke-dasharray:none" }),
  ];
}

// a bare formula: the share of each element, and its score
/** @param {HTMLElement} root @param {Structure} structure @param {Mode} mode @param {Tables} tables */
function drawComposition(root, structure, mode, tables) {
  const total = structure.symbols.length;
  const scale = Colours.scale(structure, mode === "elements" ? "range" : mode, tables);
  const rows = structure.formula_parts.map(([symbol]) => {
    const atoms = structure.symbols.flatMap((s, i) => (s === symbol ? [i] : []));
    const mean = atoms.reduce((sum, i) => sum + structure.scores[i], 0) / atoms.length;
    return { symbol, n: atoms.length, share: atoms.length / total, mean, fill: tables.elements[symbol].colour };
  });
  const highest = Math.max(...rows.map((row) => Math.abs(row.mean))) || 1;
  root.replaceChildren(
    element("div", { class: "shares" }, ...rows.map((row) => element("span",
      { style: `flex:${row.share};background:${row.fill};color:${Colours.ink(row.fill)}`, title: `${row.symbol} ${(100 * row.share).toFixed(1)} %` },
      row.share > 0.2 ? `${row.symbol} ${(100 * row.share).toFixed(0)} %` : row.share > 0.04 ? row.symbol : ""))),
    element("p", { class: "quiet" }, "Shares of the atoms, and below the mean score of one atom of each element:"),
    element("div", { class: "bars" }, ...rows.flatMap((row) => [
      element("span", {}, `${row.symbol} × ${row.n}`),
      element("i", { style: `width:${(100 * Math.abs(row.mean)) / highest}%;background:${mode === "elements" ? row.fill : Colours.at(scale, row.mean)}` }),
      element("span", {}, shortNumber(row.mean))])));
}
