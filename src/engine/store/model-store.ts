// The models that are kept: each version of a model has a folder of its own with a description, written once, and
// its two files, whole or in part. A new version is kept beside the old one until it is complete.
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { HttpOptions } from '../gguf/http-exchange';
import { type HttpFile, HttpSource } from '../gguf/http-source';
import { BlockFile, heldOf } from './block-file';
import { type Folder, writeFile } from './folder';
import { completeAll, KeptSource } from './kept-source';

/** A file of a model on its server, and its published SHA-256 in hex, where there is one. */
export interface RemoteFile extends HttpFile {
  readonly hash: string | null;
}

/** One version of a model: where its two files are and what they are. */
export interface ModelDescription {
  /** What it was asked for by, whatever the version. */
  readonly key: string;
  readonly model: RemoteFile;
  readonly mmproj: RemoteFile;
}

/** A model that is kept, whole or in part. */
export interface StoredModel {
  readonly id: string;
  readonly description: ModelDescription;
  /** When its download began, in milliseconds since 1970. */
  readonly begunMs: number;
  readonly bytesHere: number;
  readonly bytesTotal: number;
  readonly isComplete: boolean;
}

const ROLES = ['model', 'mmproj'] as const;
const DESCRIPTION = 'description.json';
/** Of what the folders hold. Folders of another format count as empty. */
const FORMAT = 1;

/** The store in a folder. It keeps no state of its own: several may work on one folder. */
export class ModelStore {
  readonly #root: Folder;

  constructor(root: Folder) {
    this.#root = root;
  }

  /** Every model that is kept, whole or in part, the newest first. */
  async list(): Promise<StoredModel[]> {
    const folders = await this.#root.folders();
    const models = await Promise.all(folders.map(([id, folder]) => storedIn(id, folder)));
    return models.filter((model) => model !== null).sort((a, b) => b.begunMs - a.begunMs);
  }

  /** Opens a model, kept or not, for reading what is here and fetching the rest. To be closed. */
  async open(description: ModelDescription, options: HttpOptions = {}): Promise<OpenModel> {
    const id = idOf(description);
    const folder = await this.#root.folder(id);
    if (!(await storedIn(id, folder))) {
      const text = JSON.stringify({ format: FORMAT, begunMs: Date.now(), ...description });
      await writeFile(folder, DESCRIPTION, new TextEncoder().encode(text));
    }
    return OpenModel.create(id, folder, description, options);
  }

  /** @throws StorageError when it is in use, here or in another tab. */
  async delete(id: string): Promise<void> {
    await this.#root.remove(id);
  }

  /** Deletes the other versions of a model. Those in use elsewhere stay. */
  async deleteOthers({ id, description }: Pick<StoredModel, 'id' | 'description'>): Promise<void> {
    for (const other of await this.list()) {
      if (other.id === id || other.description.key !== description.key) continue;
      await this.delete(other.id).catch(() => {});
    }
  }
}

/** An open model: two sources to load it from, which bring here what they read. */
export class OpenModel {
  readonly id: string;
  readonly description: ModelDescription;
  readonly model: KeptSource;
  readonly mmproj: KeptSource;
  readonly #files: readonly BlockFile[];
  readonly #stop: AbortController;

  static async create(
    id: string,
    folder: Folder,
    description: ModelDescription,
    options: HttpOptions,
  ): Promise<OpenModel> {
    const files: BlockFile[] = [];
    try {
      for (const role of ROLES) {
        const { name, size } = description[role];
        files.push(await BlockFile.open(folder, role, size, name));
      }
    } catch (error) {
      for (const file of files) file.close();
      throw error;
    }
    return new OpenModel(id, description, files, options);
  }

  private constructor(
    id: string,
    description: ModelDescription,
    files: readonly BlockFile[],
    options: HttpOptions,
  ) {
    const stop = new AbortController();
    const [model, mmproj] = ROLES.map((role, i) => {
      const http = new HttpSource(description[role], options);
      return new KeptSource(files[i]!, http, description[role].hash, stop.signal);
    });
    this.id = id;
    this.description = description;
    this.model = model!;
    this.mmproj = mmproj!;
    this.#files = files;
    this.#stop = stop;
  }

  get bytesHere(): number {
    return this.model.bytesHere + this.mmproj.bytesHere;
  }

  get bytesTotal(): number {
    return bytesOf(this.description);
  }

  get isComplete(): boolean {
    return this.model.isComplete && this.mmproj.isComplete;
  }

  /** Brings all of it here; errors as `KeptSource.complete`. In the order in which models are loaded. */
  async complete(): Promise<void> {
    await completeAll([this.mmproj, this.model]);
  }

  /** Ends what is under way, which then fails with `reason`. What has arrived stays. */
  stop(reason: unknown): void {
    this.#stop.abort(reason);
  }

  /** Lets go of the files: nothing of it can be read any more. */
  close(): void {
    this.stop(new DOMException('The model was closed.', 'AbortError'));
    for (const file of this.#files) file.close();
  }
}

/** The model in a folder of its own; null where there is none. */
async function storedIn(id: string, folder: Folder): Promise<StoredModel | null> {
  const begun = parseDescription(await folder.read(DESCRIPTION));
  if (!begun) return null;
  const { begunMs, description } = begun;
  const files = await Promise.all(
    ROLES.map(async (role) => {
      const { size, hash } = description[role];
      const held = await heldOf(folder, role, size);
      return { ...held, size, isComplete: held.bytes === size && (hash === null || held.digest === hash) };
    }),
  );
  return {
    id,
    description,
    begunMs,
    bytesHere: files.reduce((sum, { bytes }) => sum + bytes, 0),
    bytesTotal: bytesOf(description),
    isComplete: files.every((file) => file.isComplete),
  };
}

/** Bytes of both files. */
export function bytesOf({ model, mmproj }: ModelDescription): number {
  return model.size + mmproj.size;
}

/** Of a version: the same address may hold another one later. */
export function idOf({ key, model, mmproj }: ModelDescription): string {
  const versions = [model, mmproj].map(({ size, tag, hash }) => [size, hash ?? tag]);
  return bytesToHex(sha256(new TextEncoder().encode(JSON.stringify([key, versions])))).slice(0, 32);
}

/** Null unless it is one: a crash may have cut it short. */
function parseDescription(
  bytes: Uint8Array | null,
): { readonly begunMs: number; readonly description: ModelDescription } | null {
  try {
    const { format, begunMs = 0, ...description } = JSON.parse(new TextDecoder().decode(bytes ?? undefined));
    return format === FORMAT ? { begunMs, description } : null;
  } catch {
    return null;
  }
}
