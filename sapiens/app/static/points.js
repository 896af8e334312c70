// Points in metres: turn them, and measure between any two.

import { readArray, readFloats } from "./client.js";
import { Cloud } from "./cloud.js";
import { h, Stage } from "./stage.js";

export const id = "points";
export const task = "pointmap";
export const title = "Points";
export const download = "glb";

const MOST_POINTS = 200_000;
const VIEW = [640, 480];

export async function show({ picture, ask }) {
  const result = await (await ask("json", { arrays: "mask" })).json();
  const [height, width] = result.size_hw;
  const points = readFloats(await (await ask("npy")).arrayBuffer());
  const mask = result.arrays.mask ? readArray(result.arrays.mask).data : null;
  const metric = result.arrays.metric.data;
  const focal = result.arrays.intrinsics.data[0][0];
  const cloud = collect(points, mask, picture, width, height);
  const unit = metric ? "m" : "canonical units";
  const picked = [];

  const flat = new Stage(width, height, `${picture.name}; choose two points with Enter for the distance between them`,
    { hover: (at) => tell(at), pick: (at) => pick(Math.floor(at.y) * width + Math.floor(at.x)) });
  const space = new Stage(...VIEW, "The points in space; arrow keys or dragging turn them, plus and minus change the distance",
    { drag: (dx, dy) => (cloud.turn(-dx / 150, dy / 150), draw()), pick: pickInSpace });
  space.canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1);
  });
  space.canvas.addEventListener("keydown", (event) => {
    if (event.key === "+" || event.key === "=") zoom(1.1);
    if (event.key === "-") zoom(1 / 1.1);
  });
  let shown = new Int32Array();

  const at3 = (pixel) => [points[3 * pixel], points[3 * pixel + 1], points[3 * pixel + 2]];
  const spell = (xyz) => xyz.map((value) => value.toFixed(3)).join(", ");

  function zoom(factor) {
    cloud.zoom = Math.max(0.3, Math.min(8, cloud.zoom * factor));
    draw();
  }
  function tell(at) {
    if (!at) return;
    const pixel = Math.floor(at.y) * width + Math.floor(at.x);
    flat.readout.textContent = `x, y, z: ${spell(at3(pixel))} ${unit}`;
    drawFlat();
    flat.cross(at);
  }
  function pickInSpace(at) {
    const [x, y] = [Math.floor(at.x), Math.floor(at.y)];
    for (let reach = 0; reach < 8; reach++) {
      for (let row = y - reach; row <= y + reach; row++) {
        for (let column = x - reach; column <= x + reach; column++) {
          const n = shown[row * VIEW[0] + column];
          if (n >= 0) return pick(cloud.pixel[n]);
        }
      }
    }
  }
  function pick(pixel) {
    if (picked.length === 2) picked.length = 0;
    picked.push(pixel);
    const [a, b] = picked.map(at3);
    measure.textContent = b
      ? `Distance: ${Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]).toFixed(3)} ${unit}, from ${spell(a)} to ${spell(b)}`
      : `First point: ${spell(a)} ${unit}. Choose a second one.`;
    draw();
    drawFlat();
  }
  function drawFlat() {
    flat.paint(picture);
    const context = flat.context;
    const places = picked.map((pixel) => ({ x: (pixel % width) + 0.5, y: Math.floor(pixel / width) + 0.5 }));
    mark(context, places, flat.scale);
  }
  function draw() {
    const image = space.context.createImageData(...VIEW);
    shown = cloud.draw(image);
    space.context.putImageData(image, 0, 0);
    const places = picked.map((pixel) => {
      const [x, y] = cloud.project(...at3(pixel), ...VIEW);
      return { x, y };
    });
    mark(space.context, places, space.scale);
  }

  const measure = h("output", { class: "readout", "aria-live": "polite", id: "distance" }, "Click two points, in either picture, for the distance between them.");
  const facts = metric
    ? `${cloud.pixel.length} points shown. Focal length ${focal.toFixed(0)} pixels. x right, y down, z forward, in metres.`
    : `${cloud.pixel.length} points shown. The network gave no usable scale: these are not metres.`;
  const reset = h("button", { type: "button", click: () => (Object.assign(cloud, { yaw: 0, pitch: 0, zoom: 1 }), draw()) }, "View from the camera");
  const view = h("div", {},
    measure,
    h("div", { class: "split" },
      h("div", { class: "main" }, space.element, h("div", { class: "row" }, reset,
        h("button", { type: "button", click: () => (cloud.turn(0.3, 0), draw()) }, "Turn left"),
        h("button", { type: "button", click: () => (cloud.turn(-0.3, 0), draw()) }, "Turn right")),
      h("p", { class: "note" }, facts)),
      h("div", { class: "side" }, flat.element, flat.readout)));
  view.addEventListener("shown", () => (draw(), drawFlat()));
  return view;
}

function mark(context, places, scale) {
  context.lineWidth = 2 * scale;
  context.strokeStyle = "#ffd94a";
  context.beginPath();
  places.forEach(({ x, y }, k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
  for (const { x, y } of places) {
    context.fillStyle = "#ffd94a";
    context.strokeStyle = "#000";
    context.beginPath();
    context.arc(x, y, 5 * scale, 0, 7);
    context.fill();
    context.stroke();
  }
}

/** The finite points of the foreground, evenly thinned out, with the picture's colours. */
function collect(points, mask, picture, width, height) {
  const kept = [];
  for (let k = 0; k < width * height; k++) {
    if ((!mask || mask[k]) && Number.isFinite(points[3 * k] + points[3 * k + 1] + points[3 * k + 2])) kept.push(k);
  }
  const step = Math.max(1, kept.length / MOST_POINTS);
  const pixel = Int32Array.from({ length: Math.floor(kept.length / step) }, (_, n) => kept[Math.floor(n * step)]);
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.fillStyle = "#808080";
  context.fillRect(0, 0, width, height);
  if (picture.bitmap) context.drawImage(picture.bitmap, 0, 0, width, height);
  const colours = context.getImageData(0, 0, width, height).data;
  const [xyz, rgb] = [new Float32Array(3 * pixel.length), new Uint8Array(3 * pixel.length)];
  pixel.forEach((k, n) => {
    for (let c = 0; c < 3; c++) (xyz[3 * n + c] = points[3 * k + c]), (rgb[3 * n + c] = colours[4 * k + c]);
  });
  return new Cloud(xyz, rgb, pixel);
}
