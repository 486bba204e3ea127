// The room: camera, light and the loop that draws. Heads are put into it; it knows none of them.
// Lengths are millimetres; the origin lies between the eyes of the head.

const LOOK_AT = [0, -46, 10];
const STAND_AT = [84, -20, 735];

export class Studio {
  #dirty = true;
  #frame = null;
  drawn = 0; // pictures so far

  constructor({ THREE, OrbitControls }, canvas) {
    this.THREE = THREE;
    this.canvas = canvas;
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true });
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

  add(object) {
    this.scene.add(object);
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
      if (!this.#dirty) return;
      this.#dirty = false;
      this.renderer.render(this.scene, this.camera);
      this.drawn += 1;
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

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    // A narrow stage shows the whole head by widening the angle.
    this.camera.fov = width < height * 0.8 ? 24 * Math.min(1.5, (height * 0.8) / width) : 24;
    this.camera.updateProjectionMatrix();
    this.invalidate();
  }
}

