// Adopts as fast as it can until the last version, and proves every byte of every version it sees: when it adopts one,
// and again when it lets go of it, several versions later.
import { openReader, type Snapshot, StoreError } from '../../../src/index.ts';
import { given, run, tell, turn } from '../../support/child.ts';
import { isPayload } from '../../support/payload.ts';
import { sizeOf } from '../sizes.ts';

const { prefix, publishes, keep } = given<{ prefix: string; publishes: number; keep: number }>();

run(async () => {
  const reader = openReader<Uint8Array>(prefix);
  const held: { snapshot: Snapshot<Uint8Array>; bytes: Uint8Array }[] = [];
  const seen = { adoptions: 0, copied: 0, torn: 0, backwards: 0, last: 0 };
  let last = 0;

  const check = (bytes: Uint8Array, version: number, when: string) => {
    if (isPayload(bytes, version, sizeOf(version))) return;
    seen.torn += 1;
    tell('torn', { version, when, byteLength: bytes.byteLength, expected: sizeOf(version) });
  };
  const letGo = () => {
    const { snapshot, bytes } = held.shift()!;
    check(bytes, snapshot.version, 'released');
    snapshot.release();
  };

  tell('reading');
  for (let tries = 0; last < publishes; tries += 1) {
    if (tries % 64 === 0) await turn();
    let bytes: Uint8Array;
    try {
      bytes = reader.current();
    } catch (error) {
      if (error instanceof StoreError && error.code === 'NOT_PUBLISHED') continue;
      throw error;
    }
    if (reader.version === last) continue;
    if (reader.version < last) {
      seen.backwards += 1;
      tell('backwards', { from: last, to: reader.version });
    }
    last = reader.version;
    check(bytes, last, 'adopted');
    // What `current()` gave and a snapshot taken right after may be two versions: both must be whole.
    const snapshot = reader.snapshot();
    held.push({ snapshot, bytes: snapshot.value });
    if (held.length > keep) letGo();
  }
  while (held.length > 0) letGo();
  seen.last = last;
  const { adoptions, copies } = reader.stats();
  seen.adoptions = adoptions;
  seen.copied = copies;
  tell('finished', seen);
  reader.close();
});
