// The size of the frames a model sees, in pixels, patches and visual tokens. One size a session.

import { InvalidInputError } from '../errors';

/** Frame size in pixels and how it is cut up; build it with {@link frameGrid}. */
export interface FrameGrid {
  readonly width: number;
  readonly height: number;
  /** Side of a patch in pixels. */
  readonly patchSize: number;
  /** Patches a side that the merger makes one visual token of. */
  readonly mergeSize: number;
  /** Frames of a temporal patch: what the encoder takes at once. */
  readonly framesPerPatch: 1 | 2;
  /** Places a side of the merger's that pooling makes one visual token of; at the edges there may be fewer. */
  readonly pooling: 1 | 2;
  readonly patchRows: number;
  readonly patchCols: number;
  /** `patchRows * patchCols`: patches of one temporal patch. */
  readonly patches: number;
  readonly tokenRows: number;
  readonly tokenCols: number;
  /** Visual tokens of one temporal patch. */
  readonly tokens: number;
}

/** @throws InvalidInputError when a side is not a positive multiple of `patchSize * mergeSize`. */
export function frameGrid(
  width: number,
  height: number,
  patchSize: number,
  mergeSize: number,
  framesPerPatch: 1 | 2 = 2,
  pooling: 1 | 2 = 1,
): FrameGrid {
  const unit = patchSize * mergeSize;
  if (!isMultiple(width, unit) || !isMultiple(height, unit)) {
    throw new InvalidInputError(
      `A model frame of ${width} × ${height} pixels cannot be cut into visual tokens; choose multiples of ${unit}.`,
    );
  }
  const [patchRows, patchCols] = [height / patchSize, width / patchSize];
  const [tokenRows, tokenCols] = [height, width].map((pixels) => Math.ceil(pixels / unit / pooling)) as [
    number,
    number,
  ];
  return {
    width,
    height,
    patchSize,
    mergeSize,
    framesPerPatch,
    pooling,
    patchRows,
    patchCols,
    patches: patchRows * patchCols,
    tokenRows,
    tokenCols,
    tokens: tokenRows * tokenCols,
  };
}

function isMultiple(pixels: number, unit: number): boolean {
  return Number.isInteger(pixels / unit) && pixels > 0;
}

/** Where a patch stands on the grid of patches. */
export interface PatchPlace {
  readonly row: number;
  readonly col: number;
}

/** The place of each patch, in the order of patches: merge blocks row-major. */
export function patchPlaces({ patchRows, patchCols, mergeSize }: FrameGrid): PatchPlace[] {
  const places: PatchPlace[] = [];
  for (let top = 0; top < patchRows; top += mergeSize) {
    for (let left = 0; left < patchCols; left += mergeSize) {
      for (let inner = 0; inner < mergeSize ** 2; inner++) {
        places.push({
          row: top + Math.floor(inner / mergeSize),
          col: left + (inner % mergeSize),
        });
      }
    }
  }
  return places;
}
