// Multiply-adds in registers: four independent chains of vec4, so that none waits for another.
override rounds: u32;

@group(0) @binding(0) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let at = id.x % arrayLength(&y);
  let scale = y[at];
  var a = vec4f(f32(id.x));
  var b = a + 1.0;
  var c = a + 2.0;
  var d = a + 3.0;
  for (var round = 0u; round < rounds; round++) {
    a = a * scale + b;
    b = b * scale + c;
    c = c * scale + d;
    d = d * scale + a;
  }
  y[at] = (a + b + c + d) * 1e-30;
}
