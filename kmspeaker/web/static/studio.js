// The room: camera, light and the loop that draws. Heads are put into it; it knows none of them.
// Lengths are millimetres; the origin lies between the eyes of the head.

const LOOK_AT = [0, -26, 10];
const STAND_AT = [80, -10, 690];
const SETTLED = 250; // milliseconds without a change

export class Studio {
  #dirty = true;
  #frame = null;
  #frugal; // without a graphics card: rough while it moves, fine once it stands still
  #fine = true;
  #drawnAt = 0;
  #heads = [];
  drawn = 0; // pictures so far

  constructor({ THREE, OrbitControls }, canvas) {
    this.THREE = THREE;
    this.canvas = canvas;
    this.#frugal = drawsInSoftware();
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: !this.#frugal, alpha: true });
    this.scene = new THREE.Scene();
    this.camera = new THREE.PerspectiveCamera(24, 1, 50, 4000);

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

  add(head) {
    this.#heads.push(head);
    this.scene.add(head.mesh);
    this.invalidate();
  }

  resetCamera() {
    this.camera.position.set(...STAND_AT);
    this.controls.target.set(...LOOK_AT);
    this.controls.update();
    this.invalidate();
  }

  /** Call `beforeFrame(now)` on every screen refresh; draw only when something changed. */
  run(beforeFrame) {
    const tick = (now) => {
      this.#frame = requestAnimationFrame(tick);
      if (!this.canvas.isConnected) return this.dispose();
      this.controls.update();
      beforeFrame(now);
      if (this.#dirty) this.#draw(now, !this.#frugal);
      else if (!this.#fine && now - this.#drawnAt > SETTLED) this.#draw(now, true);
    };
    this.#frame = requestAnimationFrame(tick);
  }

  #draw(now, fine) {
    this.#dirty = false;
    if (fine !== this.#fine) {
      this.#fine = fine;
      this.renderer.setPixelRatio(this.#pixelRatio());
      for (const head of this.#heads) head.detailed = fine;
    }
    this.#drawnAt = now;
    this.renderer.render(this.scene, this.camera);
    this.drawn += 1;
  }

  invalidate() {
    this.#dirty = true;
  }

  dispose() {
    cancelAnimationFrame(this.#frame);
    this.controls.dispose();
    this.renderer.dispose();
  }

  #pixelRatio() {
    const screen = Math.min(devicePixelRatio, 2);
    if (this.#frugal) return this.#fine ? 2 * screen : 1;
    return screen;
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    this.renderer.setPixelRatio(this.#pixelRatio());
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    // A narrow stage shows the whole head by widening the angle.
    this.camera.fov = width < height * 0.8 ? 24 * Math.min(1.5, (height * 0.8) / width) : 24;
    this.camera.updateProjectionMatrix();
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
