// One GGUF file: its header checked and parsed, its tensors by name, their bytes on demand. What the names
// mean is the business of `models/`; how the bytes are laid out for the GPU, of `weight-format.ts`.
import { ModelFormatError } from '../errors';
import type { ByteSource } from './byte-source';
import { cutShort, damaged, readHeader, type TensorEntry } from './header';
import { Metadata } from './metadata';
import { type TensorType, tensorType } from './tensor-types';
import { dequantise, tensorTypeOf, WEIGHT_FORMATS, type WeightFormat, weightFormat } from './weight-format';

/** The way out where a file holds what the engine does not run. */
const OTHER_FILE =
  'Download the Q4_K_M, Q4_0 or Q8_0 file of the same model (of an mmproj file, the F16 one).';

/** Where a tensor lies and what it is. */
export interface TensorInfo {
  readonly name: string;
  /** Outermost dimension first, as in PyTorch; GGUF itself lists them the other way round. */
  readonly shape: readonly number[];
  /** The tensor as a matrix: `cols` is the innermost dimension (contiguous), `rows` the product of the others. */
  readonly rows: number;
  readonly cols: number;
  readonly type: TensorType;
  /** From the start of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** A tensor of a type the engine runs. */
export interface WeightInfo extends TensorInfo {
  readonly format: WeightFormat;
}

/** An open GGUF file. Header and tensor list are in memory, tensor data is read when asked for. */
export class ModelFile {
  readonly source: ByteSource;
  /** Version of the GGUF format, 2 or 3. */
  readonly version: number;
  readonly metadata: Metadata;
  /** By name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;

  constructor(
    source: ByteSource,
    version: number,
    metadata: Metadata,
    tensors: ReadonlyMap<string, TensorInfo>,
  ) {
    this.source = source;
    this.version = version;
    this.metadata = metadata;
    this.tensors = tensors;
  }

  /** @throws ModelFormatError when there is no such tensor, or it is of a type the engine does not run. */
  weight(name: string): WeightInfo {
    const info = this.tensors.get(name);
    if (!info) {
      throw new ModelFormatError(
        `${this.source.name} has no tensor "${name}"; it is not the kind of model it says it is.`,
      );
    }
    const format = weightFormat(info.type);
    if (format) return { ...info, format };
    throw new ModelFormatError(
      `${this.source.name}: tensor "${name}" is of type ${info.type}, which this engine does not run; it runs ${WEIGHT_FORMATS.map(tensorTypeOf).join(', ')}. ${OTHER_FILE}`,
    );
  }

  /** The bytes of `rowCount` rows of a tensor from `firstRow` on, as they stand in the file. */
  read(
    tensor: TensorInfo,
    rows: { readonly firstRow: number; readonly rowCount: number } = { firstRow: 0, rowCount: tensor.rows },
    signal?: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const rowBytes = tensor.byteLength / tensor.rows;
    return this.source.read(tensor.byteOffset + rows.firstRow * rowBytes, rows.rowCount * rowBytes, signal);
  }

  /** All values of a tensor, row-major: for norms, biases and other small tensors. Errors as `weight`. */
  async values(name: string, signal?: AbortSignal): Promise<Float32Array<ArrayBuffer>> {
    const tensor = this.weight(name);
    return dequantise(
      tensor.format,
      await this.read(tensor, undefined, signal),
      tensor.rows,
      tensor.cols,
      name,
    );
  }
}

/**
 * Reads and checks the header of a GGUF file; reads no tensor data.
 * @throws ModelFormatError when the file is not GGUF, is damaged or cut short, or holds a tensor of unknown
 *   type. Types that are known but not run fail in `ModelFile.weight`, so that any file can be listed.
 */
export async function openModelFile(source: ByteSource, signal?: AbortSignal): Promise<ModelFile> {
  const header = await readHeader(source, signal);
  const metadata = new Metadata(source.name, header.metadata);
  const alignment = metadata.number('general.alignment', 32);
  if (alignment < 8 || !Number.isInteger(Math.log2(alignment))) {
    throw damaged(source, `its alignment is ${alignment}, which is not a power of two from 8 on`);
  }
  const dataOffset = Math.ceil(header.byteLength / alignment) * alignment;
  const tensors = new Map<string, TensorInfo>();
  for (const entry of header.tensors) {
    if (tensors.has(entry.name)) throw damaged(source, `tensor "${entry.name}" is listed twice`);
    tensors.set(entry.name, tensorInfo(source, entry, dataOffset, alignment));
  }
  return new ModelFile(source, header.version, metadata, tensors);
}

function tensorInfo(
  source: ByteSource,
  entry: TensorEntry,
  dataOffset: number,
  alignment: number,
): TensorInfo {
  const { name, offset } = entry;
  const type = tensorType(entry.type);
  if (!type) {
    throw new ModelFormatError(
      `${source.name}: tensor "${name}" is of unknown type ${entry.type}. ${OTHER_FILE}`,
    );
  }
  const shape = [...entry.dimensions].reverse();
  const cols = shape.at(-1) ?? 1;
  const elements = shape.reduce((product, dimension) => product * dimension, 1);
  if (elements === 0 || !Number.isSafeInteger(elements)) {
    throw damaged(source, `tensor "${name}" has the shape [${shape.join(', ')}]`);
  }
  if (cols % type.blockElements !== 0) {
    throw damaged(
      source,
      `tensor "${name}" has rows of ${cols} elements, which are no whole ${type.name} blocks of ${type.blockElements}`,
    );
  }
  if (offset % alignment !== 0) {
    throw damaged(source, `tensor "${name}" is not aligned to ${alignment} bytes`);
  }
  const byteOffset = dataOffset + offset;
  const byteLength = (elements / type.blockElements) * type.blockBytes;
  if (byteOffset + byteLength > source.size) {
    throw cutShort(source, `tensor "${name}" ends at byte ${byteOffset + byteLength}`);
  }
  return { name, shape, rows: elements / cols, cols, type: type.name, byteOffset, byteLength };
}
