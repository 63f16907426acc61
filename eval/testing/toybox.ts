// The bundled model for tests of what it says.

import { Arguments } from '../../cli/command';
import { modelFiles } from '../../cli/model-files';
import type { Session } from '../../src/engine/contract';
import { openNodeGpu } from '../../src/engine/gpu/node-gpu';
import { createSession } from '../../src/engine/session';
import type { SessionOptions } from '../../src/engine/session-options';

/** Opens a session on the bundled model, fed as its card says; whoever opens it disposes of it. */
export async function openToybox(options: Partial<SessionOptions> = {}): Promise<Session> {
  const files = await modelFiles(new Arguments([], new Map()));
  const { width, height } = files.frame;
  return createSession({ ...files, gpu: await openNodeGpu(), maxRgbPixels: width * height, ...options });
}
