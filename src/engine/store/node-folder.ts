// Folders on disk, for Node only: the command line and tests. Nothing keeps two processes from one file.
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Folder, OpenFile } from './folder';

/** The folder at a path, made if need be. */
export async function nodeFolder(path: string): Promise<Folder> {
  await mkdir(path, { recursive: true });
  return folderAt(path);
}

function folderAt(path: string): Folder {
  return {
    folder: (name) => nodeFolder(join(path, name)),
    async folders() {
      const entries = await readdir(path, { withFileTypes: true });
      return entries
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => [name, folderAt(join(path, name))]);
    },
    open: async (name) => nodeFile(join(path, name)),
    async read(name) {
      try {
        return new Uint8Array(await readFile(join(path, name)));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    remove: (name) => rm(join(path, name), { recursive: true, force: true }),
  };
}

function nodeFile(path: string): OpenFile {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT);
  return {
    read: (into, { at }) => readSync(file, into, { position: at }),
    write: (bytes, { at }) => writeSync(file, bytes, 0, bytes.length, at),
    getSize: () => fstatSync(file).size,
    truncate: (size) => ftruncateSync(file, size),
    flush: () => fsyncSync(file),
    close: () => closeSync(file),
  };
}
