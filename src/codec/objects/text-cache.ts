const ENTRIES = 4_096;
const MAX_EPOCHS = 2 ** 20;

/**
 * Short texts that were read lately, by reading and offset: the same key or value is often asked for again, and
 * one call into native code costs more than a look here. Belongs to one reader and is bounded.
 */
export class TextCache {
  private readonly keys = new Float64Array(ENTRIES).fill(-1);
  private readonly texts = new Array<string>(ENTRIES).fill('');
  private epoch = 0;

  /** The number of a new reading. Numbers come back after a million readings; the cache is emptied then. */
  nextEpoch(): number {
    this.epoch++;
    if (this.epoch === MAX_EPOCHS) {
      this.epoch = 1;
      this.keys.fill(-1);
      this.texts.fill('');
    }
    return this.epoch;
  }

  get(epoch: number, offset: number, length: number): string | undefined {
    const place = placeOf(offset);
    if (this.keys[place] !== epoch * 2 ** 32 + offset) return undefined;
    const text = this.texts[place] as string;
    return text.length === length ? text : undefined;
  }

  set(epoch: number, offset: number, text: string): void {
    const place = placeOf(offset);
    this.keys[place] = epoch * 2 ** 32 + offset;
    this.texts[place] = text;
  }
}

function placeOf(offset: number): number {
  return (offset ^ (offset >>> 9)) & (ENTRIES - 1);
}
