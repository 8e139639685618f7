// One structure in 3D, coloured by element: drag turns, wheel zooms.

const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
const point = ([x, y, z]) => ({ x, y, z });

function draw() {
  const viewer = $3Dmol.createViewer(document.getElementById("view"), { backgroundColor: css("--stage") });
  const bonds = data.atoms.map(() => []);
  for (const [i, j] of data.bonds) { bonds[i].push(j); bonds[j].push(i); }
  const model = viewer.addModel();
  model.addAtoms(data.atoms.map((atom, k) => ({
    ...atom, serial: k, index: k, bonds: bonds[k], bondOrder: bonds[k].map(() => 1),
  })));
  model.setStyle({}, data.bonds.length
    ? { sphere: { radius: 0.4 }, stick: { radius: 0.11, color: css("--stick") } } : { sphere: { radius: 0.4 } });
  for (const atom of model.selectedAtoms({})) {
    const { colour, radius } = data.elements[atom.elem];
    Object.assign(atom.style.sphere, { radius, color: colour });
  }
  for (const [start, end] of data.cell) {
    viewer.addCylinder({
      start: point(start), end: point(end), radius: 0.035, color: css("--line"),
      dashed: true, dashLength: 0.34, gapLength: 0.22,
    });
  }
  viewer.setViewStyle({ style: "outline", width: 0.025, color: css("--line") });
  viewer.zoomTo();
  const view = viewer.getView();
  viewer.setView([...view.slice(0, 4), ...data.quaternion]);
  viewer.zoomTo();
  viewer.zoom(0.9);
  viewer.render();
  root.dataset.drawn = String(data.atoms.length);
}

try {
  draw();
} catch (problem) {
  document.getElementById("said").textContent += " (this browser shows no 3D: WebGL is off)";
  root.dataset.drawn = "0";
}
root.dataset.ready = "yes";
