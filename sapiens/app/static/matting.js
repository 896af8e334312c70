// Mattes: the person over anything, and the edge between before and after.

import { openPicture } from "./pictures.js";
import { choice, compare, h } from "./stage.js";

export const id = "matting";
export const task = "matting";
export const title = "Matting";
export const download = "cutout";

export async function show({ picture, ask }) {
  const cutout = await createImageBitmap(await (await ask("cutout")).blob());
  const { width, height } = cutout;
  const chosen = { kind: "colour", colour: "#00b140", picture: null };

  const both = compare(width, height, `${picture.name} before, and the person over another background`, (stage, side) => {
    const context = stage.context;
    if (side === 0) return stage.paint(picture);
    context.clearRect(0, 0, width, height);
    if (chosen.kind === "colour") {
      context.fillStyle = chosen.colour;
      context.fillRect(0, 0, width, height);
    } else if (chosen.kind === "checks") checks(context, width, height);
    else if (chosen.picture) cover(context, chosen.picture, width, height);
    context.drawImage(cutout, 0, 0);
  });

  const colour = h("input", { type: "color", value: chosen.colour, "aria-label": "Background colour" });
  colour.addEventListener("input", () => ((chosen.colour = colour.value), both.draw()));
  const file = h("input", { type: "file", accept: "image/*", "aria-label": "Background picture", hidden: true });
  file.addEventListener("change", async () => {
    if (file.files[0]) chosen.picture = (await openPicture(file.files[0], file.files[0].name)).bitmap;
    both.draw();
  });
  const kinds = [["colour", "A colour"], ["picture", "A picture"], ["checks", "Nothing (checks)"]];
  const background = choice("Background", kinds, (kind) => {
    chosen.kind = kind;
    colour.hidden = kind !== "colour";
    file.hidden = kind !== "picture";
    both.draw();
  });
  const view = h("div", {}, h("div", { class: "row" }, background.element, colour, file), both.element);
  view.addEventListener("shown", both.draw);
  return view;
}

function checks(context, width, height) {
  const size = Math.max(4, Math.round(Math.max(width, height) / 40));
  for (let y = 0; y < height; y += size) {
    for (let x = 0; x < width; x += size) {
      context.fillStyle = (x / size + y / size) % 2 ? "#bbb" : "#fff";
      context.fillRect(x, y, size, size);
    }
  }
}

/** Fill the canvas with a picture, its sides kept in proportion. */
function cover(context, picture, width, height) {
  const scale = Math.max(width / picture.width, height / picture.height);
  const [w, h2] = [picture.width * scale, picture.height * scale];
  context.drawImage(picture, (width - w) / 2, (height - h2) / 2, w, h2);
}
