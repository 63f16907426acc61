// NumPy's .npy files: what the command line and the tests exchange arrays in.

import { InvalidInputError } from './engine/errors';

/** An array as stored: C order, little endian. */
export interface NpyArray {
  readonly shape: readonly number[];
  /** NumPy's name of the element type, e.g. `|u1`, `<f4`. */
  readonly dtype: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Reads a .npy file (format versions 1 to 3).
 * @param name for messages.
 * @throws InvalidInputError when it is no such file, is cut short, or is in Fortran order.
 */
export function parseNpy(raw: Uint8Array<ArrayBuffer>, name: string): NpyArray {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  if (raw.length < 12 || new TextDecoder('latin1').decode(raw.subarray(1, 6)) !== 'NUMPY') {
    throw new InvalidInputError(`${name} is not a .npy file. Write it with numpy.save.`);
  }
  const long = raw[6]! > 1;
  const headerAt = long ? 12 : 10;
  const dataAt = headerAt + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder().decode(raw.subarray(headerAt, dataAt));
  const dtype = header.match(/'descr': *'([^']*)'/)?.[1];
  const shape = header.match(/'shape': *\(([^)]*)\)/)?.[1];
  if (dtype === undefined || shape === undefined || !/'fortran_order': *False/.test(header)) {
    throw new InvalidInputError(`${name} is not a plain array in C order. Write it with numpy.save.`);
  }
  const sizes = shape
    .split(',')
    .filter((size) => size.trim())
    .map(Number);
  const bytes = sizes.reduce((product, size) => product * size, Number(dtype.slice(2)));
  if (raw.length < dataAt + bytes) throw new InvalidInputError(`${name} is cut short. Write it again.`);
  return { shape: sizes, dtype, bytes: raw.slice(dataAt, dataAt + bytes) };
}

/**
 * Frames of a uint8 array `[frames, height, width, 3]`.
 * @throws InvalidInputError when the array is of another type or shape.
 */
export function npyFrames(
  array: NpyArray,
  name: string,
): { width: number; height: number; data: Uint8Array }[] {
  const [count, height, width, channels] = array.shape;
  if (array.dtype !== '|u1' || array.shape.length !== 4 || channels !== 3) {
    throw new InvalidInputError(
      `${name} holds ${array.dtype} [${array.shape.join(', ')}]; frames must be uint8 [frames, height, width, 3].`,
    );
  }
  const size = height! * width! * 3;
  return Array.from({ length: count! }, (_, i) => ({
    width: width!,
    height: height!,
    data: array.bytes.subarray(i * size, (i + 1) * size),
  }));
}

/** Values of a float32 array. */
export function npyFloats(array: NpyArray, name: string): Float32Array<ArrayBuffer> {
  if (array.dtype !== '<f4') {
    throw new InvalidInputError(`${name} holds ${array.dtype}; float32 is needed.`);
  }
  return new Float32Array(array.bytes.buffer);
}
