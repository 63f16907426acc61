// The browser's private file system as the store's folder. Only a worker can open its files.
import { StorageError } from '../src/engine/errors';
import type { Folder, OpenFile } from '../src/engine/store/folder';

/** What the DOM's types leave out, since a page does not have it. */
interface WorkerFileHandle extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<OpenFile>;
}

const ROOT = 'models';
/** How long a file may stay open behind a tab that was just closed or reloaded. */
const RELEASE_MS = 4000;
const RETRY_MS = 100;

/** Where models are kept; null where the browser keeps nothing (some private windows). */
export async function opfsFolder(): Promise<Folder | null> {
  try {
    const root = await navigator.storage.getDirectory();
    return folderOf(await root.getDirectoryHandle(ROOT, { create: true }));
  } catch {
    return null;
  }
}

function folderOf(handle: FileSystemDirectoryHandle): Folder {
  return {
    folder: async (name) => folderOf(await handle.getDirectoryHandle(name, { create: true })),
    async folders() {
      const folders: [string, Folder][] = [];
      for await (const [name, entry] of handle.entries()) {
        if (entry.kind === 'directory') folders.push([name, folderOf(entry as FileSystemDirectoryHandle)]);
      }
      return folders;
    },
    async open(name) {
      const file = (await handle.getFileHandle(name, { create: true })) as WorkerFileHandle;
      return unlocked(() => file.createSyncAccessHandle());
    },
    async read(name) {
      try {
        const file = await (await handle.getFileHandle(name)).getFile();
        return new Uint8Array(await file.arrayBuffer());
      } catch (error) {
        if (isNamed(error, 'NotFoundError')) return null;
        throw error;
      }
    },
    async remove(name) {
      try {
        await unlocked(() => handle.removeEntry(name, { recursive: true }));
      } catch (error) {
        if (!isNamed(error, 'NotFoundError')) throw error;
      }
    },
  };
}

/** Tries again while a file is open elsewhere. @throws StorageError when it stays so. */
async function unlocked<T>(use: () => Promise<T>): Promise<T> {
  for (const started = performance.now(); ; ) {
    try {
      return await use();
    } catch (cause) {
      if (!isNamed(cause, 'NoModificationAllowedError')) throw cause;
      if (performance.now() - started > RELEASE_MS) {
        throw new StorageError(
          'This model is being loaded in another tab. Wait until it is ready there, or close that tab, and load it again.',
          { cause },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof DOMException && error.name === name;
}
