// How the head takes light: one small shader for skin, teeth, eyes, lashes and hair. Three lamps fixed to the
// camera, so the face stays lit from wherever one looks; `surface` says what each vertex is made of:
// scatter, roughness, light let in, opacity. The renderer of videos (export/head.glsl) lights it alike.
// Lines of the skin tilt its normals where there are pixels for them, `depths` says how deep they are.
// Drawn in software, light is worked out at the vertices while a head moves, else at every pixel.

import { PHONE } from "./device.js";

// The camera is far enough for every line of sight to be parallel to z: a lamp's halfway direction and
// the share of its light that mirrors (Schlick) are constants.
const LAMPS = [
  { colour: [2.35, 2.2, 2.05], towards: [0.512, 0.559, 0.652], shine: 1 }, // key
  { colour: [0.34, 0.41, 0.54], towards: [-0.861, 0.051, 0.506], shine: 0.3 }, // fill
  { colour: [1.5, 1.6, 1.75], towards: [-0.605, 0.454, -0.655], shine: 0.25 }, // rim
];

const LIGHT = `
const vec3 SKY = vec3(0.38, 0.40, 0.44);
const vec3 GROUND = vec3(0.15, 0.13, 0.13);

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
  vec3 wrap = scatter * vec3(0.34, 0.17, 0.11);
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
#ifdef HAIR
uniform vec3 tint;
#endif
vec3 albedoAt(sampler2D colours, vec2 at) {
  vec4 texel = texture2D(colours, at);
#ifdef HAIR
  if (texel.a < 0.35) discard; // between strands
  texel.rgb = min(texel.rgb * tint, 1.0);
#endif
  return texel.rgb * texel.rgb; // nearly sRGB to linear
}

vec4 pixel(vec3 albedo, Light light, float opacity) {
  vec3 colour = albedo * (light.tint + light.glow * albedo) + light.gloss;
  colour /= 1.0 + 0.18 * colour; // highlights roll off instead of clipping
  return vec4(sqrt(min(colour, 1.0)), 1.0) * opacity;
}`;

// Heights in mm tilt the normal (M. Mikkelsen 2010) and darken their grounds.
const FOLDS = `
uniform sampler2D heights;
uniform float folding;
varying vec2 vDepths;
varying vec3 vPlace;
float heightAt(vec2 at, vec2 right, vec2 above) {
  return folding * dot((textureGrad(heights, at, right, above).rg - 0.50196) * 2.0, vDepths);
}
void fold(inout vec3 normal, inout vec3 albedo) {
  vec2 at = vUv * vec2(2.0, 1.0); // the face is the left half of the colours
  vec2 right = dFdx(at);
  vec2 above = dFdy(at);
  vec3 along = dFdx(vPlace);
  vec3 up = dFdy(vPlace);
  if (vDepths.x + vDepths.y < 0.01) return;
  float height = heightAt(at, right, above);
  vec3 first = cross(up, normal);
  vec3 second = cross(normal, along);
  float area = dot(along, first);
  vec3 slope = sign(area)
    * ((heightAt(at + right, right, above) - height) * first + (heightAt(at + above, right, above) - height) * second);
  normal = normalize(abs(area) * normal - slope);
  albedo *= 1.0 - 0.5 * clamp(-height, 0.0, 1.0);
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
#ifdef FOLDED
attribute vec2 depths;
varying vec2 vDepths;
varying vec3 vPlace;
#endif
void main() {
#ifdef FOLDED
  vDepths = depths;
  vPlace = (modelViewMatrix * vec4(position, 1.0)).xyz;
#endif
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
#ifdef FOLDED
${FOLDS}
#endif
${LIGHT}
${PIXEL}
void main() {
#ifdef HAIR
  vec3 normal = normalize(vNormal); // out of the head on both sides of a strip
#else
  vec3 normal = normalize(gl_FrontFacing ? vNormal : -vNormal);
#endif
  vec3 albedo = albedoAt(colours, vUv);
#ifdef FOLDED
  fold(normal, albedo);
#endif
  Light light = lightOn(normal, vSurface.x, vSurface.y, vSurface.z);
#ifdef APART_SHOWN
  float shade = 0.72 + 0.28 * max(normal.z, 0.0) + 0.1 * normal.y;
  gl_FragColor = vec4(apartColour(vApart) * shade * (0.55 + 0.45 * vSurface.z), 1.0) * vSurface.w;
#else
  gl_FragColor = pixel(albedo, light, vSurface.w);
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
  gl_FragColor = pixel(albedoAt(colours, vUv), Light(vTint.rgb, vGloss, vGlow), vTint.a);
}`,
};

function lampCall({ colour, towards, shine }) {
  const unit = (v) => v.map((x) => x / Math.hypot(...v));
  const direction = unit(towards);
  const halfway = unit([direction[0], direction[1], direction[2] + 1]);
  const mirrored = 0.25 * shine * (0.04 + 0.96 * (1 - halfway[2]) ** 5);
  const vector = (v) => `vec3(${v.map((x) => x.toFixed(5)).join(", ")})`;
  return `  lamp(diffuse, shine, ${vector(colour)}, ${vector(direction)}, ${vector(halfway)}, ${mirrored.toFixed(5)},
       normal, wrap, spread, alpha2, half_rough, facing);`;
}

function colour(hex) {
  return `vec3(${[1, 3, 5].map((i) => (Number.parseInt(hex.slice(i, i + 2), 16) / 255).toFixed(3)).join(", ")})`;
}

const BLENDED = { transparent: true, premultipliedAlpha: true };
const APART_SHOWN = { APART_SHOWN: "" };

/** The materials of a head; each is a pair: seen from outside only, and (lashes) from both sides. */
export function skin(THREE) {
  const uniforms = { colours: { value: null }, heights: { value: null }, folding: { value: 0 }, range: { value: 1 } };
  const pair = (shaders, options, defines = {}) =>
    [THREE.FrontSide, THREE.DoubleSide].map((side) => new THREE.ShaderMaterial({ ...shaders, ...options, defines, uniforms, side }));
  return {
    fine: pair(AT_PIXELS, BLENDED, PHONE ? {} : { FOLDED: "" }),
    rough: pair(AT_VERTICES, { blending: THREE.NoBlending }), // nothing is behind a head
    apart: pair(AT_PIXELS, BLENDED, APART_SHOWN),
    uniforms,
  };
}

/** The same for hair, where differences leave it clay: it does not move. */
export function hair(THREE) {
  const uniforms = { colours: { value: null }, tint: { value: new THREE.Vector3(1, 1, 1) }, range: { value: 1 } };
  const one = (shaders, options, defines) =>
    new THREE.ShaderMaterial({ ...shaders, ...options, defines: { HAIR: "", ...defines }, uniforms, side: THREE.DoubleSide });
  return {
    fine: one(AT_PIXELS, BLENDED),
    rough: one(AT_VERTICES, { blending: THREE.NoBlending }),
    apart: one(AT_PIXELS, BLENDED, APART_SHOWN),
    uniforms,
  };
}
