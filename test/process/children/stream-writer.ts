// Publishes so many payloads as fast as it can, sizes jumping up and down.
import { openWriter } from '../../../src/index.ts';
import { given, run, tell } from '../../support/child.ts';
import { payload } from '../../support/payload.ts';
import { sizeOf } from '../sizes.ts';

const { prefix, publishes } = given<{ prefix: string; publishes: number }>();

run(() => {
  using writer = openWriter<Uint8Array>(prefix, { codec: 'bytes' });
  for (let number = 1; number <= publishes; number += 1) {
    const published = writer.publish(payload(number, sizeOf(number)));
    if (published !== number) throw new Error(`publish ${number} was told to be ${published}`);
  }
  tell('published', writer.stats());
});
