// Publishes and adopts in one synchronous loop that never yields, forgets everything it has adopted, and counts its
// mappings.
import { readFileSync } from 'node:fs';
import { openReader, openWriter } from '../../../src/index.ts';
import { given, run, tell } from '../../support/child.ts';
import { isPayload, payload } from '../../support/payload.ts';

const { prefix, adoptions, kind, byteLength } = given<{
  prefix: string;
  adoptions: number;
  kind: 'bytes' | 'objects';
  byteLength: number;
}>();

/** All mappings of this process, and those of the store's files, which may have no name any more. */
const mappings = (): { all: number; ours: number } => {
  const lines = readFileSync('/proc/self/maps', 'latin1').split('\n');
  return { all: lines.length - 1, ours: lines.filter((line) => line.includes(prefix)).length };
};

run(() => {
  let torn = 0;
  const before = mappings().all;
  const most = { grown: 0, ours: 0 };
  const look = (i: number) => {
    if (i % 1000 !== 0) return;
    const { all, ours } = mappings();
    most.grown = Math.max(most.grown, all - before);
    most.ours = Math.max(most.ours, ours);
  };
  if (kind === 'bytes') {
    const writer = openWriter<Uint8Array>(prefix, { codec: 'bytes' });
    const reader = openReader<Uint8Array>(prefix);
    for (let i = 1; i <= adoptions; i += 1) {
      writer.publish(payload(i, byteLength));
      const bytes = reader.current();
      if (
        i % 64 === 0
          ? !isPayload(bytes, i, byteLength)
          : bytes[i % byteLength] !== payload(i, byteLength)[i % byteLength]
      ) {
        torn += 1;
      }
      look(i);
    }
    tell('done', { ...most, torn, stats: reader.stats() });
  } else {
    const writer = openWriter<{ i: number; texts: string[] }>(prefix);
    const reader = openReader<{ i: number; texts: string[] }>(prefix);
    const texts = Array.from({ length: 16 }, (_, i) => String(i).padEnd(byteLength / 16, 'x'));
    for (let i = 1; i <= adoptions; i += 1) {
      writer.publish({ i, texts });
      const value = reader.current();
      if (value.i !== i || value.texts.length !== 16) torn += 1;
      look(i);
    }
    tell('done', { ...most, torn, stats: reader.stats() });
  }
});
