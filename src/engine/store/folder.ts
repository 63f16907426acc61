// The little that the store asks of a file system: what the browser's private one offers in a worker, and what is
// easily had of any other. (Node: `node-folder.ts`; the browser's: `workers/opfs-folder.ts`.)
import { StorageError } from '../errors';

/** An open file, read and written at places: a sync access handle in the browser. */
export interface OpenFile {
  /** Fills `into` from place `at` on, as far as the file goes. @returns how many bytes that were. */
  read(into: Uint8Array<ArrayBuffer>, options: { readonly at: number }): number;
  /** Writes bytes, beyond the end too. @returns how many were written. */
  write(bytes: Uint8Array<ArrayBuffer>, options: { readonly at: number }): number;
  getSize(): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

/** A folder of files and folders. */
export interface Folder {
  /** The folder of that name in this one, made if need be. */
  folder(name: string): Promise<Folder>;
  /** The folders in this one, by name. One that is removed meanwhile has nothing to read. */
  folders(): Promise<[name: string, folder: Folder][]>;
  /** Opens a file, made if need be, for nobody else. @throws StorageError when it is open elsewhere. */
  open(name: string): Promise<OpenFile>;
  /** A file's bytes as they are now, open or not; null where there is none. */
  read(name: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** Removes the folder of that name, if there is one, with all it holds. */
  remove(name: string): Promise<void>;
}

/** A folder in memory, gone with it: for small models where the browser keeps nothing. */
export function memoryFolder(): Folder {
  const folders = new Map<string, Folder>();
  const files = new Map<string, MemoryFile>();
  return {
    async folder(name) {
      const folder = folders.get(name) ?? memoryFolder();
      folders.set(name, folder);
      return folder;
    },
    folders: async () => [...folders],
    async open(name) {
      const file = files.get(name) ?? new MemoryFile();
      files.set(name, file);
      return file;
    },
    read: async (name) => files.get(name)?.bytes.slice() ?? null,
    async remove(name) {
      folders.delete(name);
    },
  };
}

class MemoryFile implements OpenFile {
  bytes = new Uint8Array();

  read(into: Uint8Array<ArrayBuffer>, { at }: { readonly at: number }): number {
    const bytes = this.bytes.subarray(at, at + into.length);
    into.set(bytes);
    return bytes.length;
  }

  write(bytes: Uint8Array<ArrayBuffer>, { at }: { readonly at: number }): number {
    if (at + bytes.length > this.bytes.length) this.truncate(at + bytes.length);
    this.bytes.set(bytes, at);
    return bytes.length;
  }

  truncate(size: number): void {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, size));
    this.bytes = bytes;
  }

  getSize(): number {
    return this.bytes.length;
  }

  flush(): void {}

  close(): void {}
}

/** Writes all of `bytes`. @throws StorageError when there is no room for them; what was there before stays. */
export function writeAt(file: OpenFile, name: string, bytes: Uint8Array<ArrayBuffer>, at: number): void {
  let written = 0;
  let cause: unknown;
  try {
    written = file.write(bytes, { at });
  } catch (error) {
    if (!isFull(error)) throw error;
    cause = error;
  }
  if (written === bytes.length) return;
  throw new StorageError(
    `There is no more room on this device to keep ${name}. Free some space, or delete a model that is kept, and load again: what has arrived is kept, and only the rest is fetched.`,
    { cause },
  );
}

/** Replaces what a file holds. Not at once: a crash may leave a part of it. */
export async function writeFile(folder: Folder, name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const file = await folder.open(name);
  try {
    file.truncate(0);
    writeAt(file, name, bytes, 0);
    file.flush();
  } finally {
    file.close();
  }
}

/** As browsers and Node say that a disk, or a site's share of it, is full. */
function isFull(error: unknown): boolean {
  const { name, code } = error as { name?: unknown; code?: unknown };
  return name === 'QuotaExceededError' || code === 'ENOSPC' || code === 'EDQUOT';
}
