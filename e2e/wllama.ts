// llama.cpp in the browser, on the CPU: an engine nobody here wrote, to compare ours with.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Page } from '@playwright/test';

const WLLAMA = join(import.meta.dirname, '../node_modules/@wllama/wllama/esm');

/**
 * What is used of wllama 3.8.1. The package's own types are its sources, which do not pass this project's
 * compiler settings, and leave out the ids that llama.cpp's server gives.
 */
interface Wllama {
  loadModel(files: Blob[], parameters: Readonly<Record<string, number>>): Promise<void>;
  createChatCompletion(request: {
    readonly messages: readonly object[];
    readonly max_tokens: number;
    readonly temperature: number;
    readonly logprobs: boolean;
    readonly top_logprobs: number;
  }): Promise<{
    readonly choices: readonly [
      {
        readonly message: { readonly content: string };
        readonly logprobs: {
          readonly content: readonly (Choice & { readonly top_logprobs: readonly Choice[] })[];
        };
      },
    ];
    readonly usage: { readonly prompt_tokens: number };
  }>;
  exit(): Promise<void>;
}
interface WllamaPage {
  readonly Wllama: new (
    paths: { readonly default: string },
    options: { readonly suppressNativeLog: boolean },
  ) => Wllama;
}

/** A token and its log-probability among all. */
export interface Choice {
  readonly id: number;
  readonly logprob: number;
}

/** A greedy token, and the likeliest ones at its place, itself first. */
export interface Step extends Choice {
  readonly likeliest: readonly Choice[];
}

export interface Answer {
  readonly text: string;
  /** Tokens of the prompt, one for each visual token. */
  readonly promptTokens: number;
  readonly steps: readonly Step[];
}

export interface Question {
  /** Paths of the two GGUF files. */
  readonly model: string;
  readonly mmproj: string;
  readonly picture: Uint8Array;
  readonly text: string;
  readonly maxTokens: number;
}

/**
 * Asks wllama about a PNG picture, greedily. An end token ends the answer and is its last step.
 * Sides that are multiples of 28 pixels keep their size. It aborts where a token is no valid UTF-8.
 */
export async function askWllama(page: Page, question: Question): Promise<Answer> {
  const files: Record<string, () => string | Uint8Array> = {
    '/': () =>
      `<!doctype html><script type="module">globalThis.Wllama = (await import('/index.js')).Wllama</script>`,
    '/index.js': () => readFileSync(join(WLLAMA, 'index.js')),
    '/wllama.wasm': () => readFileSync(join(WLLAMA, 'wasm/wllama.wasm')),
    '/model.gguf': () => readFileSync(question.model),
    '/mmproj.gguf': () => readFileSync(question.mmproj),
    '/picture.png': () => question.picture,
  };
  const server = await serve(files);
  try {
    await page.goto(server.address);
    await page.waitForFunction(() => 'Wllama' in globalThis);
    return await page.evaluate(answer, { text: question.text, maxTokens: question.maxTokens });
  } finally {
    await page.goto('about:blank');
    server.close();
  }
}

/** Runs in the page. */
async function answer({ text, maxTokens }: { text: string; maxTokens: number }): Promise<Answer> {
  const { Wllama } = globalThis as unknown as WllamaPage;
  const fetched = async (path: string) => (await fetch(path)).blob();
  const wllama = new Wllama({ default: '/wllama.wasm' }, { suppressNativeLog: true });
  await wllama.loadModel([await fetched('/model.gguf'), await fetched('/mmproj.gguf')], {
    n_gpu_layers: 0,
    n_ctx: 1024,
    n_threads: 1,
  });
  const image = { type: 'image', data: await (await fetched('/picture.png')).arrayBuffer() };
  const { choices, usage } = await wllama.createChatCompletion({
    messages: [{ role: 'user', content: [image, { type: 'text', text }] }],
    max_tokens: maxTokens,
    temperature: 0,
    logprobs: true,
    top_logprobs: 5,
  });
  await wllama.exit();
  const [{ message, logprobs }] = choices;
  const pick = ({ id, logprob }: Choice) => ({ id, logprob });
  return {
    text: message.content,
    promptTokens: usage.prompt_tokens,
    steps: logprobs.content.map((step) => ({ ...pick(step), likeliest: step.top_logprobs.map(pick) })),
  };
}

/** Serves files to a page of its own origin, isolated from all others as wllama's threads need it. */
async function serve(files: Readonly<Record<string, () => string | Uint8Array>>) {
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const body = files[path]?.();
    if (body === undefined) {
      response.writeHead(404).end();
      return;
    }
    const types = { js: 'text/javascript', wasm: 'application/wasm', '/': 'text/html' };
    const type = Object.entries(types).find(([end]) => path.endsWith(end))?.[1];
    response.writeHead(200, {
      'Content-Type': type ?? 'application/octet-stream',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    });
    response.end(body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://localhost:${port}/`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
