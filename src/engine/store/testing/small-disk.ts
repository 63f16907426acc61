// A real folder on a disk with little room.
import type { Folder } from '../folder';

/** The folder, into which so many bytes more can be written; beyond, it fails as a browser's does. */
export function smallDisk(folder: Folder, bytes: number): Folder {
  let room = bytes;
  const limited = (inner: Folder): Folder => ({
    ...inner,
    folder: async (name) => limited(await inner.folder(name)),
    async open(name) {
      const file = await inner.open(name);
      return {
        ...file,
        write(data, { at }) {
          if (data.length > room)
            throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
          room -= data.length;
          return file.write(data, { at });
        },
      };
    },
  });
  return limited(folder);
}
