import type { Codec, DecodeOptions, DecodeSource, EncodeTarget } from '../codec.ts';
import { Encoder } from './encoder.ts';
import { kindReaders } from './kinds.ts';
import { ROOT_SLOT } from './layout.ts';
import { lookUpShape, ShapeTables } from './read-shapes.ts';
import { Reading, readTouched } from './reading.ts';
import { TextCache } from './text-cache.ts';
import { validate } from './validate.ts';
import { WindowCache } from './windows.ts';

/** The name of this layout in the header of regions. */
const ID = 'objects';

/**
 * The codec of plain objects: what is published is data as `structuredClone` knows it, and what is read are
 * ordinary objects that are decoded where they are touched.
 *
 * One codec serves one store, writer or reader; it keeps bounded caches between versions.
 */
export function createObjectsCodec(): Codec {
  return new ObjectsCodec();
}

class ObjectsCodec implements Codec {
  readonly id = ID;
  readonly keepsBytes = true;
  #encoder: Encoder | null = null;
  #reader: { texts: TextCache; windows: WindowCache; tables: ShapeTables } | null = null;

  encode(value: unknown, target: EncodeTarget): number {
    this.#encoder ??= new Encoder();
    return this.#encoder.encode(value, target);
  }

  decode(source: DecodeSource, options: DecodeOptions): unknown {
    this.#reader ??= { texts: new TextCache(), windows: new WindowCache(), tables: new ShapeTables() };
    const { texts, windows, tables } = this.#reader;
    const reading = new Reading(
      source,
      windows.of(source.buffer),
      options.freeze,
      texts,
      (begun) => tables.of(begun),
      lookUpShape,
      kindReaders,
    );
    return readTouched(reading, ROOT_SLOT);
  }

  validate(source: DecodeSource): void {
    validate(source);
  }
}
