// Runs in a browser page: the same pictures as VideoFrames and as RGB bytes must give the same patches.

import type { RgbFrame } from '../../contract';
import { openDevice } from '../../gpu/device';
import { Ledger } from '../../gpu/ledger';
import { frameGrid } from '../frame-grid';
import { FrameInput, frameSlot, planFrames } from '../frame-input';

/** Red, green or blue (channel 0, 1, 2) of a pixel, 0 to 255. */
type Picture = (x: number, y: number, channel: number) => number;

const [WIDTH, HEIGHT] = [200, 140];

/** Smooth, and different along each axis and in each channel. */
const waves: Picture = (x, y, c) =>
  Math.floor(110 + 60 * Math.sin((x * (c + 1) + y * (3 - c)) / 29) + x / 5 - y / 4);

const grey: Picture = (x, y) => Math.floor(120 + 60 * Math.sin(x / 13) + 50 * Math.cos(y / 17));

/** Largest difference of the patches in levels of 255, and whether the VideoFrame was closed, by case. */
export type Outcome = Record<string, { worst: number; closed: boolean }>;

export async function compareVideoFrames(): Promise<Outcome> {
  const gpu = await openDevice(navigator.gpu);
  const options = {
    grid: frameGrid(112, 84, 14, 2),
    slots: 2,
    maxRows: 400,
    maxRgbPixels: 4 * WIDTH * HEIGHT,
  };
  const ledger = await Ledger.create(gpu.device, planFrames(options));
  const input = await FrameInput.create(gpu, ledger, options);
  const outcome: Outcome = {};
  for (const [name, [frame, same]] of Object.entries(cases())) {
    input.write(0, 'all', same);
    input.write(1, 'all', frame);
    const wanted = await read(gpu.device, ledger.get(frameSlot(0)));
    const got = await read(gpu.device, ledger.get(frameSlot(1)));
    const worst = got.reduce((most, byte, i) => Math.max(most, Math.abs(byte - wanted[i]!)), 0);
    outcome[name] = { worst, closed: frame.format === null };
  }
  ledger.dispose();
  return outcome;
}

/** A VideoFrame of each kind, and its picture as it should be seen. */
function cases(): Record<string, [VideoFrame, RgbFrame]> {
  return {
    'as it is': [videoFrame(waves), rgbFrame(WIDTH, HEIGHT, waves)],
    'visible part': [
      videoFrame(waves, { visibleRect: { x: 20, y: 10, width: 112, height: 84 } }),
      rgbFrame(112, 84, (x, y, c) => waves(x + 20, y + 10, c)),
    ],
    'wide pixels': [
      videoFrame(waves, { displayWidth: 2 * WIDTH, displayHeight: HEIGHT }),
      rgbFrame(2 * WIDTH, HEIGHT, (x, y, c) => waves(Math.floor(x / 2), y, c)),
    ],
    turned: [
      videoFrame(waves, { rotation: 90 }),
      rgbFrame(HEIGHT, WIDTH, (x, y, c) => waves(y, HEIGHT - 1 - x, c)),
    ],
    'studio range': [lumaFrame(grey), rgbFrame(WIDTH, HEIGHT, grey)],
  };
}

function rgbFrame(width: number, height: number, picture: Picture): RgbFrame {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return picture(pixel % width, Math.floor(pixel / width), i % 3);
  });
  return { width, height, data };
}

function videoFrame(picture: Picture, init: Partial<VideoFrameBufferInit> & { rotation?: number } = {}) {
  const { data } = rgbFrame(WIDTH, HEIGHT, picture);
  const pixels = new Uint8Array(WIDTH * HEIGHT * 4);
  for (let i = 0; i < WIDTH * HEIGHT; i++) pixels.set(data.subarray(i * 3, i * 3 + 3), i * 4);
  return new VideoFrame(pixels, {
    format: 'RGBX',
    codedWidth: WIDTH,
    codedHeight: HEIGHT,
    timestamp: 0,
    ...init,
  });
}

/** As cameras and decoders give frames: luma from 16 to 235 and, here, no colour. */
function lumaFrame(picture: Picture): VideoFrame {
  const planes = new Uint8Array(WIDTH * HEIGHT * 1.5).fill(128);
  for (let i = 0; i < WIDTH * HEIGHT; i++) {
    planes[i] = Math.round(16 + (picture(i % WIDTH, Math.floor(i / WIDTH), 0) * 219) / 255);
  }
  return new VideoFrame(planes, {
    format: 'I420',
    codedWidth: WIDTH,
    codedHeight: HEIGHT,
    timestamp: 0,
    colorSpace: { primaries: 'bt709', transfer: 'bt709', matrix: 'bt709', fullRange: false },
  });
}

async function read(device: GPUDevice, source: GPUBuffer): Promise<Uint8Array> {
  const staging = device.createBuffer({
    size: source.size,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(source, 0, staging, 0, source.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  return new Uint8Array(staging.getMappedRange());
}
