// The ways the engine can fail, one class a kind. Each message names the cause and the way out,
// so that the page and the command line can show it as it stands.

/** Base of every error the engine raises on purpose; `kind` survives structured cloning between threads. */
export class EngineError extends Error {
  readonly kind: string;
  constructor(kind: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
    this.name = kind;
  }
}

/** The browser has no WebGPU, or no adapter was found. */
export class UnsupportedDeviceError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super('UnsupportedDeviceError', message, options);
  }
}

/** The GPU device was lost while running; everything on it is gone and must be loaded again. */
export class DeviceLostError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super('DeviceLostError', message, options);
  }
}

/** The device refused work while running, or failed at it: a defect of Ringside or of the driver. */
export class GpuError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super('GpuError', message, options);
  }
}

/** A buffer of the memory plan could not be had, or the plan exceeds a limit of the device. */
export class OutOfMemoryError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super('OutOfMemoryError', message, options);
  }
}

/** A model file is damaged, incomplete, or of a kind this engine does not run. */
export class ModelFormatError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super('ModelFormatError', message, options);
  }
}

/** A shader failed to compile; a defect of Ringside or of the driver. */
export class ShaderError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super('ShaderError', message, options);
  }
}

/** An argument of a public function is out of range. */
export class InvalidInputError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super('InvalidInputError', message, options);
  }
}

/** The ring has no room for more, and the policy does not allow it to be made. */
export class MemoryFullError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super('MemoryFullError', message, options);
  }
}

/** A saved memory cannot be restored: damaged, of another model or size, or of another format. */
export class SnapshotError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super('SnapshotError', message, options);
  }
}

/** A file could not be had from its server. What had arrived of it is kept where there is a store. */
export class DownloadError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super('DownloadError', message, options);
  }
}

/** A file on a server is no longer the one whose first bytes were read. */
export class FileChangedError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super('FileChangedError', message, options);
  }
}

/** The place where models are kept is full, in use elsewhere, or holds damaged bytes that cannot be fetched again now. */
export class StorageError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super('StorageError', message, options);
  }
}

/** What was thrown, in words, for the message of an error that it caused. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
