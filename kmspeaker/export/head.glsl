  // The colour of a point of the head; stands where VTK would only apply the texture. Linear light.
  // View space, with every line of sight parallel to z: the camera is far away.
  // surface: scatter, roughness, light let in, opacity. depths: of the lines of either layer.
  {
  vec4 texel = texture(colours, tcoordVCVSOutput);
#ifdef STRANDS
  if (texel.a < STRANDS) discard;  // between strands of hair
#endif
  vec3 normal = normalVCVSOutput;
  vec3 albedo = texel.rgb * texel.rgb;  // sRGB to linear, nearly
#ifdef FOLDED
  // Lines of the skin: slopes tilt the normal (M. Mikkelsen 2010), heights darken their grounds.
  {
    vec2 at = tcoordVCVSOutput * vec2(2.0, 1.0);  // the face is the left half of the colours
    vec4 steep = (texture(slopes, at) - 0.50196) * SLOPE_RANGE;  // mm by at, either layer's
    vec2 slope = depths.x * steep.xy + depths.y * steep.zw;
    float height = 2.0 * dot(texture(heights, at).rg - 0.50196, depths);
    vec3 along = dFdx(place);
    vec3 up = dFdy(place);
    vec3 first = cross(up, normal);
    vec3 second = cross(normal, along);
    float area = dot(along, first);
    vec3 tilt = sign(area) * (dot(slope, dFdx(at)) * first + dot(slope, dFdy(at)) * second);
    normal = normalize(abs(area) * normal - tilt);
    albedo *= 1.0 - 0.5 * clamp(-height, 0.0, 1.0);
  }
#endif
  vec3 wrap = surface.x * vec3(0.34, 0.17, 0.11);  // red light travels farthest under skin
  vec3 spread = 1.0 / ((1.0 + wrap) * (1.0 + wrap));
  float alpha = surface.y * surface.y;
  float alpha2 = alpha * alpha;
  float half_rough = surface.y * 0.5;
  float facing = mix(max(normal.z, 0.02), 1.0, half_rough);

  // Key from the upper right, fill from the left, rim from behind.
  const vec3 toLamp[3] = vec3[3](
    vec3(0.512, 0.559, 0.652), vec3(-0.861, 0.051, 0.506), vec3(-0.605, 0.454, -0.655));
  const vec3 lamp[3] = vec3[3](
    vec3(2.35, 2.20, 2.05), vec3(0.34, 0.41, 0.54), vec3(1.50, 1.60, 1.75));
  const float shine[3] = float[3](1.0, 0.3, 0.25);
  vec3 diffuse = vec3(0.0);
  vec3 specular = vec3(0.0);
  for (int i = 0; i < 3; ++i) {
    float lit = dot(normal, toLamp[i]);
    diffuse += lamp[i] * max((lit + wrap) * spread, 0.0);
    lit = max(lit, 0.0);
    // Trowbridge-Reitz highlight with Schlick's terms
    vec3 halfway = normalize(toLamp[i] + vec3(0.0, 0.0, 1.0));
    float aligned = max(dot(normal, halfway), 0.0);
    float width = aligned * aligned * (alpha2 - 1.0) + 1.0;
    float away = 1.0 - halfway.z;
    float fresnel = 0.04 + 0.96 * away * away * away * away * away;
    specular += lamp[i] * (lit * shine[i] * fresnel * 0.25 * alpha2
      / (facing * mix(lit, 1.0, half_rough) * width * width));
  }
  vec3 ambient = mix(vec3(0.15, 0.13, 0.13), vec3(0.38, 0.40, 0.44), normal.y * 0.5 + 0.5);
  float open = surface.z;
  vec3 colour = open * albedo * (0.62 * diffuse + ambient) + (0.35 * open * open) * specular;
  colour += (0.12 * surface.x * (1.0 - open)) * vec3(1.0, 0.35, 0.25) * albedo * albedo;
  colour /= 1.0 + 0.18 * colour;  // highlights roll off instead of clipping
  fragOutput0 = vec4(sqrt(clamp(colour, 0.0, 1.0)), surface.w);
  }
