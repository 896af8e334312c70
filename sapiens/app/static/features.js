// Features of the backbone: which patches look alike to it, within a picture and across two.

import { readArray } from "./client.js";
import { choice, h, Stage } from "./stage.js";

export const id = "features";
export const task = "features";
export const title = "Features";
export const download = "npz";

export async function show({ picture, before, ask }) {
  const sides = [await load(picture, ask)];
  if (before) sides.push(await load(before, ask));
  const colours = principal(sides);
  const chosen = { mode: "similar", from: null };

  sides.forEach((side, number) => {
    const label = `${side.picture.name}: point at a patch, or walk with the arrow keys, for patches like it`;
    side.stage = new Stage(side.width, side.height, label, { hover: (at) => at && point(number, at) });
  });
  const readout = h("output", { class: "readout", "aria-live": "polite" });

  function point(number, at) {
    const { rows, columns, width, height } = sides[number];
    const row = Math.min(rows - 1, Math.floor((at.y / height) * rows));
    const column = Math.min(columns - 1, Math.floor((at.x / width) * columns));
    chosen.from = { number, patch: row * columns + column };
    draw();
  }

  function draw() {
    const likes = chosen.from && sides.map((side) => alike(sides[chosen.from.number], chosen.from.patch, side));
    sides.forEach((side, number) => {
      side.stage.paint(side.picture);
      const map = new OffscreenCanvas(side.columns, side.rows);
      const image = map.getContext("2d").createImageData(side.columns, side.rows);
      for (let k = 0; k < side.rows * side.columns; k++) {
        if (chosen.mode === "colours") image.data.set([...colours[number].subarray(3 * k, 3 * k + 3), 255], 4 * k);
        else if (likes) image.data.set([255, 200, 0, 230 * Math.max(0, likes[number][k]) ** 2], 4 * k);
      }
      map.getContext("2d").putImageData(image, 0, 0);
      side.stage.context.imageSmoothingEnabled = false;
      side.stage.context.drawImage(map, 0, 0, side.width, side.height);
      if (chosen.mode === "similar" && likes) frame(side, best(likes[number], chosen.from, number));
    });
    readout.textContent = likes ? tell(likes) : "Point at a patch, or walk with the arrow keys, for patches like it.";
  }

  /** The patch most like the chosen one, other than itself. */
  function best(values, from, number) {
    let top = -1;
    values.forEach((value, k) => {
      if (!(number === from.number && k === from.patch) && (top < 0 || value > values[top])) top = k;
    });
    return top;
  }
  function frame(side, patch) {
    const [w, tall] = [side.width / side.columns, side.height / side.rows];
    side.stage.context.strokeStyle = "#fff";
    side.stage.context.lineWidth = 2 * side.stage.scale;
    side.stage.context.strokeRect((patch % side.columns) * w, Math.floor(patch / side.columns) * tall, w, tall);
  }
  function tell(likes) {
    const { number, patch } = chosen.from;
    const from = sides[number];
    const place = (side, k) => `row ${Math.floor(k / side.columns) + 1}, column ${(k % side.columns) + 1}`;
    const found = likes.map((values, k) => {
      const top = best(values, chosen.from, k);
      return `${place(sides[k], top)} of ${sides[k].picture.name} (cosine ${values[top].toFixed(2)})`;
    });
    return `Patch at ${place(from, patch)} of ${from.picture.name}. Most alike: ${found.join("; ")}.`;
  }

  const modes = [["similar", "Patches like this one"], ["colours", "Principal components as colours"]];
  const mode = choice("Show", modes, (value) => ((chosen.mode = value), draw()));
  const hint = before ? "" : "Open a second picture to compare the two.";
  const view = h("div", {}, h("div", { class: "row" }, mode.element, h("span", { class: "hint" }, hint)), readout,
    h("div", { class: "split" }, ...sides.map((side) => h("div", { class: "main" }, side.stage.element, h("p", { class: "note" }, side.picture.name)))));
  view.addEventListener("shown", draw);
  return view;
}

async function load(picture, ask) {
  const result = await (await ask("json", { of: picture })).json();
  const { shape, data } = readArray(result.arrays.features);
  const [height, width] = result.size_hw;
  return { picture, height, width, rows: shape[0], columns: shape[1], depth: shape[2], data };
}

/** Cosine similarity of one patch to all patches of a picture; the vectors have unit length. */
function alike(from, patch, side) {
  const { depth } = side;
  const wanted = from.data.subarray(patch * depth, (patch + 1) * depth);
  return Float32Array.from({ length: side.rows * side.columns }, (_, k) => {
    let sum = 0;
    for (let c = 0; c < depth; c++) sum += wanted[c] * side.data[k * depth + c];
    return sum;
  });
}

/** The first three principal components over both pictures as colours, by power iteration. */
function principal(sides) {
  const { depth } = sides[0];
  const all = sides.map((side) => Float32Array.from(side.data));
  const count = all.reduce((sum, data) => sum + data.length / depth, 0);
  const mean = new Float64Array(depth);
  for (const data of all) data.forEach((value, k) => (mean[k % depth] += value / count));
  for (const data of all) data.forEach((value, k) => (data[k] = value - mean[k % depth]));
  const parts = all.map((data) => new Float32Array((3 * data.length) / depth));
  for (let component = 0; component < 3; component++) {
    let axis = Float64Array.from({ length: depth }, (_, k) => Math.sin(k + 1 + component));
    for (let turn = 0; turn < 30; turn++) axis = unit(push(all, axis, depth));
    all.forEach((data, side) => {
      for (let k = 0; k < data.length / depth; k++) {
        let sum = 0;
        for (let c = 0; c < depth; c++) sum += data[k * depth + c] * axis[c];
        parts[side][3 * k + component] = sum;
        for (let c = 0; c < depth; c++) data[k * depth + c] -= sum * axis[c];
      }
    });
  }
  return spread(parts);
}

function push(all, axis, depth) {
  const next = new Float64Array(depth);
  for (const data of all) {
    for (let k = 0; k < data.length; k += depth) {
      let sum = 0;
      for (let c = 0; c < depth; c++) sum += data[k + c] * axis[c];
      for (let c = 0; c < depth; c++) next[c] += data[k + c] * sum;
    }
  }
  return next;
}

function unit(vector) {
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

function spread(parts) {
  const bounds = [0, 1, 2].map((component) => {
    const values = parts.flatMap((side) => Array.from(side).filter((_, k) => k % 3 === component)).sort((a, b) => a - b);
    return [values[Math.floor(values.length * 0.02)], values[Math.floor(values.length * 0.98)]];
  });
  return parts.map((side) =>
    Uint8ClampedArray.from(side, (value, k) => (255 * (value - bounds[k % 3][0])) / (bounds[k % 3][1] - bounds[k % 3][0] || 1)),
  );
}
