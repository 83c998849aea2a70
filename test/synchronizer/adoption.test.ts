import { describe, expect, it } from 'vitest';
import { Adoption } from '../../src/synchronizer/adoption.ts';
import type { ReaderHandle } from '../../src/synchronizer/native.ts';
import { collectUntil, failure } from '../support/place.ts';

const BYTE_LENGTH = 10;
const facts = { version: 1, publishedAt: 2, byteLength: BYTE_LENGTH, codecId: 'bytes' };

/** What the native side is asked for. */
function fakeHandle() {
  const released: [number, boolean][] = [];
  const whole = new ArrayBuffer(64);
  const handle = {
    buffer: () => whole,
    handOut: () => whole.slice(0, BYTE_LENGTH),
    release: (heldId: number, handedOut?: ArrayBuffer) =>
      void released.push([heldId, handedOut !== undefined]),
  } as unknown as ReaderHandle;
  return { handle, released, whole };
}

const adopt = (heldId = 7) => {
  const fake = fakeHandle();
  return { ...fake, adoption: new Adoption<string>(fake.handle, facts, undefined, heldId) };
};

describe('an adopted version', () => {
  it('is held while it is the newest, however many snapshots come and go', () => {
    const { adoption, released } = adopt();
    for (let round = 0; round < 3; round += 1) {
      adoption.addSnapshot();
      adoption.releaseSnapshot(true);
    }
    expect([adoption.released, released]).toEqual([false, []]);
    adoption.supersede();
    expect([adoption.released, released]).toEqual([true, [[7, false]]]);
  });

  it('is held by every snapshot, and let go with the last', () => {
    const { adoption, released } = adopt();
    adoption.addSnapshot();
    adoption.addSnapshot();
    adoption.supersede();
    adoption.releaseSnapshot(false);
    expect(adoption.released).toBe(false);
    adoption.releaseSnapshot(false);
    expect(adoption.released).toBe(true);
    expect(released).toEqual([[7, false]]);
  });

  it('is let go once', () => {
    const { adoption, released } = adopt();
    adoption.supersede();
    adoption.supersede();
    adoption.finishBytes();
    expect(released).toEqual([[7, false]]);
  });

  it('is never let go by hand once its content was given out', () => {
    const { adoption, released } = adopt();
    adoption.giveOut();
    adoption.addSnapshot();
    adoption.supersede();
    adoption.releaseSnapshot(true);
    expect([adoption.released, released]).toEqual([false, []]);
  });

  it('detaches what was handed out when every snapshot allowed it', () => {
    for (const [first, second] of [
      [true, true],
      [true, false],
      [false, true],
    ] as const) {
      const { adoption, released } = adopt();
      adoption.handOut();
      adoption.addSnapshot();
      adoption.addSnapshot();
      adoption.supersede();
      adoption.releaseSnapshot(first);
      adoption.releaseSnapshot(second);
      expect(released).toEqual([[7, first && second]]);
    }
  });

  it('hands out the same buffer each time, and none after it was let go', () => {
    const { adoption, whole } = adopt();
    expect(adoption.buffer).toBe(whole);
    expect(adoption.handOut()).toBe(adoption.handOut());
    expect(adoption.handOut().byteLength).toBe(BYTE_LENGTH);
    adoption.supersede();
    for (const touch of [() => adoption.buffer, () => adoption.handOut()])
      failure('SNAPSHOT_RELEASED', touch);
  });

  it('hands out a copy where the kernel refuses a writable mapping', () => {
    const { handle, whole } = fakeHandle();
    new Uint8Array(whole)[3] = 5;
    const refusing = Object.assign(handle, { handOut: () => undefined });
    const adoption = new Adoption<string>(refusing, facts, undefined, 7);
    expect([...new Uint8Array(adoption.handOut())]).toEqual([0, 0, 0, 5, 0, 0, 0, 0, 0, 0]);
    expect(adoption.handOut()).not.toBe(whole);
  });

  it('holds nothing when its bytes were copied out', () => {
    const { handle, released } = fakeHandle();
    const copied = new ArrayBuffer(BYTE_LENGTH);
    const adoption = new Adoption<string>(handle, facts, copied, 0);
    expect([adoption.buffer, adoption.handOut()]).toEqual([copied, copied]);
    adoption.supersede();
    expect([adoption.released, released]).toEqual([true, []]);
  });

  it('is let go by the collector when nobody can reach it, and not a second time when it was let go before', async () => {
    const { handle, released } = fakeHandle();
    (() => {
      new Adoption<string>(handle, facts, undefined, 1).supersede();
      new Adoption<string>(handle, facts, undefined, 2).giveOut();
    })();
    await collectUntil(() => released.length >= 2);
    expect(released).toEqual([
      [1, false],
      [2, false],
    ]);
  });
});
