// The life of a store from its creation to its end, for tests that cut it short. Tells each publish.
import { openReader, openWriter } from '../../../src/index.ts';
import { given, run, tell } from '../../support/child.ts';
import { payload } from '../../support/payload.ts';

const { prefix } = given<{ prefix: string }>();

run(() => {
  const writer = openWriter<Uint8Array>(prefix, { codec: 'bytes' });
  const reader = openReader<Uint8Array>(prefix);
  // Grows and shrinks, so that regions are created, rewritten, replaced, and given back.
  for (const byteLength of [100, 200, 50_000, 60_000, 300, 2_000_000, 400]) {
    const number = writer.publish(payload(writer.version + 1, byteLength));
    tell('published', { number });
    // Held in between: the next publish takes one slot more.
    if (number > 3 && number < 6) reader.snapshot();
  }
  writer.destroy();
  tell('destroyed');
});
