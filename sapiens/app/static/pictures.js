// Where pictures come from: files, drops, the clipboard, the camera, and the frames of a clip.

const $ = (id) => document.getElementById(id);
const FRAMES_PER_SECOND = 5;
const MOST_FRAMES = 100;
let serial = 0;

/** A picture with its size upright, as the server sees it; `bitmap` is null where the browser cannot decode it. */
export async function openPicture(blob, name) {
  const bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" }).catch(() => null);
  return { blob, name, bitmap, serial: serial++ };
}

/** Call `take(blob, name)`, which returns when it is done, with every picture, and `fail(sentence)` where there is none. */
export function watchSources(take, fail) {
  const open = (file) => {
    if (!file) return;
    if (file.type.startsWith("video/")) openClip(file);
    else {
      close();
      take(file, file.name || "pasted.png");
    }
  };
  $("file").addEventListener("change", () => {
    open($("file").files[0]);
    $("file").value = "";
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", () => document.body.classList.remove("dropping"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    if (event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
    else fail("What was dropped is no file.");
  });
  addEventListener("paste", (event) => open(event.clipboardData.files[0]));
  $("camera").addEventListener("click", () => openCamera().catch((error) => fail(`No camera: ${error.message}.`)));
  $("live-close").addEventListener("click", close);
  $("shoot").addEventListener("click", async () => take(await frame(), frameName()));
  $("clip-time").addEventListener("input", () => seek($("clip-time").valueAsNumber));
  $("clip-time").addEventListener("change", async () => {
    await seek($("clip-time").valueAsNumber);
    take(await frame(), frameName());
  });
  $("clip-run").addEventListener("click", () => runThrough(take));
  $("cancel").addEventListener("click", () => (running = false));
}

let running = false;
let clipName = "camera";

async function openCamera() {
  close();
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
  clipName = "camera";
  $("video").srcObject = stream;
  $("clip-bar").hidden = true;
  $("live").hidden = false;
  await $("video").play();
}

function openClip(file) {
  close();
  clipName = file.name.replace(/\.[^.]*$/, "");
  $("video").src = URL.createObjectURL(file);
  $("clip-bar").hidden = $("live").hidden = false;
  $("video").addEventListener("loadeddata", () => ($("clip-time").max = `${$("video").duration}`), { once: true });
}

function close() {
  running = false;
  for (const track of $("video").srcObject?.getTracks() ?? []) track.stop();
  if ($("video").src) URL.revokeObjectURL($("video").src);
  $("video").srcObject = null;
  $("video").removeAttribute("src");
  $("live").hidden = true;
}

function seek(time) {
  const video = $("video");
  return new Promise((resolve) => {
    video.addEventListener("seeked", resolve, { once: true });
    video.currentTime = time;
  });
}

const frameName = () => ($("video").srcObject ? "camera.png" : `${clipName}_${$("video").currentTime.toFixed(2)}s.png`);

/** What the camera or the clip shows now, as PNG. */
function frame() {
  const canvas = document.createElement("canvas");
  canvas.width = $("video").videoWidth;
  canvas.height = $("video").videoHeight;
  canvas.getContext("2d").drawImage($("video"), 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

async function runThrough(take) {
  running = true;
  const step = Math.max(1 / FRAMES_PER_SECOND, $("video").duration / MOST_FRAMES);
  for (let time = 0; running && time < $("video").duration; time += step) {
    $("clip-time").value = `${time}`;
    await seek(time);
    await take(await frame(), frameName());
  }
  running = false;
}
