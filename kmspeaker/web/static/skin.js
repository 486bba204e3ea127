// How the head takes light: one small shader for skin, teeth, eyes and lashes. Three lamps fixed to the
// camera, so the face stays lit from wherever one looks; `surface` says what each vertex is made of:
// scatter, roughness, light let in, opacity. The renderer of videos (export/head.glsl) lights it alike.

const VERTEX = `
attribute vec4 surface;
varying vec4 vSurface;
varying vec3 vPosition;
varying vec3 vNormal;
varying vec2 vUv;
void main() {
  vSurface = surface;
  vUv = uv;
  vNormal = normalMatrix * normal;
  vec4 seen = modelViewMatrix * vec4(position, 1.0);
  vPosition = seen.xyz;
  gl_Position = projectionMatrix * seen;
}`;

const FRAGMENT = `
uniform sampler2D colours;
varying vec4 vSurface;
varying vec3 vPosition;
varying vec3 vNormal;
varying vec2 vUv;

const vec3 SKY = vec3(0.46, 0.48, 0.52);
const vec3 GROUND = vec3(0.24, 0.20, 0.18);

vec3 diffuse = vec3(0.0);
vec3 shine = vec3(0.0);

void lamp(vec3 colour, vec3 towards, vec3 normal, vec3 eye, vec3 wrap, float roughness) {
  float facing = dot(normal, towards);
  // Light that enters skin leaves it beside: red travels farthest and rounds the shadow's edge.
  diffuse += colour * max((facing + wrap) / ((1.0 + wrap) * (1.0 + wrap)), 0.0);
  facing = max(facing, 0.0);
  vec3 halfway = normalize(towards + eye);
  float a2 = pow(roughness, 4.0);
  float toHalf = max(dot(normal, halfway), 0.0);
  float spread = toHalf * toHalf * (a2 - 1.0) + 1.0;
  float k = roughness * 0.5;
  float toEye = max(dot(normal, eye), 0.02);
  float masking = 0.25 / ((toEye * (1.0 - k) + k) * (facing * (1.0 - k) + k));
  float fresnel = 0.04 + 0.96 * pow(1.0 - max(dot(eye, halfway), 0.0), 5.0);
  shine += colour * facing * fresnel * masking * a2 / (spread * spread);
}

void main() {
  vec3 albedo = texture2D(colours, vUv).rgb;
  albedo *= albedo; // nearly sRGB to linear
  vec3 normal = normalize(gl_FrontFacing ? vNormal : -vNormal);
  vec3 eye = normalize(-vPosition);
  float scatter = vSurface.x;
  float roughness = vSurface.y;
  float open = vSurface.z;
  vec3 wrap = scatter * vec3(0.42, 0.20, 0.13);

  lamp(vec3(2.20, 2.03, 1.86), normalize(vec3(0.52, 0.58, 0.70)), normal, eye, wrap, roughness);
  lamp(vec3(0.44, 0.51, 0.64), normalize(vec3(-0.85, 0.05, 0.50)), normal, eye, wrap, roughness);
  lamp(vec3(1.70, 1.80, 1.95), normalize(vec3(-0.60, 0.45, -0.65)), normal, eye, wrap, roughness);

  vec3 ambient = mix(GROUND, SKY, normal.y * 0.5 + 0.5);
  vec3 colour = open * albedo * (0.62 * diffuse + ambient) + 0.35 * open * open * shine;
  colour += 0.12 * albedo * albedo * vec3(1.0, 0.35, 0.25) * (1.0 - open) * scatter;
  colour /= 1.0 + 0.18 * colour; // highlights roll off instead of clipping
  gl_FragColor = vec4(sqrt(clamp(colour, 0.0, 1.0)), 1.0) * vSurface.w;
}`;

/** The two materials of a head: seen from outside only, and (lashes) from both sides. */
export function skin(THREE, texture) {
  const make = (side) =>
    new THREE.ShaderMaterial({
      uniforms: { colours: { value: texture } },
      vertexShader: VERTEX,
      fragmentShader: FRAGMENT,
      transparent: true,
      premultipliedAlpha: true,
      side,
    });
  return [make(THREE.FrontSide), make(THREE.DoubleSide)];
}
