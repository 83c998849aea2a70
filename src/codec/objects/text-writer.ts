import { BEYOND_LATIN1, MAX_BLOCK_TEXT, TAG_LONG_TEXT, TAG_TEXT } from './layout.ts';
import type { Room } from './room.ts';

/** Texts of one block; the block is written when it is full. */
const MAX_BLOCK_BYTES = 32_768;
const MAX_BLOCK_ENTRIES = 8_192;

/** Texts up to this length that were written lately are referred to instead of written again. */
const MAX_KNOWN_LENGTH = 24;
const KNOWN_ENTRIES = 1_024;

/** After a block with text beyond Latin-1, this many texts are tested one by one. */
const SUSPECTS = 256;

/**
 * Writes text. A call into native code costs more than a short text does, so texts are gathered in a rope and
 * written together after the records that hold them: one native call a block. Until then a slot holds the offset
 * in the block; writing the block adds where it came to lie.
 */
export class TextWriter {
  private readonly room: Room;
  private rope = '';
  private ropeLength = 0;
  private readonly slots = new Uint32Array(MAX_BLOCK_ENTRIES);
  private entries = 0;
  private suspects = 0;

  private readonly knownText: string[] = new Array<string>(KNOWN_ENTRIES).fill('');
  /** A slot that holds the text: whoever copies it refers to the same bytes. */
  private readonly knownSlot = new Uint32Array(KNOWN_ENTRIES);
  private readonly knownBlock = new Uint32Array(KNOWN_ENTRIES);
  /** Where a payload's known texts are, as long as they are few. */
  private readonly knownPlaces = new Uint16Array(KNOWN_ENTRIES);
  private knownCount = 0;
  /** The number of the current block; counts on from payload to payload. */
  private block = 1;
  /** Known texts of earlier blocks than this one are forgotten. */
  private firstKnownBlock = 1;

  constructor(room: Room) {
    this.room = room;
  }

  begin(): void {
    this.rope = '';
    this.ropeLength = 0;
    this.entries = 0;
    this.suspects = 0;
    this.block = (this.block + 1) >>> 0 || 1;
    this.firstKnownBlock = this.block;
  }

  /** Forgets the texts, which may hold on to much larger ones they were cut from. */
  end(): void {
    const { knownPlaces } = this;
    if (this.knownCount > KNOWN_ENTRIES) this.knownText.fill('');
    else for (let i = 0; i < this.knownCount; i++) this.knownText[knownPlaces[i] as number] = '';
    this.knownCount = 0;
    this.rope = '';
  }

  /** Writes `text` into `slot` and returns about how many bytes that takes beside the slot. */
  put(text: string, slot: number): number {
    const { length } = text;
    if (length > MAX_BLOCK_TEXT) return this.putLong(text, slot);
    if (this.suspects > 0 && this.putSuspect(text, slot)) return length * 2 + 8;
    if (length > MAX_KNOWN_LENGTH || length === 0) return this.append(text, slot);

    const place = placeOf(text, length);
    if (this.knownText[place] === text && (this.knownBlock[place] as number) >= this.firstKnownBlock) {
      if (this.knownBlock[place] === this.block) {
        if (this.entries === MAX_BLOCK_ENTRIES) this.flush();
        else this.slots[this.entries++] = slot;
      }
      const { u32 } = this.room;
      const known = this.knownSlot[place] as number;
      u32[2 * slot] = u32[2 * known] as number;
      u32[2 * slot + 1] = u32[2 * known + 1] as number;
      return 8;
    }
    this.append(text, slot);
    this.knownText[place] = text;
    this.knownSlot[place] = slot;
    this.knownBlock[place] = this.block;
    // Typed arrays ignore what lies beyond their end.
    this.knownPlaces[this.knownCount++] = place;
    return 8 + length;
  }

  /** Writes what was gathered. Must be called once more at the end of a payload. */
  flush(): void {
    if (this.entries === 0) return;
    const { room } = this;
    if (BEYOND_LATIN1.test(this.rope)) this.moveWide();
    const words = Math.ceil(this.ropeLength / 8);
    const first = room.take(words);
    if (words > 0) {
      room.f64[first + words - 1] = 0;
      room.bytes.latin1Write(this.rope, first * 8, this.ropeLength);
    }
    const { slots, entries } = this;
    const { u32 } = room;
    for (let i = 0; i < entries; i++) {
      const low = 2 * (slots[i] as number);
      u32[low] = (u32[low] as number) + first * 8;
    }
    this.rope = '';
    this.ropeLength = 0;
    this.entries = 0;
    this.block = (this.block + 1) >>> 0 || 1;
  }

  private append(text: string, slot: number): number {
    const { length } = text;
    if (this.ropeLength + length > MAX_BLOCK_BYTES || this.entries === MAX_BLOCK_ENTRIES) this.flush();
    const { u32 } = this.room;
    u32[2 * slot] = this.ropeLength;
    u32[2 * slot + 1] = (TAG_TEXT << 16) | length;
    this.slots[this.entries++] = slot;
    this.rope += text;
    this.ropeLength += length;
    return 8 + length;
  }

  private putSuspect(text: string, slot: number): boolean {
    this.suspects--;
    if (!BEYOND_LATIN1.test(text)) return false;
    this.suspects = SUSPECTS;
    this.putUtf16(text, slot);
    return true;
  }

  private putLong(text: string, slot: number): number {
    const { length } = text;
    if (BEYOND_LATIN1.test(text)) return this.putUtf16(text, slot);
    const { room } = this;
    const words = Math.ceil((length + 4) / 8);
    const head = room.take(words);
    room.f64[head + words - 1] = 0;
    room.u32[2 * head] = length;
    room.bytes.latin1Write(text, head * 8 + 4, length);
    room.putReference(TAG_LONG_TEXT, 0, head, slot);
    return 8 + length;
  }

  private putUtf16(text: string, slot: number): number {
    const { room } = this;
    const byteLength = text.length * 2;
    const words = Math.ceil((byteLength + 4) / 8);
    const head = room.take(words);
    room.f64[head + words - 1] = 0;
    room.u32[2 * head] = text.length;
    // Written unit by unit as they are: a lone surrogate stays one.
    room.bytes.ucs2Write(text, head * 8 + 4, byteLength);
    room.putReference(TAG_LONG_TEXT, 1, head, slot);
    return 8 + byteLength;
  }

  /** Takes the texts beyond Latin-1 out of the block and writes each on its own. */
  private moveWide(): void {
    const { rope, slots, entries } = this;
    this.rope = '';
    this.ropeLength = 0;
    this.entries = 0;
    for (let i = 0; i < entries; i++) {
      const slot = slots[i] as number;
      const { u32 } = this.room;
      const offset = u32[2 * slot] as number;
      const text = rope.slice(offset, offset + ((u32[2 * slot + 1] as number) & 0xffff));
      if (BEYOND_LATIN1.test(text)) {
        this.putUtf16(text, slot);
      } else {
        u32[2 * slot] = this.ropeLength;
        slots[this.entries++] = slot;
        this.rope += text;
        this.ropeLength += text.length;
      }
    }
    this.suspects = SUSPECTS;
  }
}

/** A cheap place for a text among the known ones. */
function placeOf(text: string, length: number): number {
  const first = text.charCodeAt(0);
  const middle = text.charCodeAt(length >> 1);
  const last = text.charCodeAt(length - 1);
  const mixed = Math.imul(first + middle * 31 + last * 1009 + length * 65_599, 0x9e37_79b1);
  return (mixed >>> 20) & (KNOWN_ENTRIES - 1);
}
