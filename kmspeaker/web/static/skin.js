// How the head takes light: one small shader for skin, teeth, eyes and lashes. Three lamps fixed to the
// camera, so the face stays lit from wherever one looks; `surface` says what each vertex is made of:
// scatter, roughness, light let in, opacity. The renderer of videos (export/head.glsl) lights it alike.
// Drawn in software, light is worked out at the vertices while a head moves, else at every pixel.

// The camera is far enough for every line of sight to be parallel to z: a lamp's halfway direction and
// the share of its light that mirrors (Schlick) are constants.
const LAMPS = [
  { colour: [2.15, 2.0, 1.84], towards: [0.52, 0.58, 0.7] }, // key
  { colour: [0.44, 0.51, 0.64], towards: [-0.85, 0.05, 0.5] }, // fill
  { colour: [1.65, 1.75, 1.9], towards: [-0.6, 0.45, -0.65] }, // rim
];

const LIGHT = `
const vec3 SKY = vec3(0.45, 0.47, 0.51);
const vec3 GROUND = vec3(0.22, 0.19, 0.17);

struct Light {
  vec3 tint; // times the colour of the surface
  vec3 gloss; // as it is
  vec3 glow; // times the square of the colour
};

void lamp(inout vec3 diffuse, inout vec3 shine, vec3 colour, vec3 towards, vec3 halfway, float mirrored,
          vec3 normal, vec3 wrap, vec3 spread, float alpha2, float half_rough, float facing) {
  float lit = dot(normal, towards);
  // Light that enters skin leaves it beside: red travels farthest and rounds the shadow's edge.
  diffuse += colour * max((lit + wrap) * spread, 0.0);
  lit = max(lit, 0.0);
  float aligned = max(dot(normal, halfway), 0.0);
  float width = aligned * aligned * (alpha2 - 1.0) + 1.0;
  shine += colour * (lit * mirrored * alpha2 / (facing * mix(lit, 1.0, half_rough) * width * width));
}

Light lightOn(vec3 normal, float scatter, float roughness, float open) {
  vec3 diffuse = vec3(0.0);
  vec3 shine = vec3(0.0);
  vec3 wrap = scatter * vec3(0.42, 0.20, 0.13);
  vec3 spread = 1.0 / ((1.0 + wrap) * (1.0 + wrap));
  float alpha2 = roughness * roughness * roughness * roughness;
  float half_rough = 0.5 * roughness;
  float facing = mix(max(normal.z, 0.02), 1.0, half_rough);
${LAMPS.map(lampCall).join("\n")}
  vec3 ambient = mix(GROUND, SKY, normal.y * 0.5 + 0.5);
  return Light(
    open * (0.62 * diffuse + ambient),
    0.35 * open * open * shine,
    0.12 * (1.0 - open) * scatter * vec3(1.0, 0.35, 0.25)
  );
}`;

// Distances to another head, light to dark so that they read without telling colours apart; CARTO's
// SunsetDark with clay for none (also in viewer.css).
export const APART_COLOURS = ["#efe7db", "#fcde9c", "#faa476", "#f0746e", "#dc3977", "#7c1d6f"];

const APART = `
uniform float range;
vec3 apartColour(float millimetres) {
  float at = min(millimetres / range, 1.0) * ${(APART_COLOURS.length - 1).toFixed(1)};
  vec3 colour = ${colour(APART_COLOURS[0])};
${APART_COLOURS.slice(1).map((each, i) => `  colour = mix(colour, ${colour(each)}, clamp(at - ${i}.0, 0.0, 1.0));`).join("\n")}
  return colour;
}`;

const PIXEL = `
vec4 pixel(sampler2D colours, vec2 at, Light light, float opacity) {
  vec3 albedo = texture2D(colours, at).rgb;
  albedo *= albedo; // nearly sRGB to linear
  vec3 colour = albedo * (light.tint + light.glow * albedo) + light.gloss;
  colour /= 1.0 + 0.18 * colour; // highlights roll off instead of clipping
  return vec4(sqrt(min(colour, 1.0)), 1.0) * opacity;
}`;

const AT_PIXELS = {
  vertexShader: `
attribute vec4 surface;
varying vec4 vSurface;
varying vec3 vNormal;
varying vec2 vUv;
#ifdef APART_SHOWN
attribute float apart;
varying float vApart;
#endif
void main() {
#ifdef APART_SHOWN
  vApart = apart;
#endif
  vSurface = surface;
  vUv = uv;
  vNormal = normalize(normalMatrix * normal);
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
}`,
  fragmentShader: `
uniform sampler2D colours;
varying vec4 vSurface;
varying vec3 vNormal;
varying vec2 vUv;
#ifdef APART_SHOWN
varying float vApart;
${APART}
#endif
${LIGHT}
${PIXEL}
void main() {
  vec3 normal = normalize(gl_FrontFacing ? vNormal : -vNormal);
  Light light = lightOn(normal, vSurface.x, vSurface.y, vSurface.z);
#ifdef APART_SHOWN
  float shade = 0.72 + 0.28 * max(normal.z, 0.0) + 0.1 * normal.y;
  gl_FragColor = vec4(apartColour(vApart) * shade * (0.55 + 0.45 * vSurface.z), 1.0) * vSurface.w;
#else
  gl_FragColor = pixel(colours, vUv, light, vSurface.w);
#endif
}`,
};

const AT_VERTICES = {
  vertexShader: `
attribute vec4 surface;
varying vec4 vTint;
varying vec3 vGloss;
varying vec3 vGlow;
varying vec2 vUv;
${LIGHT}
void main() {
  // A highlight that is smaller than a triangle would flicker.
  Light light = lightOn(normalize(normalMatrix * normal), surface.x, max(surface.y, 0.4), surface.z);
  vTint = vec4(light.tint, surface.w);
  vGloss = light.gloss;
  vGlow = light.glow;
  vUv = uv;
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
}`,
  fragmentShader: `
uniform sampler2D colours;
varying vec4 vTint;
varying vec3 vGloss;
varying vec3 vGlow;
varying vec2 vUv;
${LIGHT.slice(0, LIGHT.indexOf("void lamp"))}
${PIXEL}
void main() {
  gl_FragColor = pixel(colours, vUv, Light(vTint.rgb, vGloss, vGlow), vTint.a);
}`,
};

function lampCall({ colour, towards }) {
  const unit = (v) => v.map((x) => x / Math.hypot(...v));
  const direction = unit(towards);
  const halfway = unit([direction[0], direction[1], direction[2] + 1]);
  const mirrored = 0.25 * (0.04 + 0.96 * (1 - halfway[2]) ** 5);
  const vector = (v) => `vec3(${v.map((x) => x.toFixed(5)).join(", ")})`;
  return `  lamp(diffuse, shine, ${vector(colour)}, ${vector(direction)}, ${vector(halfway)}, ${mirrored.toFixed(5)},
       normal, wrap, spread, alpha2, half_rough, facing);`;
}

function colour(hex) {
  return `vec3(${[1, 3, 5].map((i) => (Number.parseInt(hex.slice(i, i + 2), 16) / 255).toFixed(3)).join(", ")})`;
}

/** The materials of a head; each is a pair: seen from outside only, and (lashes) from both sides. */
export function skin(THREE) {
  const uniforms = { colours: { value: null }, range: { value: 1 } };
  const blended = { transparent: true, premultipliedAlpha: true };
  const pair = (shaders, options) =>
    [THREE.FrontSide, THREE.DoubleSide].map((side) => new THREE.ShaderMaterial({ ...shaders, ...options, uniforms, side }));
  return {
    fine: pair(AT_PIXELS, blended),
    rough: pair(AT_VERTICES, { blending: THREE.NoBlending }), // nothing is behind a head
    apart: pair(AT_PIXELS, { ...blended, defines: { APART_SHOWN: "" } }),
    uniforms,
  };
}
