// What can be taken away: the table, the structure with its scores, the picture.

/** @param {string} name */
function fileStem(name) {
  return name.replace(/[^\p{L}\p{N}._+-]+/gu, "_").replace(/^[._]+|[._]+$/g, "").slice(0, 80) || "structure";
}

/** @param {string} name */
function save(content, type, name) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = element("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// an SVG as PNG, three pixels a unit
function savePaper({ width, height, text }, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  const picture = new Image();
  picture.onload = () => {
    const canvas = element("canvas", { width: 3 * width, height: 3 * height });
    canvas.getContext("2d").drawImage(picture, 0, 0, 3 * width, 3 * height);
    URL.revokeObjectURL(address);
    canvas.toBlob((blob) => save(blob, "image/png", name));
  };
  picture.src = address;
}

/** @param {Structure} structure */
function toCsv(structure) {
  const spread = structure.scores_std !== null, share = Boolean(structure.baseline);
  /** @type {(string | number)[][]} */
  const lines = [["index", "element", "x", "y", "z", "score", ...(share ? ["score_over_baseline"] : []), ...(spread ? ["score_std"] : [])]];
  structure.symbols.forEach((symbol, i) => lines.push([
    i, symbol, ...(structure.is_formula ? ["", "", ""] : structure.positions[i]), structure.scores[i],
    ...(share ? [structure.scores[i] / structure.baseline] : []), ...(spread ? [structure.scores_std[i]] : [])]));
  return lines.map((line) => line.join(",")).join("\n") + "\n";
}

/** @param {Structure} structure */
function toExtxyz(structure) {
  const quoted = (text) => `"${String(text).replace(/[\r\n]+/g, " ").replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"`;
  const facts = [];
  if (structure.cell) facts.push(`Lattice="${structure.cell.flat().join(" ")}"`);
  const score = structure.method === "contribution" ? "contribution" : "attention"; // as `explain` writes it
  const columns = `species:S:1:pos:R:3:${score}:R:1` + (structure.scores_std ? `:${score}_std:R:1` : "");
  facts.push(`Properties=${columns}`);
  for (const [key, value] of Object.entries(structure.facts)) { // called as `explain` calls them
    const name = /^[A-Za-z_][\w.-]*$/.test(key) ? key : key.startsWith(structure.target) ? `prediction${key.slice(structure.target.length)}` : null;
    if (name !== null) facts.push(`${name}=${typeof value === "number" ? value : quoted(value)}`);
  }
  if (structure.is_formula) facts.push("is_formula=T");
  facts.push(`pbc="${structure.pbc.map((p) => (p ? "T" : "F")).join(" ")}"`);
  const rows = structure.symbols.map((symbol, i) => [symbol, ...structure.positions[i], structure.scores[i],
    ...(structure.scores_std ? [structure.scores_std[i]] : [])].join(" "));
  return [structure.symbols.length, facts.join(" "), ...rows].join("\n") + "\n";
}

// the view on white, with name, value and colour scale, as one picture
/** @param {Stage} stage @param {Structure} structure @param {Mode} mode @param {Tables} tables */
function toPicture(stage, structure, mode, tables) {
  const ratio = 2, { clientWidth: width, clientHeight: height } = stage.root;
  const head = 64, foot = 54;
  const canvas = element("canvas");
  canvas.width = width * ratio;
  canvas.height = (height + head + foot) * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, width, height + head + foot);
  stage.viewer.setBackgroundColor("#ffffff", 1);
  stage.viewer.render();
  pen.drawImage(stage.viewer.getCanvas(), 0, head, width, height);
  stage.viewer.setBackgroundColor(Colours.css("--stage"), 1);
  stage.viewer.render();
  pen.save();
  pen.translate(0, head);
  stage.drawMarks(pen, "#1d242b", "#ffffff");
  pen.restore();
  pen.fillStyle = "#1d242b";
  pen.textAlign = "left";
  pen.textBaseline = "alphabetic";
  pen.font = `700 18px ${LABEL_FONT}`;
  pen.fillText(`${structure.name}  ${structure.name === structure.formula ? "" : structure.formula}`, 16, 28, width - 32);
  pen.font = `15px ${LABEL_FONT}`;
  pen.fillText(`${structure.target_text} = ${structure.prediction_text}`, 16, 52, width - 32);
  const scale = Colours.scale(structure, mode, tables);
  if (mode !== "elements" && !scale.flat) drawScale(pen, structure, scale, width, head + height + 14);
  return canvas;
}

/** @param {CanvasRenderingContext2D} pen @param {Structure} structure @param {Scale} scale */
function drawScale(pen, structure, scale, width, y) {
  const { low, high, colours } = Colours.part(structure, scale);
  const title = `${structure.method} per atom`;
  pen.fillStyle = "#1d242b";
  pen.font = `13px ${LABEL_FONT}`;
  pen.textAlign = "left";
  pen.fillText(title, 16, y + 11);
  const lowText = shortNumber(low), highText = scoreText(structure, high);
  const left = 48 + pen.measureText(title).width + pen.measureText(lowText).width;
  const right = width - 24 - pen.measureText(highText).width;
  pen.fillText(lowText, left - 8 - pen.measureText(lowText).width, y + 11);
  pen.fillText(highText, right + 8, y + 11);
  colours.forEach((colour, k) => {
    pen.fillStyle = colour;
    pen.fillRect(left + ((right - left) * k) / colours.length, y, (right - left) / colours.length + 0.5, 12);
  });
  if (structure.baseline === null || structure.baseline < low || structure.baseline > high) return;
  const at = left + ((right - left) * (structure.baseline - low)) / (high - low);
  pen.fillStyle = "#1d242b";
  pen.fillRect(at - 1, y - 4, 2, 20);
  pen.textAlign = "center";
  pen.fillText(structure.baseline === 0 ? "no effect" : "even share", Math.min(Math.max(at, left + 40), right - 40), y + 30);
}
