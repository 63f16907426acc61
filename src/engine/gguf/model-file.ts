// One GGUF file: its header checked and parsed, its tensors by name, their bytes on demand. What the names
// mean is the business of `models/`; how the bytes are laid out for the GPU, of `weight-format.ts`.
import { type GGUFTensorInfo, gguf } from '@huggingface/gguf';
import { EngineError, ModelFormatError } from '../errors';
import type { ByteSource } from './byte-source';
import { Metadata, type MetadataValue } from './metadata';
import { type TensorType, tensorType } from './tensor-types';
import { dequantise, type WeightFormat, weightFormat } from './weight-format';

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
      `${this.source.name}: tensor "${name}" is of type ${info.type}, which this engine does not run. Download the Q4_0 or Q8_0 file of the same model.`,
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
  const version = await checkPreamble(source, signal);
  const header = await parseHeader(source, signal);
  const values = Object.entries(header.metadata as Record<string, MetadataValue>);
  const metadata = new Metadata(
    source.name,
    // The parser adds these three, which are no metadata of the file.
    values.filter(([key]) => !['version', 'tensor_count', 'kv_count'].includes(key)),
  );
  // The parser pads what it has read with zeros, so a header that is cut shows only in where it would end.
  const headerEnd = header.tensorInfoByteRange[1];
  if (headerEnd > source.size) throw cutShort(source, 'its header is incomplete');
  const alignment = metadata.number('general.alignment', 32);
  if (alignment < 8 || !Number.isInteger(Math.log2(alignment))) {
    throw damaged(source, `its alignment is ${alignment}, which is not a power of two from 8 on`);
  }
  const dataOffset = Math.ceil(headerEnd / alignment) * alignment;
  const tensors = new Map<string, TensorInfo>();
  for (const raw of header.tensorInfos) {
    if (tensors.has(raw.name)) throw damaged(source, `tensor "${raw.name}" is listed twice`);
    tensors.set(raw.name, tensorInfo(source, raw, dataOffset, alignment));
  }
  return new ModelFile(source, version, metadata, tensors);
}

const PREAMBLE_BYTES = 24;
/** The shortest key and value (an empty key, its type, one byte), and the shortest tensor entry. */
const MIN_VALUE_BYTES = 13;
const MIN_TENSOR_BYTES = 24;

/** Magic, version, and counts that can be true of a file of this size. Returns the version. */
async function checkPreamble(source: ByteSource, signal?: AbortSignal): Promise<number> {
  const bytes = await source.read(0, Math.min(PREAMBLE_BYTES, source.size), signal);
  const start = new TextDecoder('latin1').decode(bytes);
  if (!start.startsWith('GGUF')) {
    throw new ModelFormatError(`${source.name} is not a GGUF file: ${whatItIs(start)}`);
  }
  if (bytes.length < PREAMBLE_BYTES) throw cutShort(source, 'its header is incomplete');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(4, true);
  if (version !== 2 && version !== 3) {
    const found = version & 0xffff ? `of GGUF version ${version}` : 'written for big-endian machines';
    throw new ModelFormatError(
      `${source.name} is ${found}; this engine reads versions 2 and 3, little-endian. Download a current file of the model.`,
    );
  }
  const tensorCount = Number(view.getBigUint64(8, true));
  const valueCount = Number(view.getBigUint64(16, true));
  if (PREAMBLE_BYTES + tensorCount * MIN_TENSOR_BYTES + valueCount * MIN_VALUE_BYTES > source.size) {
    throw cutShort(source, `${tensorCount} tensors and ${valueCount} values do not fit in that`);
  }
  return version;
}

function whatItIs(start: string): string {
  if (start === '') return 'it is empty. Download it again.';
  if (start.trimStart().startsWith('<')) return 'it is a web page. Check the address it was loaded from.';
  if (start.startsWith('version https://git-lfs')) {
    return 'it is a Git LFS pointer, not the model itself. Download the file behind it.';
  }
  return 'it does not begin with the letters GGUF. Choose a file that ends in .gguf.';
}

/** The parser takes an address and a fetch; it is given a fetch that serves the source's bytes. */
async function parseHeader(source: ByteSource, signal?: AbortSignal) {
  const serve = async (_address: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const range = new Headers(init?.headers).get('range')?.match(/^bytes=(\d+)-(\d+)$/);
    if (!range) throw new Error('the header parser asked for no range');
    const start = Number(range[1]);
    const length = Number(range[2]) + 1 - start;
    // It reads ahead, so one piece past the end is asked for even of a sound file; a second never is.
    if (start >= source.size + length) throw cutShort(source, 'its header is incomplete');
    const bytes = await source.read(
      Math.min(start, source.size),
      Math.max(0, Math.min(length, source.size - start)),
      signal,
    );
    return new Response(bytes, { status: 206 });
  };
  try {
    return await gguf('https://model.invalid/file.gguf', { fetch: serve });
  } catch (cause) {
    if (cause instanceof EngineError || signal?.aborted) throw cause;
    throw damaged(
      source,
      `its header cannot be read (${cause instanceof Error ? cause.message : cause})`,
      cause,
    );
  }
}

function tensorInfo(
  source: ByteSource,
  raw: GGUFTensorInfo,
  dataOffset: number,
  alignment: number,
): TensorInfo {
  const { name } = raw;
  const type = tensorType(raw.dtype);
  if (!type) {
    throw new ModelFormatError(
      `${source.name}: tensor "${name}" is of unknown type ${raw.dtype}. Download the Q4_0 or Q8_0 file of the same model.`,
    );
  }
  const shape = raw.shape.map(Number).reverse();
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
  const offset = Number(raw.offset);
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

function cutShort(source: ByteSource, what: string): ModelFormatError {
  return new ModelFormatError(
    `${source.name} is cut short at ${source.size} bytes: ${what}. Download it again.`,
  );
}

function damaged(source: ByteSource, what: string, cause?: unknown): ModelFormatError {
  return new ModelFormatError(`${source.name} is damaged: ${what}. Download it again.`, { cause });
}
