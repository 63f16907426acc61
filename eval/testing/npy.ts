// Arrays for tests, as numpy.save writes them.

/** A uint8 array of a shape as a .npy file; its values count up. */
export function npyBytes(shape: readonly number[]): Uint8Array {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(', ')},), }\n`;
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length & 255, header.length >> 8]);
  const size = shape.reduce((product, side) => product * side, 1);
  return Buffer.concat([
    start,
    Buffer.from(header),
    Buffer.from(Array.from({ length: size }, (_, i) => i & 255)),
  ]);
}
