// Scores of pairs of neighbours: lines in the 3D view, and a list of the largest.

const N_LISTED = 10;

// where a score stands between nothing and the largest of the structure
/** @param {Structure} structure @param {number} score */
function linkShare(structure, score) {
  const most = structure.links.length ? structure.links[0][2] : 0;
  return most > 0 ? score / most : 0;
}

/** @param {Structure} structure @param {Tables} tables @param {number} share */
function linkColour(structure, tables, share) {
  return tables.score[Math.round(share * (tables.score.length - 1))];
}

/** @param {Structure} structure @param {number} drawn */
function atomOfDrawn(structure, drawn) {
  return structure.scene.atom_index ? structure.scene.atom_index[drawn] : drawn;
}

// one line for each pair of drawn atoms, thicker and stronger in colour with its score
/** @param {Stage} stage */
function paintLinks(stage) {
  const { structure, tables } = stage;
  const point = ({ x, y, z }) => ({ x, y, z });
  for (const [first, second, score] of structure.links) {
    const share = linkShare(structure, score);
    if (share < 0.03) continue;
    stage.viewer.addCylinder({
      start: point(stage.drawn[first]), end: point(stage.drawn[second]), radius: 0.02 + 0.13 * share,
      color: linkColour(structure, tables, share), fromCap: 1, toCap: 1,
    });
  }
}

// the pairs of atoms with the largest scores; copies of one pair are the pair
/** @param {HTMLElement} root @param {Structure} structure @param {Tables} tables @param {Events} events */
function listLinks(root, structure, tables, events) {
  const seen = new Map();
  for (const [first, second, score] of structure.links) {
    const [a, b] = [atomOfDrawn(structure, first), atomOfDrawn(structure, second)];
    const key = `${a}-${b}-${score}`;
    if (!seen.has(key)) seen.set(key, { a, b, score });
  }
  root.replaceChildren(...[...seen.values()].slice(0, N_LISTED).map(({ a, b, score }) => {
    const share = linkShare(structure, score);
    const row = element("button", { type: "button", class: "group-row" },
      element("span", { class: "group-name" }, `${structure.symbols[a]}${a} – ${structure.symbols[b]}${b}`),
      element("span", { class: "group-bar" }, element("i", { style: `width:${100 * share}%;background:${linkColour(structure, tables, share)}` })),
      element("span", { class: "group-score" }, shortNumber(score)));
    row.addEventListener("pointerenter", () => events.hover(a));
    row.addEventListener("pointerleave", () => events.hover(null));
    row.addEventListener("click", () => events.choose(b));
    return row;
  }));
}
