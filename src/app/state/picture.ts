// The canvas that shows the frame of a file while it is watched: drawn here, before the frame is transferred.

/** Longest side of the picture in pixels; it is a view, not the model's input. */
const LONGEST_SIDE = 960;

/** Draws frames on the canvas now on the page. */
export class Picture {
  #canvas: HTMLCanvasElement | null = null;

  /** Ref callback of the canvas. */
  readonly showOn = (canvas: HTMLCanvasElement | null): void => {
    this.#canvas = canvas;
  };

  /** Draws the frame; leaves it open. */
  draw(frame: VideoFrame): void {
    const context = this.#canvas?.getContext('2d');
    if (!this.#canvas || !context) return;
    const { displayWidth, displayHeight } = frame;
    const scale = Math.min(1, LONGEST_SIDE / Math.max(displayWidth, displayHeight));
    const [width, height] = [Math.round(displayWidth * scale), Math.round(displayHeight * scale)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    context.drawImage(frame, 0, 0, width, height);
  }
}
