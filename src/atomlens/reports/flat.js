// The molecule on paper: bonds and labels as rdkit drew them, discs in the colours of the scores.

/**
 * The drawn atoms of a structure, as what legends and colours take: hydrogens are folded in.
 * @param {Structure} structure
 * @returns {Flat | null}
 */
function flatOf(structure) {
  const { drawing } = structure;
  if (!drawing) return null;
  const symbols = drawing.members.map(([atom]) => structure.symbols[atom]);
  const scores = drawing.scores;
  const baseline = structure.baseline === 0 ? 0 : null;
  const owner = new Map(drawing.members.flatMap((atoms, k) => atoms.map((atom) => [atom, k])));
  return {
    ...structure, symbols, scores, baseline, owner, all_equal: drawing.all_equal, little_difference: "",
    scale_ends: { range: drawing.scale_ends, baseline: drawing.scale_ends },
    scores_range: [Math.min(...scores), Math.max(...scores)],
  };
}

/** @param {Flat} flat @param {Mode} mode @param {Tables} tables */
function flatColours(flat, mode, tables) {
  const scale = Colours.scale(flat, mode, tables);
  return flat.symbols.map((symbol, k) => (mode === "elements" ? tables.elements[symbol].colour : Colours.at(scale, flat.scores[k])));
}

/**
 * The drawing as SVG; on the page its lines take the colour of the text.
 * @param {Flat} flat @param {Mode} mode @param {Tables} tables
 */
function flatSvg(flat, mode, tables, ink = "#000000") {
  const { drawing } = flat;
  const colours = flatColours(flat, mode, tables);
  const discs = drawing.places.map(([x, y], k) => `<circle class="disc" cx="${x}" cy="${y}" r="${drawing.radius}" fill="${colours[k]}" stroke="#000000" stroke-opacity="0.18"/>`);
  const labels = drawing.labels.replace(/<path class='atom-(\d+)( on)?'[^>]*>/g, (path, k, on) => (on ? path.replaceAll("#000000", Colours.ink(colours[Number(k)])) : path));
  return `${drawing.bonds.replaceAll("#000000", ink)}${discs.join("")}${labels.replaceAll("#000000", ink)}`;
}

/** @param {Element} root @param {Flat} flat @param {Mode} mode @param {Tables} tables @param {Events} events */
function drawFlat(root, flat, mode, tables, events) {
  const { drawing } = flat;
  const text = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${drawing.width} ${drawing.height}">${flatSvg(flat, mode, tables, "currentColor")}</svg>`;
  const svg = document.adoptNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Drawing of ${flat.name}, hydrogens folded into their atoms`);
  svg.style.maxWidth = `${1.7 * drawing.width}px`;
  drawing.places.forEach(([x, y], k) => {
    const [atom] = drawing.members[k];
    const spot = element("circle", { class: "spot", cx: x, cy: y, r: drawing.radius + 2.5, "data-atom": atom },
      element("title", {}, `${flat.symbols[k]}${atom}  ${scoreText(flat, flat.scores[k])}`));
    svg.append(spot);
  });
  const atomOf = (event) => (event.target.dataset?.atom === undefined ? null : Number(event.target.dataset.atom));
  svg.addEventListener("pointermove", (event) => events.hover(atomOf(event)));
  svg.addEventListener("pointerleave", () => events.hover(null));
  svg.addEventListener("click", (event) => events.choose(atomOf(event)));
  root.replaceChildren(svg);
}

/**
 * The scores by functional group; pointing at one lights all its atoms.
 * @param {Element} root @param {Flat} flat @param {Mode} mode @param {Tables} tables @param {Events} events
 */
function drawGroups(root, flat, mode, tables, events) {
  const { groups } = flat.drawing;
  const most = Math.max(...groups.map((group) => Math.abs(group.score)), 1e-300);
  const scale = Colours.scale(flat, mode === "elements" ? "range" : mode, tables);
  const rows = groups.map((group) => {
    const heavy = group.atoms.filter((atom) => flat.drawing.members.some(([first]) => first === atom));
    const each = group.score / Math.max(heavy.length, 1);
    const row = element("button", { type: "button", class: "group-row", title: heavy.map((atom) => `${flat.symbols[flat.owner.get(atom)]}${atom}`).join(", ") },
      element("span", { class: "group-name" }, group.name, ...(heavy.length > 1 ? [element("span", { class: "quiet" }, ` × ${heavy.length}`)] : [])),
      element("span", { class: "group-bar" }, element("i", { style: `width:${(100 * Math.abs(group.score)) / most}%;background:${Colours.at(scale, each)}` })),
      element("span", { class: "group-score" }, shortNumber(group.score)));
    const light = (on) => {
      const owners = new Set(group.atoms.map((atom) => flat.owner.get(atom)));
      for (const spot of document.querySelectorAll(".paper .spot")) {
        if (root.closest(".viewer").contains(spot)) spot.classList.toggle("hot", on && owners.has(flat.owner.get(Number(spot.dataset.atom))));
      }
    };
    row.addEventListener("pointerenter", () => light(true));
    row.addEventListener("pointerleave", () => light(false));
    row.addEventListener("focus", () => light(true));
    row.addEventListener("blur", () => light(false));
    row.addEventListener("click", () => events.choose(group.atoms[0]));
    return row;
  });
  root.replaceChildren(...rows);
}

/** @param {Element} root @param {Flat} flat @param {number | null} hot @param {number | null} chosen */
function markFlat(root, flat, hot, chosen) {
  const of = (atom) => (atom === null ? undefined : flat.owner.get(atom));
  for (const node of root.querySelectorAll(".spot")) {
    const k = flat.owner.get(Number(node.dataset.atom));
    node.classList.toggle("hot", k === of(hot));
    node.classList.toggle("chosen", k === of(chosen));
  }
}

/**
 * The file: name, value, drawing, scale with its unit.
 * @param {Flat} flat @param {Mode} mode @param {Tables} tables
 */
function flatFile(flat, mode, tables) {
  const { drawing } = flat;
  const safe = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const width = Math.max(drawing.width, 420), top = 58, height = top + drawing.height + 62, y = top + drawing.height + 14;
  const letters = Math.floor((width - 32) / 10.5);
  const font = `font-family="DejaVu Sans, Segoe UI, Helvetica, Arial, sans-serif"`;
  const write = (x, at, size, text, more = "") => `<text x="${x}" y="${at}" ${font} font-size="${size}" fill="#1d242b" ${more}>${safe(text)}</text>`;
  const parts = [
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    write(16, 26, 15, flat.name.length > letters ? `${flat.name.slice(0, letters - 1)}…` : flat.name, `font-weight="700"`),
    write(16, 46, 13, `${flat.target_text} = ${flat.prediction_text}`),
    `<g transform="translate(${(width - drawing.width) / 2} ${top})">${flatSvg(flat, mode, tables)}</g>`,
  ];
  const scale = Colours.scale(flat, mode, tables);
  if (mode !== "elements" && !scale.flat) {
    const { low, high, colours } = Colours.part(flat, scale);
    const left = 70, right = width - 70, step = (right - left) / colours.length;
    parts.push(write(16, y + 8, 11.5, `${flat.method} per atom with its hydrogens${flat.score_unit ? `, ${flat.score_unit}` : ""}`));
    colours.forEach((colour, k) => parts.push(`<rect x="${left + k * step}" y="${y + 18}" width="${step + 0.6}" height="11" fill="${colour}" shape-rendering="crispEdges"/>`));
    parts.push(write(left - 8, y + 28, 11.5, shortNumber(low), `text-anchor="end"`), write(right + 8, y + 28, 11.5, shortNumber(high)));
    if (flat.baseline === 0 && low < 0 && high > 0) {
      const x = left + ((right - left) * -low) / (high - low);
      parts.push(`<path d="M ${x} ${y + 15} v 17" stroke="#1d242b" stroke-width="1.5"/>`, write(x, y + 43, 11.5, "no effect", `text-anchor="middle"`));
    }
  }
  return { width, height, text: `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${parts.join("\n")}</svg>\n` };
}
