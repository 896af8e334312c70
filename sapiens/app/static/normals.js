// Surface normals: as colours, and as something a light can be moved over.

import { choice, h, slider, Stage } from "./stage.js";

export const id = "normals";
export const task = "normal";
export const title = "Normals";
export const download = "npz";

const MOST_PIXELS = 700_000;

export async function show({ picture, ask }) {
  const map = await createImageBitmap(await (await ask("picture")).blob());
  // Light is computed for every pixel at every move; beyond this many a smaller map is lit, and shown at full size.
  const factor = Math.min(1, Math.sqrt(MOST_PIXELS / (map.width * map.height)));
  const [width, height] = [map.width, map.height].map((size) => Math.max(1, Math.round(size * factor)));
  const pixels = (source) => {
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(source, 0, 0, width, height);
    return context.getImageData(0, 0, width, height).data;
  };
  const normals = pixels(map);
  const colours = picture.bitmap ? pixels(picture.bitmap) : null;
  const chosen = { mode: "light", ambient: 0.2, x: -0.5, y: 0.5 };
  const lit = new OffscreenCanvas(width, height);

  const stage = new Stage(map.width, map.height, `Surface normals of ${picture.name}; arrow keys or dragging move the light`,
    { drag: (dx, dy, at) => light((2 * at.x) / map.width - 1, 1 - (2 * at.y) / map.height), hover: undefined });

  function light(x, y) {
    const length = Math.max(1, Math.hypot(x, y));
    [chosen.x, chosen.y] = [x / length, y / length];
    draw();
  }

  function draw() {
    if (chosen.mode === "map") {
      stage.context.drawImage(map, 0, 0);
      stage.readout.textContent = "Red grows to the right, green upwards, blue towards the camera.";
      return;
    }
    const z = Math.sqrt(Math.max(0.05, 1 - chosen.x ** 2 - chosen.y ** 2));
    const context = lit.getContext("2d");
    const image = context.createImageData(width, height);
    for (let k = 0; k < normals.length; k += 4) {
      const [nx, ny, nz] = [normals[k] / 127.5 - 1, normals[k + 1] / 127.5 - 1, normals[k + 2] / 127.5 - 1];
      const off = normals[k] + normals[k + 1] + normals[k + 2] === 0;
      const shade = off ? 0.35 : chosen.ambient + (1 - chosen.ambient) * Math.max(0, nx * chosen.x + ny * chosen.y + nz * z) * 1.3;
      for (let c = 0; c < 3; c++) image.data[k + c] = shade * (chosen.mode === "picture" && colours ? colours[k + c] : off ? 90 : 215);
      image.data[k + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    stage.context.drawImage(lit, 0, 0, map.width, map.height);
    const at = { x: ((chosen.x + 1) / 2) * map.width, y: ((1 - chosen.y) / 2) * map.height };
    stage.context.fillStyle = "#ffd94a";
    stage.context.strokeStyle = "#000";
    stage.context.lineWidth = stage.scale;
    stage.context.beginPath();
    stage.context.arc(at.x, at.y, 8 * stage.scale, 0, 7);
    stage.context.fill();
    stage.context.stroke();
    const word = (value, less, more) => `${Math.abs(Math.round(100 * value))} % ${value < 0 ? less : more}`;
    stage.readout.textContent = `Light from ${word(chosen.x, "left", "right")}, ${word(chosen.y, "below", "above")}. Drag it over the picture, or use the arrow keys.`;
  }

  const modes = [["light", "Lit surface"], ["picture", "Lit picture"], ["map", "Normal map"]];
  const mode = choice("Show", modes, (value) => ((chosen.mode = value), draw()));
  const ambient = slider("Light from everywhere", 0, 1, 0.01, chosen.ambient, (value) => ((chosen.ambient = value), draw()));
  const view = h("div", {}, h("div", { class: "row" }, mode.element, ambient.element), stage.element, stage.readout);
  view.addEventListener("shown", draw);
  return view;
}
