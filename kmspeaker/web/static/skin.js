// How the head takes light: one small shader for skin, teeth, eyes and lashes. Three lamps fixed to the
// camera, so the face stays lit from wherever one looks; `surface` says what each vertex is made of:
// scatter, roughness, light let in, opacity. The renderer of videos (export/head.glsl) lights it alike.

const VERTEX = `
attribute vec4 surface;
varying vec4 vSurface;
varying vec3 vNormal;
varying vec2 vUv;
void main() {
  vSurface = surface;
  vUv = uv;
  vNormal = normalize(normalMatrix * normal);
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
}`;

// The camera is far enough for every line of sight to be parallel to z: a lamp's halfway direction and
// the share of its light that mirrors (Schlick) are constants.
const LAMPS = [
  { colour: [2.15, 2.0, 1.84], towards: [0.52, 0.58, 0.7] }, // key
  { colour: [0.44, 0.51, 0.64], towards: [-0.85, 0.05, 0.5] }, // fill
  { colour: [1.65, 1.75, 1.9], towards: [-0.6, 0.45, -0.65] }, // rim
];

const FRAGMENT = `
uniform sampler2D colours;
varying vec4 vSurface;
varying vec3 vNormal;
varying vec2 vUv;

const vec3 SKY = vec3(0.45, 0.47, 0.51);
const vec3 GROUND = vec3(0.22, 0.19, 0.17);

vec3 diffuse = vec3(0.0);
vec3 shine = vec3(0.0);

void lamp(vec3 colour, vec3 towards, vec3 halfway, float mirrored, vec3 normal, vec3 wrap, vec3 spread,
          float alpha2, float half_rough, float facing) {
  float lit = dot(normal, towards);
  // Light that enters skin leaves it beside: red travels farthest and rounds the shadow's edge.
  diffuse += colour * max((lit + wrap) * spread, 0.0);
  lit = max(lit, 0.0);
  float aligned = max(dot(normal, halfway), 0.0);
  float width = aligned * aligned * (alpha2 - 1.0) + 1.0;
  shine += colour * (lit * mirrored * alpha2 / (facing * mix(lit, 1.0, half_rough) * width * width));
}

void main() {
  vec3 albedo = texture2D(colours, vUv).rgb;
  albedo *= albedo; // nearly sRGB to linear
  vec3 normal = normalize(gl_FrontFacing ? vNormal : -vNormal);
  float scatter = vSurface.x;
  float roughness = vSurface.y;
  float open = vSurface.z;
  vec3 wrap = scatter * vec3(0.42, 0.20, 0.13);
  vec3 spread = 1.0 / ((1.0 + wrap) * (1.0 + wrap));
  float alpha2 = roughness * roughness * roughness * roughness;
  float half_rough = 0.5 * roughness;
  float facing = mix(max(normal.z, 0.02), 1.0, half_rough);
${LAMPS.map(lampCall).join("\n")}
  vec3 ambient = mix(GROUND, SKY, normal.y * 0.5 + 0.5);
  vec3 colour = open * albedo * (0.62 * diffuse + ambient) + 0.35 * open * open * shine;
  colour += 0.12 * (1.0 - open) * scatter * vec3(1.0, 0.35, 0.25) * albedo * albedo;
  colour /= 1.0 + 0.18 * colour; // highlights roll off instead of clipping
  gl_FragColor = vec4(sqrt(min(colour, 1.0)), 1.0) * vSurface.w;
}`;

function lampCall({ colour, towards }) {
  const unit = (v) => v.map((x) => x / Math.hypot(...v));
  const direction = unit(towards);
  const halfway = unit([direction[0], direction[1], direction[2] + 1]);
  const mirrored = 0.25 * (0.04 + 0.96 * (1 - halfway[2]) ** 5);
  const vector = (v) => `vec3(${v.map((x) => x.toFixed(5)).join(", ")})`;
  return `  lamp(${vector(colour)}, ${vector(direction)}, ${vector(halfway)}, ${mirrored.toFixed(5)},
       normal, wrap, spread, alpha2, half_rough, facing);`;
}

/** The two materials of a head: seen from outside only, and (lashes) from both sides. */
export function skin(THREE) {
  const uniforms = { colours: { value: null } };
  const make = (side) =>
    new THREE.ShaderMaterial({
      uniforms,
      vertexShader: VERTEX,
      fragmentShader: FRAGMENT,
      transparent: true,
      premultipliedAlpha: true,
      side,
    });
  return [make(THREE.FrontSide), make(THREE.DoubleSide)];
}
