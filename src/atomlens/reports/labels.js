// Labels, rings and the hint at the pointed atom, on a flat canvas over the 3D picture.

// turn a point by a unit quaternion
function turn([qx, qy, qz, qw], x, y, z) {
  const tx = 2 * (qy * z - qz * y), ty = 2 * (qz * x - qx * z), tz = 2 * (qx * y - qy * x);
  return [x + qw * tx + qy * tz - qz * ty, y + qw * ty + qz * tx - qx * tz, z + qw * tz + qx * ty - qy * tx];
}

const LABEL_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif';

/** @param {CanvasRenderingContext2D} pen @param {string} text @param {string} ink @param {string} paper */
function writeHaloed(pen, text, x, y, size, ink, paper, style = "") {
  pen.font = `${style} 600 ${size}px ${LABEL_FONT}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.lineWidth = size / 3.5;
  pen.strokeStyle = paper;
  pen.strokeText(text, x, y);
  pen.fillStyle = ink;
  pen.fillText(text, x, y);
}

/** @param {Structure} structure @param {string} mode @param {number} atom */
function labelText(structure, mode, atom) {
  const symbol = structure.symbols[atom];
  if (mode === "numbers") return `${symbol}${atom}`;
  if (mode === "scores") return shortNumber(structure.scores[atom], 2);
  return symbol;
}

/** @param {CanvasRenderingContext2D} pen @param {Structure} structure @param {StageOptions} options @param {Seen[]} seen @param {string} ink @param {string} paper */
function drawLabels(pen, structure, options, seen, ink, paper) {
  if (options.labels === "none") return;
  const few = seen.length <= MANY_ATOMS;
  const top = new Set(structure.order.slice(0, N_TOP_LABELS));
  const taken = []; // boxes of the labels written so far
  const hydrogenOnly = structure.symbols.every((symbol) => symbol === "H");
  // near atoms first, of the top scores the highest: what would be written over them stays away
  const rank = new Map(structure.order.map((atom, place) => [atom, place]));
  const inOrder = [...seen].sort((a, b) => (options.labels === "scores" && rank.get(a.d.atom) - rank.get(b.d.atom)) || b.depth - a.depth);
  for (const s of inOrder) {
    const atom = s.d.atom;
    if (options.labels === "scores" || !few ? !top.has(atom) : false) continue;
    if (options.labels === "symbols" && structure.symbols[atom] === "H" && !hydrogenOnly) continue;
    const text = labelText(structure, options.labels, atom);
    const inside = options.labels !== "scores";
    const size = inside ? Math.min(17, s.r * Math.min(0.95, 1.9 / text.length)) : 12;
    if (size < 7) continue;
    if (few && seen.some((o) => o.depth > s.depth + 0.01 && Math.hypot(o.x - s.x, o.y - s.y) < o.r + (inside ? 0.4 * size : 0))) continue;
    const box = { x: s.x, y: s.y, w: (0.31 * text.length + 0.1) * size, h: 0.55 * size };
    if (taken.some((o) => Math.abs(o.x - box.x) < o.w + box.w && Math.abs(o.y - box.y) < o.h + box.h)) continue;
    taken.push(box);
    if (!inside) writeHaloed(pen, text, s.x, s.y, size, ink, paper);
    else {
      pen.font = `600 ${size}px ${LABEL_FONT}`;
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.fillStyle = Colours.ink(s.d.colour);
      pen.fillText(text, s.x, s.y + size * 0.05);
    }
  }
}

/** @param {CanvasRenderingContext2D} pen @param {Structure} structure @param {Seen[]} seen @param {number | null} hot @param {number | null} chosen @param {string} ink @param {string} paper */
function drawRings(pen, structure, seen, hot, chosen, ink, paper) {
  for (const [atom, width] of [[chosen, 3], [hot, 2]]) {
    if (atom === null) continue;
    for (const s of seen) {
      if (s.d.atom !== atom) continue;
      for (const [extra, colour] of /** @type {[number, string][]} */ ([[2.5, paper], [0, ink]])) {
        pen.beginPath();
        pen.arc(s.x, s.y, s.r + 3, 0, 2 * Math.PI);
        pen.lineWidth = width + extra;
        pen.strokeStyle = colour;
        pen.stroke();
      }
    }
  }
  const named = hot ?? chosen;
  if (named !== null) drawHint(pen, structure, seen, named, ink, paper);
}

// a small box beside the nearest copy of the atom: name, score, multiple of the even share
/** @param {CanvasRenderingContext2D} pen @param {Structure} structure @param {Seen[]} seen @param {number} atom @param {string} ink @param {string} paper */
function drawHint(pen, structure, seen, atom, ink, paper) {
  const copies = seen.filter((s) => s.d.atom === atom).sort((a, b) => b.depth - a.depth);
  if (!copies.length) return;
  const s = copies[0];
  const share = structure.baseline ? `  ${shortNumber(structure.scores[atom] / structure.baseline)}×` : "";
  const text = `${structure.symbols[atom]}${atom}  ${scoreText(structure, structure.scores[atom])}${share}`;
  pen.font = `600 13px ${LABEL_FONT}`;
  const width = pen.measureText(text).width + 16;
  const limit = pen.canvas.width / (window.devicePixelRatio || 1);
  const x = Math.min(Math.max(4, s.x - width / 2), limit - width - 4);
  const height = pen.canvas.height / (window.devicePixelRatio || 1);
  const y = s.y < height / 2 ? Math.max(2, s.y - s.r - 34) : Math.min(height - 26, s.y + s.r + 10);
  pen.fillStyle = ink;
  pen.beginPath();
  pen.roundRect(x, y, width, 24, 6);
  pen.fill();
  pen.fillStyle = paper;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillText(text, x + 8, y + 12.5);
}
