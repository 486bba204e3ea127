// The room: one camera and one light for all heads, and the loop that draws. A picture is made of
// views: a head, and the part of the canvas it is drawn in. Heads are put into it; it knows none of them.
// Lengths are millimetres; the origin lies between the eyes of the head.

import { Quality } from "./quality.js";

const LOOK_AT = [8, -17, -20];
const STAND_AT = [90, -6, 730];
const ANGLE = 24; // degrees from top to bottom
const WIDTH_SEEN = 0.72; // of the height; a narrower view widens its angle to show the whole head

export class Renderer {
  #dirty = true;
  #frame = null;
  #views = [];
  #size = [0, 0];
  drawn = 0; // pictures so far
  triangles = 0; // in the last one

  constructor({ THREE, OrbitControls }, canvas, levels) {
    this.THREE = THREE;
    this.canvas = canvas;
    this.software = drawsInSoftware();
    this.quality = new Quality(this.software, levels);
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: !this.software, alpha: true });
    this.renderer.autoClear = false;
    this.scene = new THREE.Scene();
    this.scene.matrixWorldAutoUpdate = false; // heads stand still; what moves is their shape
    this.camera = new THREE.PerspectiveCamera(ANGLE, 1, 50, 4000);

    this.controls = new OrbitControls(this.camera, canvas);
    Object.assign(this.controls, {
      enableDamping: true,
      dampingFactor: 0.12,
      minDistance: 220,
      maxDistance: 1100,
      minPolarAngle: 0.6,
      maxPolarAngle: 2.2,
      zoomSpeed: 0.7,
      panSpeed: 0.6,
    });
    this.controls.addEventListener("change", () => this.invalidate());
    this.resetCamera();

    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.#resize();
  }

  /**
   * What to draw: for each view `{head, box, scissor}`, places as `{left, top, width, height}` in
   * CSS pixels of the canvas. The camera fills `box`; only `scissor` of it (all when left out) is drawn.
   */
  set views(views) {
    this.#views = views;
    for (const { head } of views) if (!head.mesh.parent) this.scene.add(head.mesh);
    this.invalidate();
  }

  get views() {
    return this.#views;
  }

  /** Where the camera stands and what it looks at: six millimetres. */
  get standpoint() {
    const { position } = this.camera;
    return [...position.toArray(), ...this.controls.target.toArray()].map((x) => Math.round(x));
  }

  set standpoint(numbers) {
    this.camera.position.fromArray(numbers);
    this.controls.target.fromArray(numbers, 3);
    this.controls.update();
    this.invalidate();
  }

  get moved() {
    return String(this.standpoint) !== String([...STAND_AT, ...LOOK_AT]);
  }

  resetCamera() {
    this.camera.position.set(...STAND_AT);
    this.controls.target.set(...LOOK_AT);
    this.controls.update();
    this.invalidate();
  }

  /** Turn the camera about what it looks at, radians; `closer` divides its distance. */
  orbit(across, down, closer = 1) {
    const { camera } = this;
    const { target, minDistance, maxDistance, minPolarAngle, maxPolarAngle } = this.controls;
    const within = (value, least, most) => Math.max(least, Math.min(most, value));
    const place = new this.THREE.Spherical().setFromVector3(camera.position.clone().sub(target));
    place.theta += across;
    place.phi = within(place.phi + down, minPolarAngle, maxPolarAngle);
    place.radius = within(place.radius / closer, minDistance, maxDistance);
    camera.position.setFromSpherical(place).add(target);
    this.controls.update();
    this.invalidate();
  }

  /**
   * Call `beforeFrame(now)` on every screen refresh; draw only when something changed, and then call
   * `afterFrame(milliseconds)` with what the page's own script took for the picture.
   */
  run(beforeFrame, afterFrame) {
    const tick = (now) => {
      this.#frame = requestAnimationFrame(tick);
      if (!this.canvas.isConnected) return this.dispose();
      const started = performance.now();
      this.controls.update();
      beforeFrame(now);
      const moving = this.#dirty;
      if (this.quality.choose(now, moving, this.#views.length)) this.#resolve();
      if (!this.#dirty) return;
      this.draw();
      afterFrame(performance.now() - started);
    };
    this.#frame = requestAnimationFrame(tick);
  }

  invalidate() {
    this.#dirty = true;
  }

  dispose() {
    cancelAnimationFrame(this.#frame);
    this.controls.dispose();
    this.renderer.dispose();
  }

  /** Where a point of the head is seen in a view, CSS pixels of the canvas. */
  project(point, { box } = this.#views[0]) {
    this.#aim(box);
    const place = new this.THREE.Vector3(...point).project(this.camera);
    return [box.left + ((place.x + 1) / 2) * box.width, box.top + ((1 - place.y) / 2) * box.height];
  }

  draw() {
    const { renderer, scene, camera } = this;
    const height = this.#size[1];
    const { level } = this.quality;
    this.#dirty = false;
    renderer.setScissorTest(false);
    renderer.clear();
    renderer.setScissorTest(true);
    this.triangles = 0;
    for (const view of this.#views) {
      const { head, box, scissor = box } = view;
      if (box.width < 1 || box.height < 1 || scissor.width < 1) continue;
      head.prepare(level, box.height * renderer.getPixelRatio());
      renderer.setViewport(box.left, height - box.top - box.height, box.width, box.height);
      renderer.setScissor(scissor.left, height - scissor.top - scissor.height, scissor.width, scissor.height);
      this.#aim(box);
      head.mesh.visible = true;
      renderer.render(scene, camera);
      head.mesh.visible = false;
      this.triangles += renderer.info.render.triangles;
    }
    this.drawn += 1;
  }

  #aim({ width, height }) {
    const { camera } = this;
    const aspect = width / height;
    if (camera.aspect === aspect) return;
    camera.aspect = aspect;
    const widened = Math.max(1, WIDTH_SEEN / aspect);
    camera.fov = 2 * Math.atan(Math.tan((ANGLE * Math.PI) / 360) * widened) * (180 / Math.PI);
    camera.updateProjectionMatrix();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    this.#size = [width, height];
    this.#resolve();
  }

  #resolve() {
    this.renderer.setPixelRatio(this.quality.pixelRatio);
    this.renderer.setSize(...this.#size, false);
    this.invalidate();
  }
}

/** Without a graphics card smooth edges cost as much as the rest of the picture. */
function drawsInSoftware() {
  const context = document.createElement("canvas").getContext("webgl2");
  const info = context?.getExtension("WEBGL_debug_renderer_info");
  const name = info ? context.getParameter(info.UNMASKED_RENDERER_WEBGL) : "";
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software/i.test(name);
}
