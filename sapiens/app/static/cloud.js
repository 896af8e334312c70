// Points in space, drawn by hand: a few hundred thousand need no graphics card.

/** Pixels of a turned point cloud, and which point each of them shows. */
export class Cloud {
  /** @param xyz Float32Array (3N) metres, x right, y down, z forward; rgb Uint8Array (3N); pixel: index of each in its picture */
  constructor(xyz, rgb, pixel) {
    Object.assign(this, { xyz, rgb, pixel, yaw: 0, pitch: 0, zoom: 1 });
    this.centre = [0, 1, 2].map((axis) => median(xyz, axis));
    const distances = [];
    for (let k = 0; k < xyz.length; k += 3 * Math.ceil(xyz.length / 9000)) {
      distances.push(Math.hypot(...[0, 1, 2].map((axis) => xyz[k + axis] - this.centre[axis])));
    }
    this.radius = distances.sort((a, b) => a - b)[Math.floor(distances.length * 0.95)] || 1;
  }

  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.max(-1.5, Math.min(1.5, this.pitch + pitch));
  }

  /** Screen position and depth of a point for a canvas of this size. */
  project(x, y, z, width, height) {
    const [cx, cy, cz] = this.centre;
    const [dx, dy, dz] = [x - cx, y - cy, z - cz];
    const [cos, sin] = [Math.cos(this.yaw), Math.sin(this.yaw)];
    const [cosp, sinp] = [Math.cos(this.pitch), Math.sin(this.pitch)];
    const right = cos * dx + sin * dz;
    const ahead = cos * dz - sin * dx;
    const down = cosp * dy - sinp * ahead;
    const depth = cosp * ahead + sinp * dy + 3 * this.radius;
    const scale = (1.9 * this.zoom * Math.min(width, height) * this.radius) / (this.radius * Math.max(1e-6, depth));
    return [width / 2 + right * scale, height / 2 + down * scale, depth];
  }

  /** Draw into an ImageData; returns for every pixel the number of the point it shows, or -1. */
  draw(image) {
    const { width, height, data } = image;
    const shown = new Int32Array(width * height).fill(-1);
    const near = new Float32Array(width * height).fill(Infinity);
    const size = Math.max(2, Math.ceil((1.6 * this.zoom * Math.min(width, height)) / Math.sqrt(this.xyz.length / 3)));
    for (let k = 0, n = 0; k < this.xyz.length; k += 3, n++) {
      const [x, y, depth] = this.project(this.xyz[k], this.xyz[k + 1], this.xyz[k + 2], width, height);
      if (depth <= 0) continue;
      const [left, top] = [Math.round(x), Math.round(y)];
      for (let row = Math.max(0, top); row < Math.min(height, top + Math.min(size, 6)); row++) {
        for (let column = Math.max(0, left); column < Math.min(width, left + Math.min(size, 6)); column++) {
          const at = row * width + column;
          if (depth >= near[at]) continue;
          near[at] = depth;
          shown[at] = n;
        }
      }
    }
    shown.forEach((n, at) => {
      if (n < 0) return;
      for (let c = 0; c < 3; c++) data[4 * at + c] = this.rgb[3 * n + c];
      data[4 * at + 3] = 255;
    });
    return shown;
  }
}

function median(xyz, axis) {
  const values = [];
  for (let k = axis; k < xyz.length; k += 3 * Math.ceil(xyz.length / 9000)) values.push(xyz[k]);
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
