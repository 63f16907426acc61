// From a frame of any size to patches on the GPU: centre crop, antialiased resize, patchify, in two
// dispatches. Patches are queued as bytes, because resizing rounds to 8 bits anyway: a quarter of f32, and
// exact. So a VideoFrame is closed at once, however long its patches wait. Nothing is created after load but
// the bind group of an external texture.

import type { Frame, RgbFrame } from '../contract';
import { InvalidInputError } from '../errors';
import type { Gpu } from '../gpu/device';
import { compileKernel, type Kernel, type KernelSpec } from '../gpu/kernel';
import type { Ledger } from '../gpu/ledger';
import { type BufferSpec, storage } from '../gpu/memory-plan';
import { bind, type Program, ProgramBuilder, submit } from '../gpu/program';
import type { FrameGrid } from './frame-grid';
import { type Crop, centreCrop, type PatchFrame, planFrameWindow, writeFrameWindow } from './frame-window';
import type { Filter } from './hyper';

/** What the frame buffers are planned from. */
export interface FrameInputOptions {
  readonly grid: FrameGrid;
  /** Bicubic if left out. */
  readonly filter?: Filter;
  /** Temporal patches that can wait to be encoded. */
  readonly slots: number;
  /** Most rows of a source frame, after cropping to the model's aspect. */
  readonly maxRows: number;
  /** Most pixels of a frame given as RGB bytes; 0 where frames are VideoFrames only. */
  readonly maxRgbPixels: number;
}

const WINDOW = 'frames.window';
const COLUMNS = 'frames.columns';
const RGB = 'frames.rgb';

/** Buffer of one queue slot: `[framesPerPatch, patches, 3, patchSize, patchSize]` bytes. */
export function frameSlot(slot: number): string {
  return `frames.slot.${slot}`;
}

/** 32-bit words of one frame in a queue slot. */
export function frameWords({ patches, patchSize }: FrameGrid): number {
  return (patches * 3 * patchSize ** 2) / 4;
}

/** The buffers of {@link FrameInput}. */
export function planFrames({ grid, slots, maxRows, maxRgbPixels }: FrameInputOptions): BufferSpec[] {
  const specs = [planFrameWindow(WINDOW), storage(COLUMNS, 'frames', maxRows * grid.width)];
  if (maxRgbPixels > 0) specs.push(storage(RGB, 'frames', Math.ceil((maxRgbPixels * 3) / 4)));
  for (let slot = 0; slot < slots; slot++) {
    specs.push(storage(frameSlot(slot), 'frames', grid.framesPerPatch * frameWords(grid)));
  }
  return specs;
}

/** What the first pass's grid depends on. */
interface CropShape {
  readonly rows: number;
}

/** Invocations of a workgroup of shaders/frame_columns.wesl. */
const COLUMNS_GROUP = [16, 4] as const;

/** Takes frames in and keeps them as patches in `slots` numbered places. */
export class FrameInput {
  readonly #device: GPUDevice;
  readonly #options: FrameInputOptions;
  readonly #window: GPUBuffer;
  readonly #columns: GPUBuffer;
  /** First pass for VideoFrames: a kernel, because its bind group is of one frame. */
  readonly #externalColumns: Kernel;
  /** First pass for RGB bytes and the buffer they are uploaded to. */
  readonly #rgb: { readonly buffer: GPUBuffer; readonly columns: Program<CropShape> } | undefined;
  /** Second pass, one program a slot. */
  readonly #rows: readonly Program[];

  private constructor(parts: {
    device: GPUDevice;
    options: FrameInputOptions;
    window: GPUBuffer;
    columns: GPUBuffer;
    externalColumns: Kernel;
    rgb: { buffer: GPUBuffer; columns: Program<CropShape> } | undefined;
    rows: readonly Program[];
  }) {
    this.#device = parts.device;
    this.#options = parts.options;
    this.#window = parts.window;
    this.#columns = parts.columns;
    this.#externalColumns = parts.externalColumns;
    this.#rgb = parts.rgb;
    this.#rows = parts.rows;
  }

  /** @param ledger holds the buffers of {@link planFrames} for the same options. */
  static async create({ device }: Gpu, ledger: Ledger, options: FrameInputOptions): Promise<FrameInput> {
    const { grid, slots, maxRgbPixels } = options;
    const window = ledger.get(WINDOW);
    const columns = ledger.get(COLUMNS);
    const lanczos = options.filter === 'lanczos';
    const toColumns = { module: 'frame_columns', constants: { out_width: grid.width } };
    const toRows = {
      module: 'frame_rows',
      conditions: { lanczos },
      constants: {
        out_width: grid.width,
        out_height: grid.height,
        patch_size: grid.patchSize,
        merge_size: grid.mergeSize,
      },
    };
    const quads = (grid.patches * grid.patchSize ** 2) / 4;
    const rowsPass = (patches: GPUBuffer) =>
      new ProgramBuilder()
        .add(toRows, { window, columns, patches }, [Math.ceil(quads / 64)])
        .build(device, 'frame rows');
    const [externalColumns, rgb, rows] = await Promise.all([
      compileKernel(device, { ...toColumns, conditions: { external: true, lanczos } }),
      maxRgbPixels > 0
        ? rgbPass(device, { ...toColumns, conditions: { lanczos } }, grid, ledger.get(RGB), window, columns)
        : undefined,
      Promise.all(Array.from({ length: slots }, (_, slot) => rowsPass(ledger.get(frameSlot(slot))))),
    ]);
    return new FrameInput({ device, options, window, columns, externalColumns, rgb, rows });
  }

  get slots(): number {
    return this.#options.slots;
  }

  /** Frames that fill a slot. */
  get framesPerPatch(): 1 | 2 {
    return this.#options.grid.framesPerPatch;
  }

  /**
   * Resizes a frame and leaves its patches in its place in a slot, or in all of it (a still image). Submits at
   * once. A VideoFrame is closed, whatever happens.
   * @throws InvalidInputError when the frame is empty, malformed, or larger than planned for.
   */
  write(slot: number, place: PatchFrame, frame: Frame): void {
    try {
      const rows = this.#rows[slot];
      if (!rows) throw new Error(`there is no frame slot ${slot}`);
      const size = 'data' in frame ? frame : { width: frame.displayWidth, height: frame.displayHeight };
      const crop = this.#crop(size);
      const record =
        'data' in frame ? this.#prepareRgb(frame, crop.height) : this.#prepareVideo(frame, crop.height);
      const places = place === 'all' ? ([0, this.framesPerPatch - 1] as const) : ([place, place] as const);
      if (places[1] >= this.framesPerPatch) throw new Error(`a temporal patch has no frame ${place}`);
      writeFrameWindow(this.#device, this.#window, crop, size.width, places);
      submit(this.#device, 'frame input', (pass) => {
        record(pass);
        rows.record(pass);
      });
    } finally {
      if (!('data' in frame)) frame.close();
    }
  }

  #crop(size: { readonly width: number; readonly height: number }): Crop {
    const { grid, maxRows } = this.#options;
    if (!(size.width > 0 && size.height > 0)) {
      throw new InvalidInputError('The frame is empty: the source gives no picture yet, or has ended.');
    }
    const crop = centreCrop(size, grid);
    if (crop.height > maxRows) {
      throw new InvalidInputError(
        `The frame of ${size.width} × ${size.height} pixels is too large: at most ${maxRows} rows can be taken in. Choose a lower resolution of the camera or video.`,
      );
    }
    return crop;
  }

  #prepareRgb({ width, height, data }: RgbFrame, rows: number): (pass: GPUComputePassEncoder) => void {
    const rgb = this.#rgb;
    const { maxRgbPixels } = this.#options;
    if (!rgb || width * height > maxRgbPixels) {
      throw new InvalidInputError(
        `A frame of ${width} × ${height} RGB pixels was given where at most ${maxRgbPixels} pixels are planned for. Give a smaller frame, or plan for larger ones.`,
      );
    }
    if (data.length !== width * height * 3) {
      throw new InvalidInputError(
        `A frame of ${width} × ${height} RGB pixels needs ${width * height * 3} bytes, but has ${data.length}.`,
      );
    }
    writeBytes(this.#device, rgb.buffer, data);
    return (pass) => rgb.columns.record(pass, { rows });
  }

  #prepareVideo(frame: VideoFrame, rows: number): (pass: GPUComputePassEncoder) => void {
    const kernel = this.#externalColumns;
    const source = this.#device.importExternalTexture({ label: 'frame', source: frame });
    const bindGroup = bind(this.#device, kernel, { window: this.#window, source, columns: this.#columns });
    return (pass) => {
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(...columnGroups(this.#options.grid, rows));
    };
  }
}

function columnGroups(grid: FrameGrid, rows: number): [number, number] {
  return [Math.ceil(grid.width / COLUMNS_GROUP[0]), Math.ceil(rows / COLUMNS_GROUP[1])];
}

async function rgbPass(
  device: GPUDevice,
  kernel: KernelSpec,
  grid: FrameGrid,
  source: GPUBuffer,
  window: GPUBuffer,
  columns: GPUBuffer,
): Promise<{ buffer: GPUBuffer; columns: Program<CropShape> }> {
  const program = await new ProgramBuilder<CropShape>()
    .add(kernel, { window, source, columns }, ({ rows }) => columnGroups(grid, rows))
    .build(device, 'frame columns');
  return { buffer: source, columns: program };
}

/** Queues the write of bytes of any number; buffers take whole words only. */
function writeBytes(device: GPUDevice, buffer: GPUBuffer, data: Uint8Array): void {
  const whole = data.length - (data.length % 4);
  const bytes = data as Uint8Array<ArrayBuffer>;
  device.queue.writeBuffer(buffer, 0, bytes, 0, whole);
  if (whole === data.length) return;
  const rest = new Uint8Array(4);
  rest.set(data.subarray(whole));
  device.queue.writeBuffer(buffer, whole, rest);
}
