import type { WriterHandle } from './native.ts';

/** The double buffer: one slot is read while the other one is written. */
const BASE_SLOTS = 2;

/**
 * Spare slots are worth their memory because rewriting warm pages is several times cheaper than replacing a region;
 * beyond this sum of all regions a store replaces instead.
 */
const SPARE_BYTE_LIMIT = 256 * 2 ** 20;

/** A free region that was not needed for so many publishes is given back. */
const IDLE_PUBLISHES = 16;

/** A region that readers have counted on for so many publishes is given back: they keep their mapping, if they live. */
const ABANDONED_PUBLISHES = 256;

/** A region much larger than what is to be published would never shrink: it is replaced. */
const mayHold = (capacity: number, byteLength: number): boolean =>
  capacity >= byteLength && capacity <= 8 * Math.max(byteLength, 128 * 1024);

/** Which slot to publish into. Knows of each slot how much its region holds and when it was active. */
export class Slots {
  readonly #native: WriterHandle;
  readonly #count: number;
  readonly #reuse: boolean;
  /** Payload bytes of each slot's region; -1 where it has none. */
  readonly #capacities: number[] = [];
  /** The publish by which each slot was left; 0 for a slot that was never active. */
  readonly #leftAt: number[] = [];
  /** The room of each slot's region, kept so that codecs can keep windows over it. */
  readonly #buffers: (ArrayBuffer | undefined)[] = [];
  /** Slots whose region is being written, by a publish or a loan: a bit a slot. */
  #claimed = 0;
  #claimedCount = 0;
  /** Beside the active slot one stays unclaimed, for a region without a name to go to. */
  readonly #claimLimit: number;
  #active: number;
  #leftLast = -1;

  constructor(native: WriterHandle, count: number, slotLimit: number, reuse: boolean, active: number) {
    this.#native = native;
    this.#count = count;
    this.#reuse = reuse;
    this.#active = active;
    this.#claimLimit = slotLimit - 2;
    for (let slot = 0; slot < slotLimit; slot += 1) {
      this.#capacities.push(native.capacity(slot));
      this.#leftAt.push(0);
    }
  }

  /** How many slots lead to a region. */
  get regionCount(): number {
    return this.#capacities.reduce((count, capacity) => (capacity < 0 ? count : count + 1), 0);
  }

  get spareCount(): number {
    return Math.max(0, this.regionCount - BASE_SLOTS);
  }

  /** Claims a slot whose region can be rewritten in place and holds so many bytes; -1 if there is none. */
  claim(byteLength: number): number {
    if (!this.#reuse || this.#claimedCount >= this.#claimLimit) return -1;
    // The one left last has the warmest pages, and the others become idle.
    if (this.#leftLast >= 0 && this.#tryClaim(this.#leftLast, byteLength)) return this.#leftLast;
    return this.#latest((slot) => this.#tryClaim(slot, byteLength));
  }

  unclaim(slot: number): void {
    if ((this.#claimed & (1 << slot)) === 0) return;
    this.#claimed &= ~(1 << slot);
    this.#claimedCount -= 1;
  }

  /** The room of a claimed slot. */
  buffer(slot: number): ArrayBuffer {
    const buffer = this.#buffers[slot];
    // A loan detaches it.
    if (buffer !== undefined && buffer.byteLength > 0) return buffer;
    const renewed = this.#native.buffer(slot);
    this.#buffers[slot] = renewed;
    return renewed;
  }

  #tryClaim(slot: number, byteLength: number): boolean {
    if (!this.#isAvailable(slot) || !mayHold(this.#capacities[slot]!, byteLength)) return false;
    if (!this.#native.claim(slot)) return false;
    this.#claimed |= 1 << slot;
    this.#claimedCount += 1;
    return true;
  }

  /**
   * Where a fresh region goes: to a slot of the double buffer that has none, in place of a free one that did not fit, to
   * a spare slot while there are some, else in place of the one that was left longest ago, whoever still reads it.
   */
  replaceable(byteLength: number): number {
    for (let slot = 0; slot < BASE_SLOTS; slot += 1) {
      if (this.#isAvailable(slot) && this.#capacities[slot]! < 0) return slot;
    }
    const free = this.#earliest(
      (slot) => this.#capacities[slot]! >= 0 && (!this.#reuse || this.#native.isFree(slot)),
    );
    if (free >= 0) return free;
    const held = this.#capacities.reduce((sum, capacity) => sum + Math.max(0, capacity), 0);
    const hasRoom = held + byteLength <= SPARE_BYTE_LIMIT;
    if (hasRoom) {
      const spare = this.#earliest((slot) => slot < this.#count && this.#capacities[slot]! < 0);
      if (spare >= 0) return spare;
    }
    const replaced = this.#earliest((slot) => this.#capacities[slot]! >= 0);
    // Every region is being written at once (loans): one more slot than usual.
    return replaced >= 0 ? replaced : this.#earliest(() => true);
  }

  /** A claimed slot has become the active one. */
  activate(slot: number, publishNumber: number): void {
    if (this.#active >= 0) this.#leftAt[this.#active] = publishNumber;
    this.#leftLast = this.#active;
    this.#active = slot;
    this.unclaim(slot);
    if (publishNumber % IDLE_PUBLISHES === 0 && this.spareCount > 0) this.#giveBackIdle(publishNumber);
  }

  /** A slot has become the active one, with a new region. */
  replace(slot: number, publishNumber: number): void {
    this.#setCapacity(slot, this.#native.capacity(slot));
    this.activate(slot, publishNumber);
  }

  /** Gives back free regions that do not fit, before a larger one is allocated: memory stays (2 + held) payloads. */
  giveBackMisfits(byteLength: number): void {
    this.#giveBack((slot) => !mayHold(this.#capacities[slot]!, byteLength) && this.#native.isFree(slot));
  }

  /** Gives back everything that is not the newest version: for when the file system is full. */
  giveBackAll(): void {
    this.#giveBack(() => true);
  }

  /**
   * Gives back regions whose file somebody deleted, so that they are replaced. The active one must not be, and a claimed
   * one is being written: each is left until the next look after it was left.
   */
  giveBackLost(): void {
    this.#giveBack((slot) => this.#native.isRegionLost(slot));
  }

  #giveBackIdle(publishNumber: number): void {
    // What is needed beside the active one stays: the one left last.
    const next = this.#latest((slot) => this.#capacities[slot]! >= 0);
    this.#giveBack((slot) => {
      const idlePublishes = publishNumber - this.#leftAt[slot]!;
      if (slot === next || idlePublishes < IDLE_PUBLISHES) return false;
      return idlePublishes >= ABANDONED_PUBLISHES || this.#native.isFree(slot);
    });
  }

  #giveBack(passes: (slot: number) => boolean): void {
    for (const [slot, capacity] of this.#capacities.entries()) {
      if (capacity < 0 || !this.#isAvailable(slot) || !passes(slot)) continue;
      this.#native.drop(slot);
      this.#setCapacity(slot, -1);
    }
  }

  #setCapacity(slot: number, capacity: number): void {
    this.#capacities[slot] = capacity;
    this.#buffers[slot] = undefined;
  }

  #isAvailable(slot: number): boolean {
    return slot !== this.#active && (this.#claimed & (1 << slot)) === 0;
  }

  #latest(passes: (slot: number) => boolean): number {
    return this.#first(passes, (slot) => -this.#leftAt[slot]!);
  }

  #earliest(passes: (slot: number) => boolean): number {
    return this.#first(passes, (slot) => this.#leftAt[slot]!);
  }

  /** The available slot of lowest rank that passes; tests in order of rank, for `claim` has an effect. */
  #first(passes: (slot: number) => boolean, rank: (slot: number) => number): number {
    let tried = 0;
    for (;;) {
      let best = -1;
      for (let slot = 0; slot < this.#capacities.length; slot += 1) {
        if ((tried & (1 << slot)) !== 0 || !this.#isAvailable(slot)) continue;
        if (best < 0 || rank(slot) < rank(best)) best = slot;
      }
      if (best < 0 || passes(best)) return best;
      tried |= 1 << best;
    }
  }
}
