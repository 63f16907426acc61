// The key-value part of a GGUF file, with typed getters whose errors name the key and the file.
import { ModelFormatError } from '../errors';

/** A value as the file states it; 64-bit integers are bigint. */
export type MetadataValue = string | number | bigint | boolean | readonly MetadataValue[];

/** Read-only metadata of one file. Every getter throws ModelFormatError on a missing key or another type. */
export class Metadata {
  readonly fileName: string;
  readonly #values: ReadonlyMap<string, MetadataValue>;

  constructor(fileName: string, values: Iterable<readonly [string, MetadataValue]>) {
    this.fileName = fileName;
    this.#values = new Map(values);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** All keys and values, in the order of the file. */
  entries(): IterableIterator<[string, MetadataValue]> {
    return this.#values.entries();
  }

  string(key: string, fallback?: string): string {
    const value = this.#get(key, fallback);
    return typeof value === 'string' ? value : this.#wrongType(key, 'a text', value);
  }

  boolean(key: string, fallback?: boolean): boolean {
    const value = this.#get(key, fallback);
    return typeof value === 'boolean' ? value : this.#wrongType(key, 'true or false', value);
  }

  /** Any numeric type; an integer beyond 2^53 is an error. */
  number(key: string, fallback?: number): number {
    return this.#toNumber(key, this.#get(key, fallback));
  }

  strings(key: string): readonly string[] {
    const values = this.#array(key);
    for (const value of values) if (typeof value !== 'string') this.#wrongType(key, 'a list of texts', value);
    return values as readonly string[];
  }

  booleans(key: string): readonly boolean[] {
    const values = this.#array(key);
    for (const value of values)
      if (typeof value !== 'boolean') this.#wrongType(key, 'a list of true or false', value);
    return values as readonly boolean[];
  }

  numbers(key: string): readonly number[] {
    return this.#array(key).map((value) => this.#toNumber(key, value));
  }

  #array(key: string): readonly MetadataValue[] {
    const value = this.#get(key);
    return Array.isArray(value) ? value : this.#wrongType(key, 'a list', value as MetadataValue);
  }

  #toNumber(key: string, value: MetadataValue): number {
    if (typeof value !== 'number' && typeof value !== 'bigint')
      return this.#wrongType(key, 'a number', value);
    const number = Number(value);
    return typeof value === 'number' || Number.isSafeInteger(number)
      ? number
      : this.#wrongType(key, 'a number below 2^53', value);
  }

  #get(key: string, fallback?: MetadataValue): MetadataValue {
    const value = this.#values.get(key) ?? fallback;
    if (value !== undefined) return value;
    throw new ModelFormatError(
      `${this.fileName}: the metadata has no "${key}"; this is not the kind of model file that is needed here.`,
    );
  }

  #wrongType(key: string, wanted: string, value: MetadataValue): never {
    const found = Array.isArray(value)
      ? `a list of ${value.length}`
      : `${typeof value} ${String(value).slice(0, 40)}`;
    throw new ModelFormatError(`${this.fileName}: metadata "${key}" should be ${wanted}, but is ${found}.`);
  }
}
