// Loads three.js from the first source that has the very files the viewer was tested with.
// No import map: Gradio adds <head> content after its own modules have started, which browsers with a
// single import map ignore. Each file is fetched with its integrity hash and its imports are pointed
// at the fetched copies.

const CORE = "build/three.core.js";
const MODULE = "build/three.module.js";
const ORBIT = "examples/jsm/controls/OrbitControls.js";

let loading = null;

/** three.js and OrbitControls; `sources` are base URLs in order of preference, `integrity` maps file to hash. */
export function loadThree(sources, integrity) {
  loading ??= firstThatWorks(sources, integrity);
  return loading;
}

async function firstThatWorks(sources, integrity) {
  const reasons = [];
  for (const base of sources) {
    try {
      return await loadFrom(base, integrity);
    } catch (error) {
      reasons.push(`${base}: ${error.message}`);
    }
  }
  throw new Error(reasons.join("; ") || "no source of three.js");
}

async function loadFrom(base, integrity) {
  const [core, module, orbit] = await Promise.all(
    [CORE, MODULE, ORBIT].map((path) => fetchText(base + path, integrity[path])),
  );
  const coreUrl = moduleUrl(core);
  const threeUrl = moduleUrl(module.replaceAll("'./three.core.js'", `'${coreUrl}'`));
  const orbitUrl = moduleUrl(orbit.replace("from 'three';", `from '${threeUrl}';`));
  const [THREE, { OrbitControls }] = await Promise.all([import(threeUrl), import(orbitUrl)]);
  return { THREE, OrbitControls };
}

async function fetchText(url, integrity) {
  const response = await fetch(url, { integrity });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.text();
}

function moduleUrl(source) {
  return URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
}
