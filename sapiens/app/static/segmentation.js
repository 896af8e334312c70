// Body parts: which pixel belongs to which, and how large each is.

import { readArray } from "./client.js";
import { h, slider, Stage } from "./stage.js";

export const id = "segmentation";
export const task = "seg";
export const title = "Segmentation";
export const download = "labels";

export async function show({ picture, ask, words }) {
  const result = await (await ask("json")).json();
  const [height, width] = result.size_hw;
  const labels = readArray(result.arrays.labels).data;
  const { names, colours_rgb: colours } = words.legend;
  const areas = new Array(names.length).fill(0);
  for (const label of labels) areas[label]++;
  const present = areas.flatMap((area, label) => (area && label ? [label] : [])).sort((a, b) => areas[b] - areas[a]);
  const shown = new Set(present);
  const chosen = { opacity: 0.6 };
  const share = (label) => `${((100 * areas[label]) / labels.length).toFixed(2)} %`;
  const human = (label) => names[label].replaceAll("_", " ");

  const overlay = new OffscreenCanvas(width, height);
  const stage = new Stage(width, height, `${picture.name} with ${present.length} body parts in colour`, { hover });

  function colour() {
    const context = overlay.getContext("2d");
    const image = context.createImageData(width, height);
    labels.forEach((label, k) => {
      if (!shown.has(label)) return;
      image.data.set(colours[label], 4 * k);
      image.data[4 * k + 3] = 255;
    });
    context.putImageData(image, 0, 0);
    draw();
  }
  function draw() {
    stage.paint(picture);
    stage.context.globalAlpha = chosen.opacity;
    stage.context.drawImage(overlay, 0, 0);
    stage.context.globalAlpha = 1;
  }
  function hover(at) {
    const label = at ? labels[Math.floor(at.y) * width + Math.floor(at.x)] : undefined;
    stage.readout.textContent =
      label === undefined
        ? "Point at the picture, or walk with the arrow keys, for the part."
        : `${human(label)} at ${Math.floor(at.x)}, ${Math.floor(at.y)}: ${areas[label]} pixels, ${share(label)} of the picture`;
    if (at) (draw(), stage.cross(at));
  }

  const boxes = [];
  const rows = present.map((label) => {
    const swatch = h("span", { class: "swatch" });
    swatch.style.background = `rgb(${colours[label].join(" ")})`;
    const box = h("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => (box.checked ? shown.add(label) : shown.delete(label), colour()));
    boxes.push([box, label]);
    return h("tr", {}, h("td", {}, h("label", {}, box, " ", swatch, " ", human(label))),
      h("td", { class: "number" }, `${areas[label]}`), h("td", { class: "number" }, share(label)));
  });
  const all = (on) => () => {
    for (const [box, label] of boxes) (box.checked = on) ? shown.add(label) : shown.delete(label);
    colour();
  };
  const opacity = slider("Opacity", 0, 1, 0.01, chosen.opacity, (value) => ((chosen.opacity = value), draw()));
  const head = h("tr", {}, ...["Part", "Pixels", "Share"].map((text) => h("th", { scope: "col" }, text)));
  const view = h("div", { class: "split" },
    h("div", { class: "main" }, stage.element, stage.readout),
    h("div", { class: "side" }, opacity.element,
      h("div", { class: "row" }, h("button", { type: "button", click: all(true) }, "All"), h("button", { type: "button", click: all(false) }, "None")),
      present.length ? h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows)) : h("p", {}, "No person found.")));
  view.addEventListener("shown", () => (hover(null), colour()));
  return view;
}
