// Paints a moment as memory holds it: patches that every head keeps in full light, others dimmer and greyer the fewer
// keep them, forgotten ones last of all.

/** How much of its light a forgotten patch loses. */
const FORGOTTEN_DIM = 0.72;

/** Light of a patch that hardly any head keeps: well apart from a forgotten one. */
const LEAST_LIGHT = 0.3;

/** Where no picture is left. */
const NO_PICTURE = '#a9b4ba';

/** One for all: many moments fade at once. */
const shade = new OffscreenCanvas(1, 1);

/** What is painted: shares from 0 to 1 of the heads that keep each patch, `[rows, columns]`. */
export interface Heat {
  readonly picture: ImageBitmap | null;
  readonly shares: readonly number[];
  readonly rows: number;
  readonly columns: number;
}

/** Fills the canvas. */
export function paintHeat(canvas: HTMLCanvasElement, { picture, shares, rows, columns }: Heat): void {
  const context = canvas.getContext('2d')!;
  const { width, height } = canvas;
  context.globalCompositeOperation = 'source-over';
  context.globalAlpha = 1;
  context.imageSmoothingEnabled = true;
  // A picture that was let go of is closed, and has no size then.
  if (picture && picture.width > 0) {
    context.drawImage(picture, 0, 0, width, height);
  } else {
    context.fillStyle = NO_PICTURE;
    context.fillRect(0, 0, width, height);
  }
  const pixels = new ImageData(columns, rows);
  shares.forEach((share, patch) => {
    const light = share > 0 ? LEAST_LIGHT + (1 - LEAST_LIGHT) * share : 0;
    pixels.data[4 * patch + 3] = Math.round(255 * (1 - light));
  });
  // Setting a size clears, too.
  shade.width = columns;
  shade.height = rows;
  shade.getContext('2d')!.putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = false;
  // Black has no saturation: first it takes the colour away, then the light.
  context.globalCompositeOperation = 'saturation';
  context.drawImage(shade, 0, 0, width, height);
  context.globalCompositeOperation = 'source-over';
  context.globalAlpha = FORGOTTEN_DIM;
  context.drawImage(shade, 0, 0, width, height);
}
